use super::readable;

#[test]
fn json_lines_are_formatted_as_text() {
    let line = r#"{"level":"WARN","fields":{"message":"slow","duration_ms":12,"chat":"c"},"span":{"name":"x"}}"#;
    assert_eq!(readable(line), "WARN slow chat=c duration_ms=12");
    let metric = r#"{"_aws":{"Timestamp":1},"FunctionName":"deliver","MessagesUnknown":1}"#;
    assert_eq!(readable(metric), "METRIC MessagesUnknown=1");
}

#[test]
fn other_lines_stay_unchanged() {
    for line in ["", "thread 'main' panicked at x", "{\"level\":1}", "[1]", "{broken"] {
        assert_eq!(readable(line), line);
    }
}
