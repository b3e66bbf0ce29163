//! What became of a message, and what was held up going on.

use serde_json::{Value, json};

use crate::system::System;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outbound_message_is_found_by_our_id_and_by_its_wamid() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let sent = system.send(&session_id, "+201001234567", "hello").await.json["message"].clone();
    let id = sent["id"].as_str().unwrap();
    let pending = system.get(&format!("/api/messages/{id}")).await;
    assert_eq!(pending.status, 200, "{}", pending.json);
    assert_eq!(pending.json["message"]["to"], "201001234567");
    assert_eq!(pending.json["message"]["content"], json!({"type": "text", "text": {"body": "hello"}}));
    assert_eq!(pending.json["message"]["valid_until"], Value::Null);

    let read = system.message_with("a read message", |row| row["status"] == "read").await;
    let answer = system.get(&format!("/api/messages/{id}")).await;
    assert_eq!(answer.json["success"], true);
    let message = &answer.json["message"];
    assert_eq!((&message["status"], &message["is_sent"]), (&json!("read"), &json!(true)));
    assert_eq!(message["attempts"][0]["outcome"], "accepted");
    for time in ["accepted_at", "sent_at", "delivered_at", "read_at"] {
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
        assert_eq!(system.get(&path).await.json, answer.json, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inbound_message_is_found_by_its_wamid_within_its_number() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let other = system.create("bob").await["id"].as_str().unwrap().to_owned();
    let state = json!({"sessionId": other, "isConnected": true, "isReady": true});
    system.request("PUT", "/api/session/state", &[], state.to_string().into_bytes()).await;
    // A device's ids may look like ours.
    let wamid = "0192b3a4-5c6d-7e8f-9012-3456789abcde";
    let received =
        json!({"sessionId": other, "id": wamid, "from": "201001234567", "timestamp": 1_749_416_383, "text": "hi"});
    assert_eq!(system.post("/api/messages/receive", &received).await.status, 200);
    let found = system.get(&format!("/api/messages/{wamid}?sessionId={other}")).await;
    assert_eq!((found.status, &found.json["message"]["body"]), (200, &json!("hi")));
    assert_eq!((&found.json["message"]["attempts"], &found.json["message"]["content"]), (&json!([]), &Value::Null));
    let id = found.json["message"]["id"].as_str().unwrap();
    assert_eq!(system.get(&format!("/api/messages/{id}")).await.json, found.json);

    let chat_id = found.json["message"]["chat_id"].as_str().unwrap();
    let not_there = [
        format!("/api/messages/{wamid}"),
        format!("/api/messages/{wamid}?sessionId={session_id}"),
        format!("/api/messages/{id}?sessionId={session_id}"),
        format!("/api/messages/{chat_id}"),
        format!("/api/messages/{other}"),
    ];
    for path in not_there {
        let answer = system.get(&path).await;
        assert_eq!((answer.status, &answer.json["error"]), (404, &json!("Message not found")), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_session_is_resumed_once() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let body = json!({"sessionId": session_id});
    let answer = system.post("/api/session/resume", &body).await;
    assert_eq!((answer.status, &answer.json["message"]), (200, &json!("Session was not paused")));
    assert_eq!(answer.json["session"]["id"], session_id);

    system
        .set_string(&format!("SESSION#{session_id}"), "SESSION", "paused_reason", "(190) the token has expired")
        .await;
    let status = system.get(&format!("/api/session/status?sessionId={session_id}")).await;
    assert_eq!(status.json["session"]["paused_reason"], "(190) the token has expired");
    let answers = futures_util::future::join_all((0..5).map(|_| system.post("/api/session/resume", &body))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:#?}");
    assert!(answers.iter().all(|answer| answer.json["session"]["paused_reason"].is_null()));
    assert_eq!(answers.iter().filter(|answer| answer.json["message"] == "Session resumed").count(), 1);
}
