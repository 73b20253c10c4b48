//! Bar charts as SVG.

use std::path::Path;

use plotters::prelude::*;

const WIDTH: u32 = 720;
const BAR: u32 = 30;
const LABELS: u32 = 190;
const HEAD: u32 = 46;

/// A bar of a chart.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: f64,
    /// `true` for a way of reuse-db.
    pub(crate) is_ours: bool,
}

/// The length of the longest bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Longest {
    Full,
    /// A little longer than the next one, with a gap. Otherwise it would hide the differences of
    /// the others.
    Cut,
}

/// Writes a chart of horizontal bars with their values, in milliseconds.
pub(crate) fn bars(path: &Path, title: &str, longest: Longest, bars: &[Bar]) {
    let height = HEAD + BAR * bars.len() as u32 + 10;
    let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE).expect("a background");
    let text = |size: u32| ("sans-serif", size).into_font().color(&BLACK);
    area.draw_text(title, &text(17), (10, 14)).expect("a title");
    let most = scale(longest, bars);
    let room = f64::from(WIDTH - LABELS - 90);
    for (nth, bar) in bars.iter().enumerate() {
        let top = (HEAD + BAR * nth as u32) as i32;
        let left = LABELS as i32;
        let right = left + (room * bar.value.min(most) / most).max(1.0) as i32;
        let colour = if bar.is_ours {
            RGBColor(31, 119, 80)
        } else {
            RGBColor(150, 156, 165)
        };
        area.draw_text(&bar.label, &text(14), (10, top + 5))
            .expect("a label");
        let corners = [(left, top), (right, top + BAR as i32 - 8)];
        area.draw(&Rectangle::new(corners, colour.filled()))
            .expect("a bar");
        if bar.value > most {
            let gap = [(right - 24, top), (right - 16, top + BAR as i32 - 8)];
            area.draw(&Rectangle::new(gap, WHITE.filled()))
                .expect("a gap");
        }
        let value = format!("{:.2} ms", bar.value);
        area.draw_text(&value, &text(14), (right + 6, top + 5))
            .expect("a value");
    }
    area.present().expect("a file");
}

/// Returns the value of a bar that fills the chart.
fn scale(longest: Longest, bars: &[Bar]) -> f64 {
    let mut values: Vec<f64> = bars.iter().map(|bar| bar.value).collect();
    values.sort_by(|a, b| b.total_cmp(a));
    match (longest, &values[..]) {
        (Longest::Cut, [_, second, ..]) => 1.1 * second,
        (_, [first, ..]) => *first,
        (_, []) => 1.0,
    }
}
