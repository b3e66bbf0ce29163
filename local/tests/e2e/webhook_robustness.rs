//! Real, unusual, and invalid webhook bodies.

use std::path::Path;

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::{
    test_app::{TestApp, text_message},
    webhook_edges::read_everything,
    webhook_updates::typed_message,
};

/// Delivers the webhook bodies in the folder `QASID_PAYLOADS`. Every message and status is stored, and every message
/// that WhatsApp doesn't call unsupported has a known type.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_bodies_are_stored_completely() {
    let Some(folder) = std::env::var_os("QASID_PAYLOADS") else {
        return println!("skipped: QASID_PAYLOADS names no folder of webhook bodies");
    };
    let app = TestApp::start().await;
    app.connect("ada").await;
    let mut files: Vec<_> = std::fs::read_dir(Path::new(&folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let (mut messages, mut statuses, mut others) = (0, 0, 0);
    for path in &files {
        let mut body: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let before = count_stored(&app).await;
        let contents = retarget(&app, &mut body, &path.display().to_string());
        app.deliver_webhook(&body).await;
        let after = count_stored(&app).await;
        for wamid in &contents.messages {
            let message = app.get(&format!("/api/messages/{wamid}")).await;
            assert_eq!(message.status, 200, "{}: {wamid}: {}", path.display(), message.json);
            let is_unsupported = message.json["message"]["type"] == "unsupported";
            assert_eq!(is_unsupported, contents.is_unsupported, "{}: {}", path.display(), message.json);
        }
        let expected = contents.messages.len() + contents.statuses + contents.invalid + usize::from(contents.is_other);
        assert!(after - before >= expected, "{}: {} new items of {expected}", path.display(), after - before);
        messages += contents.messages.len() + contents.invalid;
        statuses += contents.statuses;
        others += usize::from(contents.is_other);
    }
    println!("{} bodies: {messages} messages, {statuses} statuses, {others} of other fields", files.len());
}

/// Returns the number of stored messages, early statuses, and events.
async fn count_stored(app: &TestApp) -> usize {
    let mut count = 0;
    for entity in ["message", "early_status", "event"] {
        count += app.items(entity).await.len();
    }
    count
}

/// The contents of a webhook body.
struct Contents {
    messages: Vec<String>,
    statuses: usize,
    /// Messages without an id, which are stored as events.
    invalid: usize,
    is_unsupported: bool,
    is_other: bool,
}

/// Changes a body to address the simulated number with unique ids, and returns its contents.
fn retarget(app: &TestApp, body: &mut Value, unique: &str) -> Contents {
    let mut contents =
        Contents { messages: Vec::new(), statuses: 0, invalid: 0, is_unsupported: false, is_other: true };
    let prefix =
        format!("{:x}", unique.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())));
    for change in
        body["entry"].as_array_mut().unwrap().iter_mut().flat_map(|entry| entry["changes"].as_array_mut().unwrap())
    {
        let value = &mut change["value"];
        // The folder can contain a body twice.
        value["qasid"] = json!(prefix);
        value["metadata"] = app.metadata();
        for outer in ["", "/standby"] {
            for list in ["messages", "message_echoes", "statuses"] {
                let Some(Value::Array(items)) = value.pointer_mut(&format!("{outer}/{list}")) else { continue };
                contents.is_other = false;
                for (n, item) in items.iter_mut().enumerate() {
                    if list == "statuses" {
                        item["id"] = json!(format!("{prefix}.{n}"));
                        contents.statuses += 1;
                    } else if item["id"].is_string() {
                        item["id"] = json!(format!("{prefix}.{n}"));
                        contents.messages.push(format!("{prefix}.{n}"));
                    } else {
                        contents.invalid += 1;
                    }
                    contents.is_unsupported |= matches!(item["type"].as_str(), Some("unsupported" | "unknown"));
                }
            }
        }
    }
    contents
}

/// Replaces one value of a valid message by an arbitrary one. The webhook succeeds, and the other message is stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_member_does_not_fail_a_webhook() {
    let (app, session_id) = TestApp::connected().await;
    // The content is passed on as it was received, and openapi.yaml describes what WhatsApp sends.
    app.allow_violations("/content:");
    let mut runner = TestRunner::deterministic();
    let edges = [0, -1, 253_402_200_000, 253_402_207_199, 253_402_300_799, i64::MAX].map(Value::from);
    let arbitrary = prop_oneof![
        prop::sample::select(edges.to_vec()),
        prop::sample::select(edges.map(|edge| json!(edge.to_string())).to_vec()),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[[{}]]])),
        Just(json!("x".repeat(5_000))),
        Just(json!("x".repeat(70_000))),
        Just(json!("\0\u{202e}\u{feff}\u{ffff}")),
    ];
    for n in 0..150 {
        let mut bodies = vec![
            typed_message(&format!("m.{n}"), 100, "image", json!({"id": "7", "caption": "x"})),
            typed_message(&format!("m.{n}"), 100, "reaction", json!({"message_id": "m.0", "emoji": "👍"})),
            typed_message(&format!("m.{n}"), 100, "contacts", json!([{"name": {"formatted_name": "x"}}])),
            typed_message(
                &format!("m.{n}"),
                100,
                "edit",
                json!({"original_message_id": "m.0", "message": {"type": "text", "text": {"body": "x"}}}),
            ),
        ];
        let mut changed = bodies.swap_remove(n % bodies.len());
        let pointers = pointers(&changed);
        let pointer = &pointers[(n * 7) % pointers.len()];
        *changed.pointer_mut(pointer).unwrap() = arbitrary.new_tree(&mut runner).unwrap().current();
        let other = format!("n.{n}");
        let response =
            app.webhook(&app.webhook_body(&json!([changed, text_message(&other, "201007654321", "hi")]))).await;
        assert_eq!(response.status, 200, "{changed}: {}", response.json);
        let stored = app.get(&format!("/api/messages/{other}")).await;
        assert_eq!(stored.json["message"]["body"], "hi", "{changed}");
    }
    read_everything(&app, &session_id).await;
}

/// Returns the JSON pointers of all values inside a value.
fn pointers(value: &Value) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, inner)| (name.clone(), inner)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, inner)| (at.to_string(), inner)).collect(),
        _ => Vec::new(),
    };
    let deeper =
        inner.iter().flat_map(|(name, inner)| pointers(inner).into_iter().map(move |rest| format!("/{name}{rest}")));
    std::iter::once(String::new()).chain(deeper).collect()
}
