use serde_json::json;

use super::{LEVELS, passes, readable};

#[test]
fn json_lines_are_formatted_as_text() {
    let line = r#"{"level":"WARN","fields":{"message":"slow","duration_ms":12,"chat":"c"},"span":{"name":"x"}}"#;
    assert_eq!(readable(line), "WARN slow chat=c duration_ms=12");
    let metric = r#"{"timestamp":"t","level":"INFO","_aws":{},"FunctionName":"deliver","MessagesUnknown":1}"#;
    assert_eq!(readable(metric), "METRIC MessagesUnknown=1");
}

#[test]
fn other_lines_stay_unchanged() {
    for line in ["", "thread 'main' panicked at x", "{\"level\":1}", "[1]", "{broken"] {
        assert_eq!(readable(line), line);
    }
}

#[test]
fn lines_below_the_minimum_level_are_dropped() {
    let line = |level: &str| json!({"timestamp": "2026-11-26T12:00:00.123Z", "level": level, "fields": {}}).to_string();
    for (rank, level) in LEVELS.iter().enumerate() {
        for (minimum_rank, minimum) in LEVELS.iter().enumerate() {
            assert_eq!(passes(&line(level), minimum), rank >= minimum_rank, "{level} {minimum}");
        }
    }
    assert!(passes(&line("error"), "WARN") && !passes(&line("info"), "WARN"));
}

#[test]
fn lines_without_a_level_or_timestamp_count_as_info() {
    for line in [
        "thread 'main' panicked at x",
        "",
        r#"{"level":"ERROR"}"#,
        r#"{"timestamp":"26 Nov 2026 12:00","level":"ERROR"}"#,
        r#"{"timestamp":1764158400,"level":"ERROR"}"#,
        r#"{"timestamp":"2026-11-26T12:00:00Z","level":"FAILURE"}"#,
        r#"{"timestamp":"2026-11-26T12:00:00Z","fields":{"level":"ERROR"}}"#,
    ] {
        assert!(passes(line, "INFO") && !passes(line, "WARN"), "{line}");
    }
}
