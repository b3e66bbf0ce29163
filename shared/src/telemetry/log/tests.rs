use std::{
    io,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::*;

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the lines that `events` logs at this level.
fn lines(level: LevelFilter, events: impl FnOnce()) -> Vec<Value> {
    let output = Output::default();
    let writer = output.clone();
    let subscriber = subscriber(level, System::real(), move || writer.clone());
    tracing::subscriber::with_default(subscriber, events);
    let text = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn line_has_timestamp_level_invocation_and_fields() {
    let lines = lines(LevelFilter::WARN, || {
        let span = tracing::info_span!("Lambda runtime invoke", requestId = "8476", xrayTraceId = "Root=1");
        let _invocation = span.enter();
        let _inner = tracing::info_span!("inner", n = 1).entered();
        tracing::info!("below the level");
        tracing::error!(status = 500, error = "a \"quoted\"\nline", key_id = None::<&str>, "request failed");
    });
    let timestamp = lines[0]["timestamp"].as_str().unwrap();
    assert!(timestamp.parse::<jiff::Timestamp>().is_ok() && timestamp.ends_with('Z'), "{timestamp}");
    let fields = json!({"message": "request failed", "status": 500, "error": "a \"quoted\"\nline"});
    let expected = json!({"timestamp": timestamp, "level": "ERROR", "requestId": "8476", "fields": fields});
    assert_eq!(lines, [expected]);
}

#[test]
fn line_outside_of_an_invocation_has_no_request_id() {
    let lines = lines(LevelFilter::INFO, || {
        tracing::warn!("table warm-up failed");
        let _span = tracing::info_span!("other").entered();
        tracing::info!("started");
    });
    let shown: Vec<_> = lines.iter().map(|line| (&line["level"], &line["fields"], line.get("requestId"))).collect();
    let expected = [("WARN", "table warm-up failed"), ("INFO", "started")];
    let expected = expected.map(|(level, message)| (json!(level), json!({ "message": message })));
    assert_eq!(shown, [(&expected[0].0, &expected[0].1, None), (&expected[1].0, &expected[1].1, None)]);
}
