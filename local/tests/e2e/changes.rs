//! The change log: which writes are changes, in which order, and what happens to it when `relay` ends early.

use std::collections::BTreeSet;

use local::database::Fault;
use serde_json::{Value, json};

use crate::test_app::{TestApp, insert_event, merge, now, text_message};

const CUSTOMER: &str = "201001234567";

/// Starts a deployment with a paired session. Returns it with the session's id and the position after its connection.
async fn connected() -> (TestApp, String, u64) {
    let (app, session_id) = TestApp::connected().await;
    let connected = app.wait_for_change(&session_id, "the connection", |change| change["type"] == "session.connected");
    let position = connected.await["sequence"].as_u64().unwrap();
    (app, session_id, position)
}

/// Returns a message of the customer with a type and its object.
fn typed(id: &str, kind: &str, content: Value) -> Value {
    let mut message = json!({"from": CUSTOMER, "id": id, "timestamp": now().to_string(), "type": kind});
    message[kind] = content;
    message
}

fn types(changes: &[Value]) -> Vec<&str> {
    changes.iter().map(|change| change["type"].as_str().unwrap()).collect()
}

/// Waits until a session has as many changes after a position as expected, and returns them. They have these types, in any
/// order, and different ids.
async fn expect_changes(app: &TestApp, session_id: &str, after: u64, expected: &[&str]) -> Vec<Value> {
    app.wait_until(&format!("{expected:?}"), async || app.all_changes(session_id, after).await.len() >= expected.len())
        .await;
    let changes = app.all_changes(session_id, after).await;
    let (mut found, mut expected) = (types(&changes), expected.to_vec());
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "{changes:#?}");
    let ids: BTreeSet<&str> = changes.iter().map(|change| change["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), changes.len(), "{changes:#?}");
    changes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_change_of_a_chat_is_logged_once_and_in_order() {
    let (app, session_id, start) = connected().await;
    app.deliver_messages(&json!([typed("w.1", "text", json!({"body": "hi"}))])).await;
    let chat_id = app.items("chat").await.remove(0)["id"].as_str().unwrap().to_owned();
    let path = format!("/api/chats/{chat_id}");
    assert_eq!(app.post(&format!("{path}/read"), &json!({})).await.status, 200);
    let sent = app.send(&session_id, CUSTOMER, "hello").await.json["message"].clone();
    let wamid = app.wait_for_status("read").await["wamid"].clone();
    let edit = json!({"original_message_id": "w.1", "message": {"type": "text", "text": {"body": "hi!"}}});
    for action in [
        typed("w.2", "reaction", json!({"message_id": wamid, "emoji": "👍"})),
        typed("w.3", "edit", edit),
        typed("w.4", "revoke", json!({"original_message_id": "w.1"})),
    ] {
        app.deliver_messages(&json!([action])).await;
    }
    assert_eq!(app.patch(&path, &json!({"name": "Mona"})).await.status, 200);
    assert_eq!(app.delete(&path).await.status, 200);
    let expected = [
        "chat.created",
        "message.received",
        "chat.updated",
        "message.created",
        "message.sent",
        "message.delivered",
        "message.read",
        "message.action",
        "message.reaction",
        "message.action",
        "message.edited",
        "message.action",
        "message.deleted",
        "chat.updated",
        "chat.erased",
    ];
    let changes = expect_changes(&app, &session_id, start, &expected).await;

    assert_eq!(&types(&changes)[..2], ["chat.created", "message.received"]);
    let of_sent: Vec<&Value> = changes.iter().filter(|change| change["message_id"] == sent["id"]).collect();
    let of_sent: Vec<&str> = of_sent.iter().map(|change| change["type"].as_str().unwrap()).collect();
    let statuses = ["message.created", "message.sent", "message.delivered", "message.read", "message.reaction"];
    assert_eq!(of_sent, statuses);
    assert!(changes.iter().all(|change| change["chat_id"] == chat_id.as_str()), "{changes:#?}");
    let numbers: Vec<u64> = changes.iter().map(|change| change["sequence"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted() && numbers[0] > start, "{numbers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_erasure_of_a_chat_is_logged() {
    let (app, session_id, start) = connected().await;
    for id in ["w.1", "w.2"] {
        app.deliver_messages(&json!([text_message(id, CUSTOMER, "hi")])).await;
        let chat_id = app.items("chat").await.remove(0)["id"].as_str().unwrap().to_owned();
        assert_eq!(app.delete(&format!("/api/chats/{chat_id}")).await.status, 200);
    }
    let once = ["chat.created", "message.received", "chat.erased"];
    expect_changes(&app, &session_id, start, &[once, once].concat()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_a_session_and_events_of_its_number_are_logged() {
    let app = TestApp::start().await;
    app.open_windows(&[CUSTOMER]).await;
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    app.set_session_attribute(&session_id, "qr_expires_at", "2020-01-01T00:00:00.000Z").await;
    assert_eq!(app.get(&format!("/api/qr?sessionId={session_id}")).await.json["expired"], true);
    let qr = app.session_status(&session_id).await["qr"].as_str().unwrap().to_owned();
    app.scan(&qr, "201009999999").await;
    app.set_faults(&json!({"sends": {"errorCode": 190, "times": 1}})).await;
    app.send(&session_id, CUSTOMER, "hello").await;
    let is_paused = async || app.session_status(&session_id).await["paused_reason"].is_string();
    app.wait_until("the session is paused", is_paused).await;
    assert_eq!(app.post("/api/session/resume", &json!({"sessionId": session_id})).await.status, 200);
    app.wait_for_status("read").await;
    let event = json!({"event": "QUALITY_UPDATE"});
    app.deliver_webhook(&app.webhook_field("phone_number_settings_update", event)).await;

    let expected = [
        "session.qr",
        "session.connected",
        "chat.created",
        "message.created",
        "session.paused",
        "session.resumed",
        "message.sent",
        "message.delivered",
        "message.read",
        "account.event",
    ];
    let changes = expect_changes(&app, &session_id, 0, &expected).await;
    let of_session: Vec<&str> = types(&changes).into_iter().filter(|kind| kind.starts_with("session.")).collect();
    assert_eq!(of_session, ["session.qr", "session.connected", "session.paused", "session.resumed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merge_is_a_change_of_the_chat_that_ends() {
    let (app, session_id, start) = connected().await;
    let text = |id: &str, contact: Value| merge(typed(id, "text", json!({"body": id})), &contact);
    let mut hidden = text("w.1", json!({"from_user_id": "EG.7"}));
    hidden.as_object_mut().unwrap().remove("from");
    app.deliver_messages(&json!([hidden])).await;
    let survivor = app.items("chat").await.remove(0)["id"].clone();
    app.deliver_messages(&json!([text("w.2", json!({}))])).await;
    app.deliver_messages(&json!([text("w.3", json!({"from_user_id": "EG.7"}))])).await;

    let received = ["chat.created", "message.received", "chat.created", "message.received", "message.received"];
    let expected: Vec<&str> = received.into_iter().chain(["chat.merged"]).collect();
    let changes = expect_changes(&app, &session_id, start, &expected).await;
    let merged = changes.iter().find(|change| change["type"] == "chat.merged").unwrap();
    assert_ne!(merged["chat_id"], survivor);
    assert_eq!(merged["merged_into"], survivor);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imported_history_is_not_a_change() {
    let (app, session_id, start) = connected().await;
    let past = |id: &str, at: i64| {
        merge(
            text_message(id, CUSTOMER, id),
            &json!({"timestamp": at.to_string(), "history_context": {"status": "READ"}}),
        )
    };
    let thread = json!({"id": CUSTOMER, "messages": [past("h.1", 100), past("h.2", 110)]});
    let history = json!({"history": [{"metadata": {"phase": 0}, "threads": [thread]}]});
    app.deliver_webhook(&app.webhook_field("history", history)).await;
    app.deliver_messages(&json!([typed("w.1", "text", json!({"body": "hi"}))])).await;
    assert_eq!(app.items("message").await.len(), 3);
    let changes = expect_changes(&app, &session_id, start, &["chat.created", "message.received"]).await;
    assert_eq!(types(&changes), ["chat.created", "message.received"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_record_has_new_numbers_and_the_same_ids() {
    let (app, session_id, start) = connected().await;
    app.deliver_messages(&json!([typed("w.1", "text", json!({"body": "hi"}))])).await;
    let first = expect_changes(&app, &session_id, start, &["chat.created", "message.received"]).await;
    let last = first[1]["sequence"].as_u64().unwrap();
    let message = app.items("message").await.remove(0);
    let image = app.item(message["pk"].as_str().unwrap(), message["sk"].as_str().unwrap()).await;
    let event = insert_event(&json!({"Keys": {"pk": image["pk"], "sk": image["sk"]}, "NewImage": image}));
    assert_eq!(app.invoke("relay", &event).await, json!({"batchItemFailures": []}));
    let again = app.all_changes(&session_id, last).await;
    assert_eq!(again.len(), 1);
    assert_eq!((&again[0]["id"], &again[0]["type"]), (&first[1]["id"], &first[1]["type"]));
    assert_eq!(again[0]["at"], first[1]["at"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_step_over_the_numbers_of_a_killed_relay() {
    let (app, session_id, start) = connected().await;
    app.inject_function_fault("relay", "BatchWriteItem", Fault::Hang, 1);
    app.deliver_messages(&json!([typed("w.1", "text", json!({"body": "hi"}))])).await;
    app.wait_until("relay hangs", async || app.running().database().faults().pending() == 0).await;
    assert!(app.kill("relay").await > 0);
    let changes = expect_changes(&app, &session_id, start, &["chat.created", "message.received"]).await;
    assert!(changes[0]["sequence"].as_u64().unwrap() > start + 1, "{changes:#?}");
}
