//! Looking up one message, and resuming a paused session.

use serde_json::{Value, json};

use crate::test_app::{TestApp, merge, text_message};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outbound_message_is_found_by_id_and_by_wamid() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    let sent = app.send(&session_id, "+201001234567", "hello").await.json["message"].clone();
    let id = sent["id"].as_str().unwrap();
    let pending = app.get(&format!("/api/messages/{id}")).await;
    assert_eq!(pending.status, 200, "{}", pending.json);
    assert_eq!(pending.json["message"]["to"], "201001234567");
    assert_eq!(pending.json["message"]["content"], json!({"type": "text", "text": {"body": "hello"}}));
    assert_eq!(pending.json["message"]["valid_until"], Value::Null);

    let read = app.wait_for_status("read").await;
    let response = app.get(&format!("/api/messages/{id}")).await;
    assert_eq!(response.json["success"], true);
    let message = &response.json["message"];
    assert_eq!((&message["status"], &message["is_sent"]), (&json!("read"), &json!(true)));
    assert_eq!(message["attempts"][0]["outcome"], "accepted");
    assert!(message["statuses"]["sent_at"].is_string());
    for time in ["accepted_at", "delivered_at", "read_at"] {
        assert_eq!(message["statuses"][time], read[time], "{time}");
        assert!(read[time].is_string(), "{time}");
    }
    assert_eq!((&message["statuses"]["played_at"], &message["statuses"]["failed_at"]), (&Value::Null, &Value::Null));

    let wamid = read["wamid"].as_str().unwrap();
    let encoded = wamid.replace('=', "%3D").replace('.', "%2E");
    let by_wamid = [
        format!("/api/messages/{wamid}"),
        format!("/api/messages/{encoded}"),
        format!("/api/messages/{wamid}?sessionId={session_id}"),
        format!("/api/messages/{id}?sessionId={session_id}"),
    ];
    for path in by_wamid {
        assert_eq!(app.get(&path).await.json, response.json, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inbound_message_is_found_by_wamid_within_its_number() {
    let (app, session_id) = TestApp::connected().await;
    let other = app.create_session("bob").await["id"].as_str().unwrap().to_owned();
    app.set_worker_state(&other, true).await;
    // A device's message ids can look like Qasid's ids.
    let wamid = "0192b3a4-5c6d-7e8f-9012-3456789abcde";
    let received =
        json!({"sessionId": other, "id": wamid, "from": "201001234567", "timestamp": 1_749_416_383, "text": "hi"});
    assert_eq!(app.post("/api/messages/receive", &received).await.status, 200);
    let found = app.get(&format!("/api/messages/{wamid}?sessionId={other}")).await;
    assert_eq!((found.status, &found.json["message"]["body"]), (200, &json!("hi")));
    assert_eq!((&found.json["message"]["attempts"], &found.json["message"]["content"]), (&json!([]), &Value::Null));
    let id = found.json["message"]["id"].as_str().unwrap();
    assert_eq!(app.get(&format!("/api/messages/{id}")).await.json, found.json);

    let chat_id = found.json["message"]["chat_id"].as_str().unwrap();
    let not_found = [
        format!("/api/messages/{wamid}"),
        format!("/api/messages/{wamid}?sessionId={session_id}"),
        format!("/api/messages/{id}?sessionId={session_id}"),
        format!("/api/messages/{chat_id}"),
        format!("/api/messages/{other}"),
    ];
    for path in not_found {
        let response = app.get(&path).await;
        assert_eq!((response.status, &response.json["error"]), (404, &json!("Message not found")), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_is_returned_as_received_on_request() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    let sent = app.send(&session_id, "+201001234567", "ours").await.json["message"]["id"].clone();
    let received = text_message("wamid.A", "201001234567", "theirs");
    let too_long = merge(text_message("wamid.B", "201001234567", "long"), &json!({"story": "x".repeat(2_100_000)}));
    let in_parts = merge(text_message("wamid.C", "201001234567", "parts"), &json!({"story": "x".repeat(400_000)}));
    for message in [&received, &too_long, &in_parts] {
        app.deliver_messages(&json!([message])).await;
    }
    let get = async |id: &str, query: &str| app.get(&format!("/api/messages/{id}{query}")).await;
    for (id, raw, is_too_long) in [
        ("wamid.A", &received, false),
        ("wamid.B", &Value::Null, true),
        ("wamid.C", &in_parts, false),
        (sent.as_str().unwrap(), &Value::Null, false),
    ] {
        let without = get(id, "").await.json["message"].clone();
        assert_eq!((&without["raw"], without.get("raw_is_too_long")), (&Value::Null, None), "{id}");
        let mut with = get(id, "?include=raw").await.json["message"].clone();
        assert!(with["raw"] == *raw, "{id}");
        assert_eq!(with["raw_is_too_long"], is_too_long, "{id}");
        // The rest is the same.
        with["raw"] = Value::Null;
        with.as_object_mut().unwrap().retain(|name, _| without.get(name).is_some());
        assert_eq!(with, without, "{id}");
    }
    let refused = get("wamid.A", "?include=everything").await;
    assert_eq!((refused.status, &refused.json["error"]), (400, &json!("include must be one of: raw")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_has_the_id_of_the_request_that_stored_it() {
    let (app, session_id) = TestApp::connected().await;
    let device = app.create_session("bob").await["id"].as_str().unwrap().to_owned();
    app.set_worker_state(&device, true).await;
    let rule = json!({"name": "any", "trigger": {"type": "any"}, "reply": {"message": "automatic"}});
    app.post(&format!("/api/auto-replies?sessionId={session_id}"), &rule).await;

    let now = jiff::Timestamp::now().as_second().to_string();
    let message = merge(text_message("wamid.A", "201001234567", "hi"), &json!({"timestamp": now}));
    let body = app.webhook_body(&json!([message]));
    let webhook = app.webhook(&body).await;
    assert_ne!(app.webhook(&body).await.header("x-request-id"), webhook.header("x-request-id"));
    let reply = app.wait_for_message("the automatic reply", |item| item["body"] == "automatic").await;
    let send = app.send(&session_id, "201001234567", "hello").await;
    let received =
        json!({"sessionId": device, "id": "3EB0", "from": "201001234567", "timestamp": 1_749_416_383, "text": "hi"});
    let receive = app.post("/api/messages/receive", &received).await;

    let sent = send.json["message"]["id"].as_str().unwrap();
    for (id, session_id, response) in
        [("wamid.A", &session_id, &webhook), (sent, &session_id, &send), ("3EB0", &device, &receive)]
    {
        let path = format!("/api/messages/{id}?sessionId={session_id}");
        let message = app.get(&path).await.json["message"].clone();
        assert_eq!(message["request_id"], response.header("x-request-id"), "{id}");
        let chat = format!("/api/chats/{}", message["chat_id"].as_str().unwrap());
        for list in [format!("{chat}/messages"), format!("{chat}/export")] {
            let messages = app.get(&list).await.json["messages"].as_array().unwrap().clone();
            let listed = messages.iter().find(|listed| listed["id"] == message["id"]).unwrap();
            assert_eq!(listed["request_id"], message["request_id"], "{list}");
        }
    }
    assert!(app.has_logged(&["messages received", webhook.header("x-request-id")]));
    // No request stored the automatic reply.
    let reply = app.get(&format!("/api/messages/{}", reply["id"].as_str().unwrap())).await.json["message"].clone();
    assert_eq!((&reply["body"], &reply["request_id"]), (&json!("automatic"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_session_is_resumed_once() {
    let (app, session_id) = TestApp::connected().await;
    let body = json!({"sessionId": session_id});
    let response = app.post("/api/session/resume", &body).await;
    assert_eq!((response.status, &response.json["message"]), (200, &json!("Session was not paused")));
    assert_eq!(response.json["session"]["id"], session_id);

    app.set_session_attribute(&session_id, "paused_reason", "(190) the token has expired").await;
    let status = app.get(&format!("/api/session/status?sessionId={session_id}")).await;
    assert_eq!(status.json["session"]["paused_reason"], "(190) the token has expired");
    let responses = futures_util::future::join_all((0..5).map(|_| app.post("/api/session/resume", &body))).await;
    assert!(responses.iter().all(|response| response.status == 200), "{responses:#?}");
    assert!(responses.iter().all(|response| response.json["session"]["paused_reason"].is_null()));
    assert_eq!(responses.iter().filter(|response| response.json["message"] == "Session resumed").count(), 1);
}
