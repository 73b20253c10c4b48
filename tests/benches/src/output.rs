//! The page, the charts and the CSV files of a run.

use std::fs;
use std::path::{Path, PathBuf};

use base64::prelude::*;

use crate::{Length, machine};

/// The files of the last run, beside the page in the repository.
const FILES: &str = "https://github.com/reuse-db/reuse-db/blob/main/runtime/docs/figures";

/// The page of a run. The quick form writes below `target`, the long form into the documents.
pub(crate) struct Output {
    length: Length,
    docs: PathBuf,
    servers: Vec<String>,
    parts: String,
    charts: Vec<&'static str>,
}

impl Output {
    pub(crate) fn new(length: Length) -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let docs = match length {
            Length::Quick => package.join("../../target/figures"),
            Length::Long => package.join("../../runtime/docs"),
        };
        fs::create_dir_all(docs.join("figures")).expect("a folder");
        Self {
            length,
            docs,
            servers: Vec::new(),
            parts: String::new(),
            charts: Vec::new(),
        }
    }

    /// Adds a server to the list of those that were measured.
    pub(crate) fn server(&mut self, version: &str) {
        if !self.servers.iter().any(|known| known == version) {
            self.servers.push(version.to_owned());
        }
    }

    pub(crate) fn heading(&mut self, text: &str) {
        self.text(&format!("## {text}"));
    }

    /// Adds a paragraph or a table.
    pub(crate) fn text(&mut self, text: &str) {
        let is_prose = !["|", "#", "```"]
            .iter()
            .any(|start| text.starts_with(start));
        let text = if is_prose {
            wrapped(text)
        } else {
            text.to_owned()
        };
        println!("\n{text}");
        self.parts += &format!("\n{text}\n");
    }

    /// Returns the path of a chart, and shows it on the page.
    pub(crate) fn chart(&mut self, name: &'static str) -> PathBuf {
        self.parts += &format!("\n![{name}][chart-{name}]\n");
        self.charts.push(name);
        self.folder().join(format!("{name}.svg"))
    }

    fn folder(&self) -> PathBuf {
        self.docs.join("figures")
    }

    /// Writes a file with all figures of a part.
    pub(crate) fn file(&mut self, name: &str, content: &str) {
        fs::write(self.folder().join(name), content).expect("a file");
        self.text(&format!("All figures: [`{name}`]({FILES}/{name})."));
    }

    /// Writes the page.
    pub(crate) fn finish(self, command: &str) {
        let machine = format!("Machine: {}.", machine::description());
        let servers = format!("Servers: {}.", self.servers.join(", "));
        let links: String = self
            .charts
            .iter()
            .map(|name| format!("\n[chart-{name}]: figures/{name}.svg"))
            .collect();
        let page = format!(
            "# Figures\n\nMade by `{command}`, interleaved in one run.\n\n{}\n\n{}\n{}{links}\n",
            wrapped(&machine),
            wrapped(&servers),
            self.parts
        );
        let path = self.docs.join("figures.md");
        fs::write(&path, page).expect("a page");
        for name in &self.charts {
            self.embed(name);
        }
        if self.length == Length::Quick {
            println!("\nwritten to {}", path.display());
        }
    }

    /// Writes a chart as a link that holds it. The documents of the crate have no other files.
    fn embed(&self, name: &str) {
        let chart = fs::read(self.folder().join(format!("{name}.svg"))).expect("a chart");
        let link = format!(
            "[chart-{name}]: data:image/svg+xml;base64,{}\n",
            BASE64_STANDARD.encode(chart)
        );
        let path = self.folder().join(format!("{name}.uri.md"));
        fs::write(path, link).expect("a link");
    }
}

/// Breaks a paragraph into lines of at most 100 characters.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("a line");
        if line.is_empty() {
            *line = word.to_owned();
        } else if line.chars().count() + word.chars().count() < 100 {
            *line += " ";
            *line += word;
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join("\n")
}
