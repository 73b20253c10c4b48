//! Counters as a log line from which CloudWatch makes metrics.

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::stats::{Stats, stats};
use crate::environment;
use crate::sync::Mutex;

/// The CloudWatch namespace to print metrics for after each response, if any.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metrics(Option<&'static str>);

/// The counters as printed last.
static PRINTED: Mutex<Option<Stats>> = Mutex::new(None);

impl Metrics {
    pub(crate) const NONE: Self = Self(None);

    pub(crate) const fn of(namespace: &'static str) -> Self {
        Self(Some(namespace))
    }

    /// Prints the difference to the last printed line.
    pub(crate) fn print(self) {
        let Some(namespace) = self.0 else {
            return;
        };
        let since = {
            let mut printed = PRINTED.lock();
            let now = stats();
            now.since(printed.replace(now).unwrap_or_default())
        };
        // `println!` panics if the log cannot be written.
        let _ = writeln!(std::io::stdout(), "{}", since.embedded_metrics(namespace));
    }
}

impl Stats {
    /// Returns the counters as a line of JSON in CloudWatch's embedded metric format. CloudWatch
    /// makes metrics of such a line in a function's log, with the dimension `FunctionName` and
    /// without an agent.
    ///
    /// The metrics are `Opened`, `Reused`, `Checked`, `Inspected`, `LoadQueries`, `Shed`, `Stale`,
    /// `Discarded`, `Closed`, `Unavailable`, `Retried` (counts), `Connecting` and `Waiting`
    /// (milliseconds). CloudWatch adds up all lines, so print differences: call
    /// [`since`](Self::since) first, or use
    /// [`AfterResponse::embedded_metrics`](crate::AfterResponse::embedded_metrics). AWS specifies
    /// the format ("Amazon CloudWatch User Guide", "Specification: Embedded metric format").
    ///
    /// ```
    /// println!("{}", reuse_db::stats().embedded_metrics("shop"));
    /// ```
    #[must_use]
    pub fn embedded_metrics(&self, namespace: &str) -> String {
        let millis = |time: Duration| json!(time.as_secs_f64() * 1000.0);
        let figures = [
            ("Opened", "Count", json!(self.opened)),
            ("Reused", "Count", json!(self.reused)),
            ("Checked", "Count", json!(self.checked)),
            ("Inspected", "Count", json!(self.inspected)),
            ("LoadQueries", "Count", json!(self.load_queries)),
            ("Shed", "Count", json!(self.shed)),
            ("Stale", "Count", json!(self.stale)),
            ("Discarded", "Count", json!(self.discarded)),
            ("Closed", "Count", json!(self.closed)),
            ("Unavailable", "Count", json!(self.unavailable)),
            ("Retried", "Count", json!(self.retried)),
            ("Connecting", "Milliseconds", millis(self.connecting)),
            ("Waiting", "Milliseconds", millis(self.waiting)),
        ];
        let metrics: Vec<Value> = figures
            .iter()
            .map(|(name, unit, _)| json!({ "Name": name, "Unit": unit }))
            .collect();
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let mut line = json!({
            "_aws": {
                "Timestamp": u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
                "CloudWatchMetrics": [{
                    "Namespace": namespace,
                    "Dimensions": [["FunctionName"]],
                    "Metrics": metrics,
                }],
            },
            "FunctionName": environment::function(),
        });
        for (name, _, value) in figures {
            line[name] = value;
        }
        line.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_value() {
        let stats = Stats {
            opened: 2,
            waiting: Duration::from_micros(1500),
            ..Stats::default()
        };
        let line = stats.embedded_metrics("a \"name\"\nspace");
        assert!(!line.contains('\n'), "{line}");
        let line: Value = serde_json::from_str(&line).expect("JSON");
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "a \"name\"\nspace");
        assert_eq!(directive["Dimensions"], json!([["FunctionName"]]));
        let metrics = directive["Metrics"].as_array().expect("metrics");
        assert_eq!(metrics.len(), 13);
        for metric in metrics {
            let name = metric["Name"].as_str().expect("a name");
            assert!(line[name].is_number(), "{name}");
        }
        assert_eq!(
            (&line["Opened"], &line["Waiting"]),
            (&json!(2), &json!(1.5))
        );
    }
}
