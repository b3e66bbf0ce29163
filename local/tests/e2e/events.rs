//! Invokes every function with its two events in `events/`, and compares the responses with the `.expect.json` files.

use std::collections::BTreeSet;

use local::functions::workspace;
use serde_json::{Value, json};
use shared::domain::{api_key::KeyHash, system::System};

use crate::test_app::{TestApp, change};

/// Every function, ordered so that earlier events store the items that later events need.
const FUNCTIONS: [&str; 53] = [
    "authorizer",
    "me",
    "create-session",
    "sessions",
    "session-status",
    "qr",
    "session-qr",
    "session-state",
    "session-resume",
    "session-settings",
    "receive-message",
    "import-messages",
    "chats",
    "chat",
    "chat-messages",
    "chat-export",
    "chat-read",
    "message",
    "send-message",
    "create-media",
    "media",
    "outbox-claim",
    "outbox-settle",
    "auto-replies",
    "auto-reply",
    "auto-reply-dry-run",
    "changes",
    "stats",
    "webhooks",
    "webhook-test",
    "webhook-attempts",
    "webhook-retry",
    "webhook-replay",
    "webhook-endpoint",
    "webhook-secret",
    "events",
    "keys",
    "key",
    "number",
    "numbers",
    "webhook",
    "deliver",
    "relay",
    "notify",
    "media-fetch",
    "erase",
    "chat-typing",
    "templates",
    "health",
    "session-delete",
    "openapi",
    "console",
    "not-found",
];

/// The ID that the event files use for the webhook.
const WEBHOOK: &str = "019e4041-9c20-7f4e-9b33-6a07d1e2f3a5";

/// The ID that the event files use for the file.
const MEDIA: &str = "019e4041-9d30-7a6f-8c44-7b08e2f3a4c6";

/// Ids that a function assigns: the function, where its response has the id, and the id that the event files use
/// instead.
const ASSIGNED_IDS: [(&str, &str, &str); 6] = [
    ("create-media", "/media/id", MEDIA),
    ("outbox-claim", "/messages/0/id", "019e4041-9a03-7c53-8f6e-71a51dc0a51d"),
    ("outbox-claim", "/messages/0/lease", "7d9f2c1e-4b3a-4f5e-8a6b-0c1d2e3f4a5b"),
    ("auto-replies", "/rule/id", "019e4041-9b10-7d2c-8a11-52f0c6b3d7e4"),
    ("webhooks", "/webhook/id", WEBHOOK),
    ("keys", "/key/id", "5f0f8bd2-1c7e-5a64-9d0b-8c2e7a41f390"),
];

/// Returns the sorted names in a folder of the repository.
fn entries(folder: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(workspace().join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Returns the names of a function's events.
fn events(function: &str) -> Vec<String> {
    let names = entries(&format!("events/{function}")).into_iter();
    names
        .filter_map(|name| Some(name.strip_suffix(".json")?.to_owned()).filter(|name| !name.ends_with(".expect")))
        .collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(workspace().join("events").join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn expected(function: &str, name: &str) -> Value {
    serde_json::from_str(&read(&format!("{function}/{name}.expect.json"))).unwrap()
}

/// Whether `actual` equals `expected`. Objects in `actual` can have additional members.
fn contains(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| actual.get(name).is_some_and(|found| contains(found, value)))
        }
        _ => actual == expected,
    }
}

#[test]
fn every_function_has_an_accepted_and_a_refused_event() {
    let functions: BTreeSet<String> = FUNCTIONS.map(str::to_owned).into();
    assert_eq!(functions, entries("functions"));
    for function in FUNCTIONS {
        let events = events(function);
        assert_eq!(events.len(), 2, "{function}: {events:?}");
        let statuses: Vec<u64> =
            events.iter().filter_map(|name| expected(function, name)["statusCode"].as_u64()).collect();
        let refused = statuses.iter().filter(|status| **status >= 400).count();
        assert!(statuses.is_empty() || refused == 1, "{function}: one event is accepted and one is refused");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_gets_its_expected_response() {
    let operator = KeyHash::of("qk_events-operator-key-00000000000000000000000");
    let (app_secret, verify_token, access_token) = ("events-app-secret", "events-verify-token", "events-access-token");
    let parameters = [("OperatorKeyHash", operator.as_hex())];
    let app = TestApp::start_with_secrets(app_secret, verify_token, access_token, &parameters).await;

    let mut ids: Vec<(&str, String)> = Vec::new();
    let mut upload = Value::Null;
    for function in FUNCTIONS {
        if function == "chat-typing" {
            // The other events' session is a worker's, which has no typing indicator.
            let create = read("create-session/new.json").replace(r#"\"ada\""#, r#"\"bob\""#);
            let created = app.invoke("create-session", &serde_json::from_str(&create).unwrap()).await;
            let created: Value = serde_json::from_str(created["body"].as_str().unwrap()).unwrap();
            app.scan(created["session"]["qr"].as_str().unwrap(), "201009999999").await;
            app.inbound(&json!({"from": "201001234567", "text": "hello"})).await;
        }
        if function == "media" {
            let (_, id) = ids.iter().find(|(placeholder, _)| *placeholder == MEDIA).unwrap();
            assert_eq!(app.upload_to(&upload, b"\x89PNG\r\n\x1a\n").await, 200);
            let session = "117b233c-fcee-5c30-b5f9-00032fb4b9ea";
            let image = json!({"sessionId": session, "to": "201001234567", "type": "image", "image": {"media": id}});
            let mut send: Value = serde_json::from_str(&read("send-message/text.json")).unwrap();
            send["body"] = json!(image.to_string());
            let sent = app.invoke("send-message", &send).await;
            assert_eq!(sent["statusCode"], 200, "{sent}");
        }
        if function == "webhook-retry" {
            let now = System::real().now();
            let mut change = change("117b233c-fcee-5c30-b5f9-00032fb4b9ea", 1, None, now);
            change.change.id = "6c0d8a52-4b7e-5f31-9a26-0d1e2f3a4b5c".parse().unwrap();
            let (_, webhook_id) = ids.iter().find(|(placeholder, _)| *placeholder == WEBHOOK).unwrap();
            app.put_failed_delivery(&json!({"id": webhook_id}), change, 500).await;
        }
        for name in events(function) {
            let mut event = read(&format!("{function}/{name}.json"));
            for (placeholder, id) in &ids {
                event = event.replace(placeholder, id);
            }
            let mut response = app.invoke(function, &serde_json::from_str(&event).unwrap()).await;
            if let Some(body) = response["body"].as_str().and_then(|body| serde_json::from_str(body).ok()) {
                response["body"] = body;
            }
            assert!(contains(&response, &expected(function, &name)), "{function}/{name}: {response}");
            if response["body"]["upload"]["url"].is_string() {
                upload = response["body"]["upload"].clone();
            }
            for (_, pointer, placeholder) in ASSIGNED_IDS.iter().filter(|(assigner, ..)| *assigner == function) {
                if let Some(id) = response["body"].pointer(pointer) {
                    ids.push((placeholder, id.as_str().unwrap().to_owned()));
                }
            }
        }
    }
}
