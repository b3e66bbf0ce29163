//! Inbound webhooks: verified, and stored once before the response.

use local::database::Fault;
use serde_json::{Value, json};

use crate::test_app::{TestApp, merge, now, text_message};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_verification_needs_the_token() {
    let app = TestApp::start().await;
    let path = |token: &str| format!("/api/webhook?hub.mode=subscribe&hub.challenge=11%2058&hub.verify_token={token}");
    let response = app.get(&path(&app.ready.verify_token)).await;
    assert_eq!((response.status, &response.bytes[..]), (200, &b"11 58"[..]));
    for invalid in [
        path("wrong"),
        path(""),
        format!("/api/webhook?hub.mode=unsubscribe&hub.verify_token={}", app.ready.verify_token),
        "/api/webhook".to_owned(),
        "/api/webhook?hub.mode=%ff&hub.verify_token=%zz".to_owned(),
    ] {
        let response = app.get(&invalid).await;
        assert_eq!((response.status, &response.json), (403, &json!({"error": "Verification failed"})), "{invalid}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unsigned_webhook_is_refused() {
    let app = TestApp::start().await;
    app.connect("ada").await;
    let body = app.webhook_body(&json!([text_message("wamid.1", "201001234567", "hi")])).to_string().into_bytes();
    let signature = app.signature(&body);
    let mut other = body.clone();
    other.push(b' ');
    for headers in [
        vec![],
        vec![("X-Hub-Signature-256", "")],
        vec![("X-Hub-Signature-256", "sha256=00")],
        vec![("X-Hub-Signature", signature.as_str())],
    ] {
        assert_eq!(app.request("POST", "/api/webhook", &headers, body.clone()).await.status, 401);
    }
    assert_eq!(app.request("POST", "/api/webhook", &[("X-Hub-Signature-256", &signature)], other).await.status, 401);
    assert!(app.items("message").await.is_empty());

    for bytes in [&b""[..], b"hello", b"{", b"\xff\xfe"] {
        assert_eq!(app.webhook_bytes(bytes.to_vec()).await.status, 400);
    }
    let response = app.request("POST", "/api/webhook", &[("X-Hub-Signature-256", &signature)], body).await;
    assert_eq!((response.status, response.json), (200, json!({"success": true})));
    assert_eq!(app.items("message").await.len(), 1);
    assert_eq!(app.webhook_bytes(vec![b' '; 4 * 1024 * 1024 + 1]).await.status, 413);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inbound_message_is_stored_with_its_chat() {
    let (app, session_id) = TestApp::connected().await;
    let now = now();
    let message = json!({"from": "201001234567", "name": "Mona", "text": "مرحبا", "timestamp": now.to_string()});
    app.inbound(&message).await;
    let chat = app.items("chat").await.remove(0);
    assert_eq!(
        (&chat["session_id"], &chat["profile_name"], &chat["status"]),
        (&json!(session_id), &json!("Mona"), &json!("INBOX"))
    );
    assert_eq!((&chat["is_unread"], &chat["unread_count"]), (&json!(true), &json!(1)));
    assert_eq!(
        (&chat["last_message"], &chat["last_message_at"]),
        (&json!("مرحبا"), &json!(format!("{:.3}", jiff::Timestamp::from_second(now).unwrap())))
    );
    let message = app.items("message").await.remove(0);
    assert_eq!(
        (&message["body"], &message["from_me"], &message["status"]),
        (&json!("مرحبا"), &json!(false), &json!("received"))
    );
    assert_eq!(message["chat_id"], chat["id"]);

    // A reply marks the chat as read.
    let response = app.send(&session_id, "+201001234567", "أهلا").await;
    assert_eq!(response.json["chat"]["id"], chat["id"]);
    assert_eq!(response.json["chat"]["name"], "Mona");
    assert_eq!(app.items("chat").await[0]["unread_count"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicate_webhook_stores_one_message() {
    let app = TestApp::start().await;
    app.connect("ada").await;
    let body = app.webhook_body(&json!([text_message("wamid.1", "201001234567", "hi")]));
    let responses = futures_util::future::join_all((0..20).map(|_| app.webhook(&body))).await;
    assert!(responses.iter().all(|response| response.status == 200));
    assert_eq!(app.items("message").await.len(), 1);
    assert_eq!(app.items("chat").await[0]["unread_count"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_with_a_thousand_messages_is_stored_completely() {
    let app = TestApp::start().await;
    app.connect("ada").await;
    let messages: Vec<Value> = (0..1000)
        .map(|i| {
            let from = if i % 2 == 0 { "201001234567".to_owned() } else { format!("2010{:08}", i % 100) };
            text_message(&format!("wamid.{i}"), &from, &format!("message {i}"))
        })
        .collect();
    let body = app.webhook_body(&Value::Array(messages));
    app.deliver_webhook(&body).await;
    assert_eq!(app.items("message").await.len(), 1000);
    let chats = app.items("chat").await;
    assert_eq!(chats.len(), 51);
    assert_eq!(chats.iter().map(|chat| chat["unread_count"].as_u64().unwrap()).sum::<u64>(), 1000);
    // A second delivery with one new message adds only that one.
    let body = app.webhook_body(&json!([
        text_message("wamid.0", "201001234567", "message 0"),
        text_message("wamid.new", "201001234567", "new")
    ]));
    app.deliver_webhook(&body).await;
    assert_eq!(app.items("message").await.len(), 1001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_part_of_a_webhook_does_not_affect_the_others() {
    let app = TestApp::start().await;
    app.connect("ada").await;
    let change = |id: &str| {
        let image = json!({"from": "201001234567", "timestamp": "1749416383", "type": "image", "image": {"id": "7"}});
        let image = merge(image, &json!({"id": format!("{id}.image")}));
        let messages = json!([text_message(id, "201001234567", "hi"), {"broken": true}, image]);
        app.webhook_body(&messages)["entry"][0]["changes"][0].clone()
    };
    let other = json!({"field": "account_update", "value": {"event": "VERIFIED_ACCOUNT"}});
    let first = json!({"id": "1", "changes": [change("a"), change("b")]});
    let second = json!({"id": "2", "changes": [other, change("c"), 7]});
    let body = json!({"object": "whatsapp_business_account", "entry": [first, second]});
    app.deliver_webhook(&body).await;
    let messages = app.items("message").await;
    assert_eq!(messages.len(), 6);
    let image = messages.iter().find(|message| message["wamid"] == "c.image").unwrap();
    assert_eq!(image["type"], "image");
    assert_eq!(serde_json::from_str::<Value>(image["raw"].as_str().unwrap()).unwrap()["image"]["id"], "7");
    let events = app.items("event").await;
    let fields: Vec<&Value> = events.iter().map(|event| &event["field"]).collect();
    for field in ["account_update", "change", "messages"] {
        assert!(fields.contains(&&json!(field)), "{field}: {fields:?}");
    }
    assert_eq!(app.items("chat").await[0]["unread_count"], 6);
    app.deliver_webhook(&body).await;
    assert_eq!((app.items("message").await.len(), app.items("event").await.len()), (6, events.len()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_of_three_megabytes_is_stored_completely() {
    let app = TestApp::start().await;
    app.connect("ada").await;
    let mut message = text_message("wamid.1", "201001234567", "hi");
    message["type"] = json!("hologram");
    message["hologram"] = json!("é".repeat(1_400_000));
    let body = app.webhook_body(&json!([message, text_message("wamid.2", "201001234567", "small")]));
    assert_eq!(app.webhook(&body).await.status, 200);
    let item = app.items("message").await.into_iter().find(|item| item["wamid"] == "wamid.1").unwrap();
    let mut parts = app.items("raw").await;
    parts.sort_by_key(|part| part["sk"].as_str().map(str::to_owned));
    let mut raw = item["raw"].as_str().unwrap().to_owned();
    parts.iter().for_each(|part| raw.push_str(part["raw"].as_str().unwrap()));
    assert_eq!(serde_json::from_str::<Value>(&raw).unwrap(), message);
    assert_eq!(app.items("message").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_message_keeps_the_newer_last_message() {
    let app = TestApp::start().await;
    app.connect("ada").await;
    app.inbound(&json!({"from": "201001234567", "text": "new", "timestamp": "1749416383"})).await;
    app.inbound(&json!({"from": "201001234567", "text": "old", "timestamp": "1749416000"})).await;
    let chat = app.items("chat").await.remove(0);
    assert_eq!((&chat["last_message"], &chat["unread_count"]), (&json!("new"), &json!(2)));
    assert_eq!(chat["last_message_at"], "2025-06-08T20:59:43.000Z");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phone_number_and_user_id_of_one_contact_share_a_chat() {
    let (app, session_id) = TestApp::connected().await;
    app.inbound(&json!({"from": "201001234567", "fromUserId": "EG.77", "text": "both"})).await;
    app.set_faults(&json!({"webhooks": {"bsuidOnly": true}})).await;
    app.inbound(&json!({"from": "201001234567", "fromUserId": "EG.77", "text": "user id alone"})).await;
    app.clear_faults().await;
    app.send(&session_id, "EG.77", "to the user id").await;
    app.send(&session_id, "+201001234567", "to the number").await;
    assert_eq!(app.items("chat").await.len(), 1);
    assert_eq!(app.items("message").await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_for_an_unlinked_number_is_stored_and_counted() {
    let app = TestApp::start().await;
    let body = app.webhook_body(&json!([text_message("wamid.1", "201001234567", "hi")]));
    for _ in 0..2 {
        app.deliver_webhook(&body).await;
    }
    let unowned = app.items("unowned_message").await;
    assert_eq!((unowned.len(), &unowned[0]["wamid"]), (1, &json!("wamid.1")));
    let response = app.get("/api/messages/wamid.1").await;
    assert_eq!((response.status, &response.json["trace"][0]["outcome"]), (200, &json!("no_session")));
    assert!(app.items("chat").await.is_empty());
    app.wait_until("the count is logged", async || app.has_logged(&["UnownedMessages"])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn early_status_is_stored_until_its_message_arrives() {
    let app = TestApp::start().await;
    app.connect("ada").await;
    let status =
        json!({"id": "wamid.other", "status": "delivered", "timestamp": "1749416383", "recipient_id": "201001234567"});
    let body = app.webhook_field("messages", json!({"statuses": [status]}));
    for _ in 0..2 {
        app.deliver_webhook(&body).await;
    }
    let early = app.items("early_status").await;
    assert_eq!((early.len(), &early[0]["receipt"]), (1, &json!("delivered")));
    assert!(early[0]["expires_at"].is_number());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_retry_after_a_table_failure_stores_no_duplicates() {
    let app = TestApp::start().await;
    app.connect("ada").await;
    let messages: Vec<Value> =
        (0..5).map(|i| text_message(&format!("wamid.{i}"), &format!("20100123456{i}"), "hi")).collect();
    let body = app.webhook_body(&Value::Array(messages));
    // The SDK tries three times, so the writes of one message fail.
    app.inject_function_fault("webhook", "TransactWriteItems", Fault::InternalServerError, 15);
    assert_eq!(app.webhook(&body).await.status, 503);
    app.clear_injected_faults();
    // The transaction commits and its response is lost: the retry changes nothing.
    app.inject_function_fault("webhook", "TransactWriteItems", Fault::ConnectionLostAfterCommit, 2);
    app.deliver_webhook(&body).await;
    app.deliver_webhook(&body).await;
    assert_eq!(app.items("message").await.len(), 5);
    assert!(app.items("chat").await.iter().all(|chat| chat["unread_count"] == 1));
}
