//! What WhatsApp sends: stored once, durably, before it is answered.

use local::database::Fault;
use serde_json::{Value, json};

use crate::system::{System, text_message};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn meta_can_verify_the_webhook() {
    let system = System::start().await;
    let path = |token: &str| format!("/api/webhook?hub.mode=subscribe&hub.challenge=11%2058&hub.verify_token={token}");
    let answer = system.get(&path(&system.ready.verify_token)).await;
    assert_eq!((answer.status, &answer.bytes[..]), (200, &b"11 58"[..]));
    for bad in [
        path("wrong"),
        path(""),
        format!("/api/webhook?hub.mode=unsubscribe&hub.verify_token={}", system.ready.verify_token),
        "/api/webhook".to_owned(),
        "/api/webhook?hub.mode=%ff&hub.verify_token=%zz".to_owned(),
    ] {
        let answer = system.get(&bad).await;
        assert_eq!((answer.status, &answer.json), (403, &json!({"error": "Verification failed"})), "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_signed_bodies_are_taken() {
    let system = System::start().await;
    system.connect("ada").await;
    let body = system.webhook_body(&json!([text_message("wamid.1", "201001234567", "hi")])).to_string().into_bytes();
    let signature = system.signature(&body);
    let mut other = body.clone();
    other.push(b' ');
    for headers in [
        vec![],
        vec![("X-Hub-Signature-256", "")],
        vec![("X-Hub-Signature-256", "sha256=00")],
        vec![("X-Hub-Signature", signature.as_str())],
    ] {
        assert_eq!(system.request("POST", "/api/webhook", &headers, body.clone()).await.status, 401);
    }
    assert_eq!(system.request("POST", "/api/webhook", &[("X-Hub-Signature-256", &signature)], other).await.status, 401);
    assert!(system.items("message").await.is_empty());

    for bytes in [&b""[..], b"hello", b"{", b"\xff\xfe"] {
        assert_eq!(system.webhook_bytes(bytes.to_vec()).await.status, 400);
    }
    let answer = system.request("POST", "/api/webhook", &[("X-Hub-Signature-256", &signature)], body).await;
    assert_eq!((answer.status, answer.json), (200, json!({"success": true})));
    assert_eq!(system.items("message").await.len(), 1);
    assert_eq!(system.webhook_bytes(vec![b' '; 4 * 1024 * 1024 + 1]).await.status, 413);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customers_message_is_stored_with_its_chat() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let now = jiff::Timestamp::now().as_second();
    system
        .customer(&json!({"from": "201001234567", "name": "Mona", "text": "مرحبا", "timestamp": now.to_string()}))
        .await;
    let chat = system.items("chat").await.remove(0);
    assert_eq!(
        (&chat["session_id"], &chat["name"], &chat["status"]),
        (&json!(session_id), &json!("Mona"), &json!("INBOX"))
    );
    assert_eq!((&chat["is_unread"], &chat["unread_count"]), (&json!(true), &json!(1)));
    assert_eq!(
        (&chat["last_message"], &chat["last_message_at"]),
        (&json!("مرحبا"), &json!(format!("{:.3}", jiff::Timestamp::from_second(now).unwrap())))
    );
    let message = system.items("message").await.remove(0);
    assert_eq!(
        (&message["body"], &message["from_me"], &message["status"]),
        (&json!("مرحبا"), &json!(false), &json!("received"))
    );
    assert_eq!(message["chat_id"], chat["id"]);

    // An answer reads the chat.
    let answer = system.send(&session_id, "+201001234567", "أهلا").await;
    assert_eq!(answer.json["chat"]["id"], chat["id"]);
    assert_eq!(answer.json["chat"]["name"], "Mona");
    assert_eq!(system.items("chat").await[0]["unread_count"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_deliveries_at_once_make_one_message_and_one_unread() {
    let system = System::start().await;
    system.connect("ada").await;
    let body = system.webhook_body(&json!([text_message("wamid.1", "201001234567", "hi")]));
    let answers = futures_util::future::join_all((0..20).map(|_| system.webhook(&body))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(system.items("message").await.len(), 1);
    assert_eq!(system.items("chat").await[0]["unread_count"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_a_thousand_is_stored_whole() {
    let system = System::start().await;
    system.connect("ada").await;
    let messages: Vec<Value> = (0..1000)
        .map(|i| {
            let from = if i % 2 == 0 { "201001234567".to_owned() } else { format!("2010{:08}", i % 100) };
            text_message(&format!("wamid.{i}"), &from, &format!("message {i}"))
        })
        .collect();
    let body = system.webhook_body(&Value::Array(messages));
    assert_eq!(system.webhook(&body).await.status, 200);
    assert_eq!(system.items("message").await.len(), 1000);
    let chats = system.items("chat").await;
    assert_eq!(chats.len(), 51);
    assert_eq!(chats.iter().map(|chat| chat["unread_count"].as_u64().unwrap()).sum::<u64>(), 1000);
    // Delivered again, partly new: only the new one counts.
    let body = system.webhook_body(&json!([
        text_message("wamid.0", "201001234567", "message 0"),
        text_message("wamid.new", "201001234567", "new")
    ]));
    assert_eq!(system.webhook(&body).await.status, 200);
    assert_eq!(system.items("message").await.len(), 1001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_entry_change_and_message_is_handled() {
    let system = System::start().await;
    system.connect("ada").await;
    let value = |id: &str| json!({"metadata": {"phone_number_id": system.ready.phone_number_id}, "messages": [text_message(id, "201001234567", "hi"), {"broken": true}, {"id": format!("{id}.image"), "from": "201001234567", "timestamp": "1749416383", "type": "image", "image": {"id": "7"}}]});
    let change = |id: &str| json!({"field": "messages", "value": value(id)});
    let other = json!({"field": "account_update", "value": {"event": "VERIFIED_ACCOUNT"}});
    let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change("a"), change("b")]}, {"id": "2", "changes": [other, change("c"), 7]}]});
    assert_eq!(system.webhook(&body).await.status, 200);
    let messages = system.items("message").await;
    assert_eq!(messages.len(), 6);
    let image = messages.iter().find(|message| message["wamid"] == "c.image").unwrap();
    assert_eq!(image["type"], "image");
    assert_eq!(serde_json::from_str::<Value>(image["raw"].as_str().unwrap()).unwrap()["image"]["id"], "7");
    let events = system.items("event").await;
    let fields: Vec<&Value> = events.iter().map(|event| &event["field"]).collect();
    assert!(
        fields.contains(&&json!("account_update"))
            && fields.contains(&&json!("change"))
            && fields.contains(&&json!("messages"))
    );
    assert_eq!(system.items("chat").await[0]["unread_count"], 6);
    assert_eq!(system.webhook(&body).await.status, 200);
    assert_eq!((system.items("message").await.len(), system.items("event").await.len()), (6, events.len()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_three_megabytes_is_kept() {
    let system = System::start().await;
    system.connect("ada").await;
    let mut message = text_message("wamid.1", "201001234567", "hi");
    message["type"] = json!("hologram");
    message["hologram"] = json!("é".repeat(1_400_000));
    let body = system.webhook_body(&json!([message, text_message("wamid.2", "201001234567", "small")]));
    assert_eq!(system.webhook(&body).await.status, 200);
    let row = system.items("message").await.into_iter().find(|row| row["wamid"] == "wamid.1").unwrap();
    let mut parts = system.items("raw").await;
    parts.sort_by_key(|part| part["sk"].as_str().map(str::to_owned));
    let mut raw = row["raw"].as_str().unwrap().to_owned();
    parts.iter().for_each(|part| raw.push_str(part["raw"].as_str().unwrap()));
    assert_eq!(serde_json::from_str::<Value>(&raw).unwrap(), message);
    assert_eq!(system.items("message").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_message_does_not_turn_the_chat_back() {
    let system = System::start().await;
    system.connect("ada").await;
    system.customer(&json!({"from": "201001234567", "text": "new", "timestamp": "1749416383"})).await;
    system.customer(&json!({"from": "201001234567", "text": "old", "timestamp": "1749416000"})).await;
    let chat = system.items("chat").await.remove(0);
    assert_eq!((&chat["last_message"], &chat["unread_count"]), (&json!("new"), &json!(2)));
    assert_eq!(chat["last_message_at"], "2025-06-08T20:59:43.000Z");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_and_a_user_id_of_one_person_are_one_chat() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    system.customer(&json!({"from": "201001234567", "fromUserId": "EG.77", "text": "both"})).await;
    system.faults(&json!({"webhooks": {"bsuidOnly": true}})).await;
    system.customer(&json!({"from": "201001234567", "fromUserId": "EG.77", "text": "user id alone"})).await;
    system.clear_faults().await;
    system.send(&session_id, "EG.77", "to the user id").await;
    system.send(&session_id, "+201001234567", "to the number").await;
    assert_eq!(system.items("chat").await.len(), 1);
    assert_eq!(system.items("message").await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_for_a_number_without_a_session_are_kept_and_counted() {
    let system = System::start().await;
    let body = system.webhook_body(&json!([text_message("wamid.1", "201001234567", "hi")]));
    for _ in 0..2 {
        assert_eq!(system.webhook(&body).await.status, 200);
    }
    let kept = system.items("unowned_message").await;
    assert_eq!((kept.len(), &kept[0]["wamid"]), (1, &json!("wamid.1")));
    let answer = system.get("/api/messages/wamid.1").await;
    assert_eq!((answer.status, &answer.json["trace"][0]["outcome"]), (200, &json!("no_session")));
    assert!(system.items("chat").await.is_empty());
    system
        .until("the count is logged", async || system.lines().iter().any(|line| line.contains("UnownedMessages")))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_without_a_message_waits_for_it() {
    let system = System::start().await;
    system.connect("ada").await;
    let status =
        json!({"id": "wamid.other", "status": "delivered", "timestamp": "1749416383", "recipient_id": "201001234567"});
    let value = json!({"metadata": {"phone_number_id": system.ready.phone_number_id}, "statuses": [status]});
    let body = json!({"entry": [{"changes": [{"field": "messages", "value": value}]}]});
    for _ in 0..2 {
        assert_eq!(system.webhook(&body).await.status, 200);
    }
    let parked = system.items("parked_status").await;
    assert_eq!((parked.len(), &parked[0]["receipt"]), (1, &json!("delivered")));
    assert!(parked[0]["expires_at"].is_number());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_table_makes_whatsapp_send_again_and_nothing_doubles() {
    let system = System::start().await;
    system.connect("ada").await;
    let messages: Vec<Value> =
        (0..5).map(|i| text_message(&format!("wamid.{i}"), &format!("20100123456{i}"), "hi")).collect();
    let body = system.webhook_body(&Value::Array(messages));
    // The SDK tries three times; the writes of one message fail for good.
    system.function_table_fails("webhook", "TransactWriteItems", Fault::InternalServerError, 15);
    assert_eq!(system.webhook(&body).await.status, 503);
    system.clear_table_faults();
    // Committed, and the answer lost: the repeated transaction changes nothing.
    system.function_table_fails("webhook", "TransactWriteItems", Fault::ConnectionLostAfterCommit, 2);
    assert_eq!(system.webhook(&body).await.status, 200);
    assert_eq!(system.webhook(&body).await.status, 200);
    assert_eq!(system.items("message").await.len(), 5);
    assert!(system.items("chat").await.iter().all(|chat| chat["unread_count"] == 1));
}
