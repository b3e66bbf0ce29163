//! Every event under `events/` goes into the real function, and gets the answer that is written beside it.

use std::path::{Path, PathBuf};

use local::{Options, database::Storage};
use serde_json::{Value, json};

use crate::system::System;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events")
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The events of one function: name, event, and the expected answer where the contract fixes it.
fn events(function: &str) -> Vec<(String, Value, Option<Value>)> {
    let mut events: Vec<_> = std::fs::read_dir(folder().join(function))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension().is_some_and(|e| e == "json") && !path.to_string_lossy().ends_with(".expect.json")
        })
        .map(|path| {
            let expected = path.with_extension("expect.json");
            (path.display().to_string(), read(&path), expected.exists().then(|| read(&expected)))
        })
        .collect();
    events.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(events.len() >= 3, "{function} has events, good and bad");
    events
}

/// A system whose secrets are those that the events are signed with.
async fn system() -> (System, tempfile::TempDir) {
    let data = tempfile::tempdir().unwrap();
    let secret = json!({"appSecret": "events-app-secret", "verifyToken": "events-verify-token", "accessToken": "events-access-token"});
    std::fs::write(data.path().join("secrets.json"), secret.to_string()).unwrap();
    let storage = Storage::Directory(data.path().to_owned());
    (System::start_from(Options { storage, ..Options::default() }).await, data)
}

async fn invoke(system: &System, function: &str, event: &Value) -> Value {
    let answer = system.running().lambda().invoke(function, event.to_string().into()).await;
    serde_json::from_slice(&answer.unwrap_or_else(|error| panic!("{function}: {error}"))).unwrap()
}

fn contains(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| actual.get(name).is_some_and(|found| contains(found, value)))
        }
        _ => actual == expected,
    }
}

async fn answers_as_expected(system: &System, function: &str) {
    for event in events(function) {
        answers_this_as_expected(system, function, event).await;
    }
}

async fn answers_this_as_expected(system: &System, function: &str, event: (String, Value, Option<Value>)) {
    let (name, event, expected) = event;
    let answer = invoke(system, function, &event).await;
    let expected = expected.unwrap_or_else(|| panic!("{name} has no expected answer"));
    assert_eq!(answer["statusCode"], expected["statusCode"], "{name}: {answer}");
    let body = answer["body"].as_str().unwrap_or_default();
    match &expected["body"] {
        Value::Null => {}
        Value::String(text) => assert_eq!(body, text, "{name}"),
        expected => {
            let body: Value = serde_json::from_str(body).unwrap();
            assert!(contains(&body, expected), "{name}: {body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_meet_an_empty_table() {
    for event in events("create-session") {
        let (system, _data) = system().await;
        answers_this_as_expected(&system, "create-session", event).await;
    }
    let (system, _data) = system().await;
    answers_as_expected(&system, "not-found").await;
    for function in ["keys", "key"] {
        answers_as_expected(&system, function).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_the_authorizer() {
    let (system, _data) = system().await;
    for (name, event, expected) in events("authorizer") {
        assert_eq!(Some(invoke(&system, "authorizer", &event).await), expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_meet_a_session() {
    let (system, _data) = system().await;
    system.create("ada").await;
    // The lists before the functions that fill them.
    for function in ["chats", "chat", "chat-read", "chat-messages", "chat-export", "session-delete"] {
        answers_as_expected(&system, function).await;
    }
    for function in [
        "session-status",
        "qr",
        "send-message",
        "webhook",
        "session-resume",
        "message",
        "events",
        "number",
        "numbers",
        "auto-replies",
        "auto-reply",
        "auto-reply-dry-run",
    ] {
        answers_as_expected(&system, function).await;
    }
}

/// Each of these leaves the session as the next one needs it: a worker's, and connected.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_worker() {
    let (system, _data) = system().await;
    system.create("ada").await;
    for function in ["session-qr", "session-state", "outbox-claim", "outbox-settle", "receive-message"] {
        answers_as_expected(&system, function).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_the_stream() {
    let (system, _data) = system().await;
    for function in ["deliver", "respond"] {
        for (name, event, _) in events(function) {
            let answer = invoke(&system, function, &event).await;
            assert_eq!(answer, json!({"batchItemFailures": []}), "{name}");
        }
    }
}
