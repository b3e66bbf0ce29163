//! Export, erasure, and retention.

use local::database::Fault;
use serde_json::{Value, json};

use crate::test_app::{TestApp, merge, now, text_message};

/// Returns every item that holds personal data.
async fn personal_items(app: &TestApp) -> Vec<Value> {
    let mut items = Vec::new();
    for entity in ["chat", "message", "raw", "identity", "idempotency", "early_status", "early_action", "saved_name"] {
        items.extend(app.items(entity).await);
    }
    items
}

/// Makes every erasure due for its final pass and runs the schedule. No erasure is left afterwards.
pub(crate) async fn run_final_pass(app: &TestApp) {
    for attribute in ["due_at", "requested_at"] {
        for erasure in app.items("erasure").await {
            app.set_item_attribute(&erasure, attribute, "2026-01-01T00:00:00.000Z").await;
            app.set_item_attribute(&erasure, "due_at", "2026-01-01T00:00:00.000Z").await;
        }
        app.invoke("erase", &json!({})).await;
    }
    assert_eq!(app.items("erasure").await, Vec::<Value>::new());
}

/// Delivers `count` text messages of a contact in one webhook, and one message that doesn't fit into an item.
async fn receive_many(app: &TestApp, from: &str, count: usize) {
    let mut messages: Vec<Value> =
        (0..count).map(|n| text_message(&format!("wamid.{from}.{n}"), from, &format!("text {n}"))).collect();
    let mut long = text_message(&format!("wamid.{from}.long"), from, "long");
    long["type"] = json!("story");
    long["story"] = json!({"text": "x".repeat(400_000)});
    messages.push(long);
    app.deliver_messages(&Value::Array(messages)).await;
}

/// Repeats an erasure request until the erasure is complete.
async fn erase_completely(app: &TestApp, path: &str) {
    let mut response = app.delete(path).await;
    while response.status == 202 {
        assert_eq!(response.json["erasure"]["complete"], false);
        response = app.delete(path).await;
    }
    assert_eq!((response.status, &response.json["erasure"]["complete"]), (200, &json!(true)), "{}", response.json);
}

async fn chat_of(app: &TestApp, session_id: &str, name: &str) -> Value {
    let response = app.get(&format!("/api/chats?sessionId={session_id}&limit=100")).await;
    let chats = response.json["chats"].as_array().unwrap().clone();
    chats.into_iter().find(|chat| chat["name"] == name).unwrap_or_else(|| panic!("no chat {name}: {}", response.json))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chat_is_exported_and_erased_completely() {
    let (app, session_id) = TestApp::connected().await;
    receive_many(&app, "201007654321", 3).await;
    let others = personal_items(&app).await.len();
    receive_many(&app, "201001234567", 1_100).await;
    app.inbound(&json!({"from": "201001234567", "text": "today"})).await;
    let body = json!({"sessionId": session_id, "to": "201001234567", "message": "ours"});
    let headers = [("Idempotency-Key", "key")];
    let sent = app.request("POST", "/api/messages/send", &headers, body.to_string().into_bytes()).await;
    assert_eq!(sent.status, 200, "{}", sent.json);
    app.wait_for_status("read").await;
    let chat = chat_of(&app, &session_id, "+201001234567").await;
    let path = format!("/api/chats/{}", chat["id"].as_str().unwrap());

    let mut exported = Vec::new();
    for page in app.pages(&format!("{path}/export?")).await {
        assert_eq!(page["chat"], chat);
        assert!(page["identities"].as_array().unwrap().contains(&json!("phone:201001234567")));
        exported.extend(page["messages"].as_array().unwrap().clone());
    }
    assert_eq!(exported.len(), 1_103);
    let raw = |body: &str| exported.iter().find(|message| message["body"] == body).unwrap()["raw"].clone();
    assert_eq!(raw("text 7")["id"], "wamid.201001234567.7");
    assert_eq!(raw("ours"), Value::Null);
    let long = exported.iter().find(|message| message["type"] == "unsupported").unwrap();
    assert_eq!(long["raw"]["story"]["text"].as_str().unwrap().len(), 400_000);

    // After a failure of the table, the next request continues the erasure.
    app.inject_function_fault("chat", "BatchWriteItem", Fault::InternalServerError, 30);
    assert_eq!(app.delete(&path).await.status, 503);
    app.clear_injected_faults();
    assert_eq!(app.get(&path).await.status, 404);
    erase_completely(&app, &path).await;
    let left = personal_items(&app).await;
    assert_eq!(left.len(), others, "{left:#?}");
    assert!(left.iter().all(|item| !item.to_string().contains("201001234567")), "{left:#?}");

    // A contact who writes again gets a new chat, which the final pass keeps.
    receive_many(&app, "201001234567", 2).await;
    run_final_pass(&app).await;
    let chat = chat_of(&app, &session_id, "+201001234567").await;
    assert_eq!(chat["unread_count"], 3);
    let messages = app.get(&format!("{path}/messages")).await.json["messages"].as_array().unwrap().len();
    assert_eq!(messages, 3);

    // Erasing a chat also erases a chat that was merged into it.
    for identifiers in [json!({"from_user_id": "EG.7"}), json!({"from_user_id": "EG.7", "from": "201001234567"})] {
        let mut message = text_message(&format!("wamid.{identifiers}"), "", "it is me");
        message.as_object_mut().unwrap().remove("from");
        app.deliver_messages(&json!([merge(message, &identifiers)])).await;
    }
    assert_eq!(app.items("chat").await.iter().filter(|chat| chat["merged_into"].is_string()).count(), 1);
    erase_completely(&app, &path).await;
    assert_eq!(personal_items(&app).await.len(), others);
    assert_eq!(app.delete("/api/chats/0192b3a4-5c6d-5e8f-9012-3456789abcde").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_is_erased_completely_and_can_be_created_again() {
    let (app, session_id) = TestApp::connected().await;
    let messages: Vec<Value> =
        (0..120).map(|n| text_message(&format!("wamid.{n}"), &format!("2010{n:08}"), "hello")).collect();
    app.deliver_messages(&json!(messages)).await;
    let path = format!("/api/session?sessionId={session_id}");
    erase_completely(&app, &path).await;
    assert_eq!(personal_items(&app).await, Vec::<Value>::new());
    assert_eq!((app.items("session").await.len(), app.items("number").await.len()), (0, 0));
    assert_eq!(app.get(&format!("/api/session/status?sessionId={session_id}")).await.status, 404);
    assert_eq!(app.get(&format!("/api/chats?sessionId={session_id}")).await.status, 404);

    // A new session of the owner has the same id, and keeps its new messages.
    assert_eq!(app.connect("ada").await, session_id);
    app.inbound(&json!({"from": "201000000007", "text": "again"})).await;
    run_final_pass(&app).await;
    assert_eq!(chat_of(&app, &session_id, "+201000000007").await["last_message"], "again");
    assert_eq!((app.items("session").await.len(), app.items("message").await.len()), (1, 1));
}

const PAST: &str = "2026-01-01T00:00:00.000Z";
const FUTURE: &str = "2099-01-01T00:00:00.000Z";

/// Stores a failed delivery of a change to a webhook.
async fn put_delivery(app: &TestApp, pk: &str, sequence: u64, appended_at: &str) {
    let sk = format!("DELIVERY#00000000-0000-7000-8000-000000000001#{sequence:016}");
    app.put_item(&[("pk", pk), ("sk", &sk), ("entity", "webhook_delivery"), ("appended_at", appended_at)]).await;
}

/// Returns when the changes of the stored deliveries were appended.
async fn deliveries(app: &TestApp) -> Vec<Value> {
    app.items("webhook_delivery").await.iter().map(|item| item["appended_at"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasure_of_a_chat_includes_its_failed_deliveries() {
    let (app, session_id) = TestApp::connected().await;
    app.inbound(&json!({"from": "201001234567", "text": "hello"})).await;
    let chat_id = chat_of(&app, &session_id, "+201001234567").await["id"].as_str().unwrap().to_owned();
    // A message that is stored after the request stays, and with it everything else that is later.
    let message = app.items("message").await.remove(0);
    app.set_item_attribute(&message, "received_at", FUTURE).await;
    put_delivery(&app, &format!("CHAT#{chat_id}"), 1, PAST).await;
    put_delivery(&app, &format!("CHAT#{chat_id}"), 2, FUTURE).await;
    erase_completely(&app, &format!("/api/chats/{chat_id}")).await;
    assert_eq!(deliveries(&app).await, [FUTURE]);
    assert_eq!(app.items("message").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasure_of_a_session_includes_its_webhooks() {
    let (app, session_id) = TestApp::connected().await;
    let url = "http://127.0.0.1:1/";
    for _ in 0..10 {
        app.create_webhook(&json!({"sessionId": session_id, "url": url, "enabled": false})).await;
    }
    let for_all = app.create_webhook(&json!({"url": url, "enabled": false})).await["webhook"]["id"].clone();
    for webhook in app.items("webhook").await {
        let pk = format!("WEBHOOK#{}", webhook["id"].as_str().unwrap());
        let sk = "CURSOR#00000000-0000-5000-8000-000000000000";
        app.put_item(&[("pk", &pk), ("sk", sk), ("entity", "cursor_of_test")]).await;
    }
    let pk = format!("CHANGES#{session_id}");
    put_delivery(&app, &pk, 1, PAST).await;
    // A change that is appended after the erasure would keep the log until the final pass.
    app.wait_for_change(&session_id, "the connection", |change| change["type"] == "session.connected").await;
    erase_completely(&app, &format!("/api/session?sessionId={session_id}")).await;
    let webhooks: Vec<Value> = app.items("webhook").await.iter().map(|webhook| webhook["id"].clone()).collect();
    assert_eq!(webhooks, std::slice::from_ref(&for_all));
    let cursors: Vec<Value> = app.items("cursor_of_test").await.iter().map(|cursor| cursor["pk"].clone()).collect();
    assert_eq!(cursors, [json!(format!("WEBHOOK#{}", for_all.as_str().unwrap()))]);
    assert_eq!(deliveries(&app).await, Vec::<Value>::new());
    let log = app.item(&pk, "SEQUENCE").await;
    assert_eq!(log["webhook_count"]["N"], "0", "{log}");
    assert!(log["expires_at"]["N"].as_str().is_some(), "{log}");

    // A new session can have as many webhooks again, and continues the numbers of the log.
    assert_eq!(app.create_session("ada").await["id"], json!(session_id));
    for _ in 0..10 {
        app.create_webhook(&json!({"sessionId": session_id, "url": url, "enabled": false})).await;
    }
    let log = app.item(&pk, "SEQUENCE").await;
    assert_eq!((&log["webhook_count"]["N"], &log["expires_at"]), (&json!("10"), &Value::Null), "{log}");
    run_final_pass(&app).await;
    assert_eq!(app.items("webhook").await.len(), 11, "the webhooks of the new session stay");
    assert_eq!(app.item(&pk, "SEQUENCE").await["expires_at"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_owner_of_a_number_sees_nothing_from_before_and_keeps_their_events() {
    let app = TestApp::start().await;
    let unreadable = |wamid: &str| json!([{"id": wamid, "timestamp": "1"}]);
    app.deliver_messages(&json!([text_message("w.before", "201001234567", "hi")])).await;
    let ada = app.connect("ada").await;
    app.deliver_messages(&unreadable("w.adas")).await;
    erase_completely(&app, &format!("/api/session?sessionId={ada}")).await;
    app.deliver_messages(&unreadable("w.between")).await;

    let number = format!("/api/numbers/{}", app.ready.phone_number_id);
    let body = json!({"displayPhoneNumber": app.ready.display_phone_number, "ownerId": "grace"});
    assert_eq!(app.put(&number, &body).await.status, 200);
    app.end_handover().await;
    let grace = app.connect("grace").await;
    app.deliver_messages(&unreadable("w.after")).await;
    let (_, key) = app.create_key("grace", &["messages:read"]).await;
    let events = async || {
        let response = app.with_key(&key, "GET", &format!("/api/events?sessionId={grace}"), &Value::Null).await;
        let events = response.json["events"].as_array().unwrap().clone();
        events.iter().map(|event| event["wamid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(events().await, ["w.after"]);
    for (wamid, of_grace, of_admin) in
        [("w.before", 404, 200), ("w.adas", 404, 404), ("w.between", 404, 200), ("w.after", 200, 200)]
    {
        let path = format!("/api/messages/{wamid}");
        assert_eq!(app.with_key(&key, "GET", &path, &Value::Null).await.status, of_grace, "{wamid}");
        assert_eq!(app.get(&path).await.status, of_admin, "{wamid}");
    }
    // The final pass of the former owner's erasure.
    run_final_pass(&app).await;
    assert_eq!(events().await, ["w.after"]);
    assert_eq!(app.get("/api/messages/w.between").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_items_expire_after_the_retention_period() {
    let app = TestApp::start_with(&[("RetentionDays", "30")]).await;
    let session_id = app.connect("ada").await;
    let now = now();
    app.inbound(&json!({"from": "201001234567", "text": "hello", "timestamp": now.to_string()})).await;
    let days = 30 * 24 * 60 * 60;
    assert_eq!(app.items("message").await[0]["expires_at"], now + days);
    assert_eq!(app.items("chat").await[0]["expires_at"], now + days);
    app.send(&session_id, "+201001234567", "hello").await;
    let sent = app.wait_for_message("the sent message", |_| true).await;
    assert!(sent["expires_at"].as_i64().unwrap() >= now + days);
    assert_eq!(app.items("chat").await[0]["expires_at"], sent["expires_at"]);
}
