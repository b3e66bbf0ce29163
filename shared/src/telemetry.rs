//! Logs and metrics, both as lines on standard output, which Lambda collects.

use std::{error::Error, fmt::Write};

use serde_json::json;

use crate::time::Timestamp;

/// An error and everything that caused it, in one line. Our own errors never repeat their cause in their text.
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(line, ": {error}");
        cause = error.source();
    }
    line
}

/// Counts `value` events in CloudWatch, through the embedded metric format: one line, and no request (AWS: "CloudWatch
/// embedded metric format specification").
#[allow(clippy::print_stdout, reason = "the format is a line on standard output")]
pub fn count(metric: &str, value: usize, now: Timestamp) {
    println!("{}", count_line(metric, value, now));
}

fn count_line(metric: &str, value: usize, now: Timestamp) -> serde_json::Value {
    json!({
        "_aws": {
            "Timestamp": now.seconds() * 1000,
            "CloudWatchMetrics": [{
                "Namespace": "Qasid",
                "Dimensions": [[]],
                "Metrics": [{"Name": metric, "Unit": "Count"}],
            }],
        },
        metric: value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_one_embedded_metric() {
        let line = count_line("UnownedMessages", 3, Timestamp::from_seconds(60).unwrap());
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"], "UnownedMessages");
        assert_eq!(line["UnownedMessages"], 3);
        assert_eq!(line["_aws"]["Timestamp"], 60_000);
    }

    #[test]
    fn a_chain_names_every_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::fmt::Error);
        assert_eq!(chain(&Outer(std::fmt::Error)), format!("outer: {}", std::fmt::Error));
    }
}
