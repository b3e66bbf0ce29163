//! Outbound messages: storing, delivery, and the statuses that WhatsApp reports.

use futures_util::future::join_all;
use local::database::Fault;
use serde_json::{Value, json};

use crate::test_app::{TestApp, is_uuid};

/// A text of 300 characters.
const ARABIC: &str = "السلام عليكم، أريد أن أسأل عن طلبي، هل تم شحنه أم لا يزال في المستودع؟ لقد انتظرت منذ يوم الاثنين ولم \
    يصلني أي إشعار من شركة التوصيل حتى الآن. أرجو التأكد من العنوان ورقم الهاتف لأنني غيرت رقمي الأسبوع الماضي. كما أود \
    أن أعرف إن كان بإمكاني استلام الطلب من الفرع القريب من منزلي، فهذا أسهل بالنسبة لي";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sent_message_gets_its_statuses() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    let response = app.send(&session_id, "+20 100 123 4567", "hello 👋").await;
    assert_eq!(response.status, 200, "{}", response.json);
    let (chat, message) = (&response.json["chat"], &response.json["message"]);
    assert!(is_uuid(&chat["id"]) && is_uuid(&message["id"]));
    for (member, expected) in [
        ("session_id", json!(session_id)),
        ("remote_id", json!("201001234567@s.whatsapp.net")),
        ("phone_jid", json!("201001234567@s.whatsapp.net")),
        ("name", json!("+20 100 123 4567")),
        ("type", json!("INDIVIDUAL")),
        ("status", json!("INBOX")),
        ("is_unread", json!(false)),
        ("unread_count", json!(0)),
        ("last_message", json!("hello 👋")),
        ("last_message_at", message["timestamp"].clone()),
    ] {
        assert_eq!(chat[member], expected, "{member}");
    }
    for (member, expected) in [
        ("chat_id", chat["id"].clone()),
        ("body", json!("hello 👋")),
        ("type", json!("text")),
        ("from_me", json!(true)),
        ("is_sent", json!(false)),
        ("status", json!("pending")),
        ("wamid", Value::Null),
        ("error", Value::Null),
    ] {
        assert_eq!(message[member], expected, "{member}");
    }

    let item = app.wait_for_status("read").await;
    assert_eq!(item["id"], message["id"]);
    for time in ["accepted_at", "delivered_at", "read_at"] {
        assert!(item[time].is_string(), "{time} is missing");
    }
    for attribute in ["due_key", "due_at", "lease", "lease_until", "error"] {
        assert!(item.get(attribute).is_none(), "{attribute} is removed");
    }
    let accepted = app.accepted().await;
    assert_eq!((accepted.len(), &accepted[0]["id"]), (1, &item["wamid"]));
    assert_eq!(accepted[0]["body"]["to"], "+201001234567");
    assert_eq!(accepted[0]["body"]["text"]["body"], "hello 👋");
}

/// DynamoDB bills every write of an item by its started kilobytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_message_of_300_arabic_characters_and_its_chat_fit_into_a_kilobyte() {
    let (app, session_id) = TestApp::connected().await;
    app.inbound(&json!({"from": "201001234567", "name": "نادية حداد", "text": ARABIC})).await;
    app.send(&session_id, "+201001234567", "مرحبا").await;
    app.send(&session_id, "+201001234567", ARABIC).await;
    let is_read = |item: &Value| item["body"] == ARABIC && item["status"] == "read";
    let sent = app.wait_for_message("the read message", is_read).await;
    let chat = app.items("chat").await.remove(0);
    let sizes = (app.item_size(&sent).await, app.item_size(&chat).await);
    assert!(sizes.0 <= 1024 && sizes.1 <= 1024, "{sizes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_sends_to_five_spellings_make_one_chat() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    let spellings =
        ["+20 100 123 4567", "201001234567", "201001234567@s.whatsapp.net", "00201001234567", "+20-(100)-123.4567"];
    let sends = (0..20).map(|i| (spellings[i % 5], format!("message {i}")));
    let sends = sends.map(async |(to, text)| app.send(&session_id, to, &text).await);
    let responses = join_all(sends).await;
    assert!(responses.iter().all(|response| response.status == 200), "{responses:#?}");
    let chats = app.items("chat").await;
    assert_eq!(chats.len(), 1);
    for response in &responses {
        for member in ["id", "name", "created_at"] {
            assert_eq!(response.json["chat"][member], chats[0][member], "every response shows the stored {member}");
        }
    }
    assert_eq!(app.items("message").await.len(), 20);
    assert_eq!(app.accepted_texts(20).await.len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brazilian_ninth_digit_makes_no_second_chat() {
    let (app, session_id) = TestApp::connected().await;
    app.inbound(&json!({"from": "553199998888", "name": "Bia", "text": "oi"})).await;
    let response = app.send(&session_id, "+55 31 99999-8888", "olá").await;
    assert_eq!(response.json["chat"]["name"], "Bia");
    assert_eq!(app.items("chat").await.len(), 1);
    // The recipient is the number that WhatsApp reported, not the one in the request.
    app.accepted_texts(1).await;
    assert_eq!(app.accepted().await[0]["body"]["to"], "+553199998888");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idempotency_key_sends_once() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    let body = |text: &str| json!({"sessionId": session_id, "to": "+201001234567", "message": text});
    let send = async |key: &str, text: &str| {
        let headers = [("Idempotency-Key", key)];
        app.request("POST", "/api/messages/send", &headers, body(text).to_string().into_bytes()).await
    };
    let responses = join_all((0..20).map(|_| send("order-17", "hello"))).await;
    assert!(responses.iter().all(|response| response.status == 200 && response.json == responses[0].json));
    assert_eq!(app.items("message").await.len(), 1);

    let refused = send("order-17", "other").await;
    assert_eq!(refused.status, 409);
    assert!(refused.json["error"].as_str().unwrap().contains("Idempotency-Key"));
    assert_eq!(send("order-18", "other").await.status, 200);
    for invalid in ["x".repeat(256), "é".to_owned(), String::new()] {
        assert_eq!(send(&invalid, "hello").await.status, 400, "{invalid}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unpaired_session_cannot_send() {
    let app = TestApp::start().await;
    let session = app.create_session("ada").await;
    let response = app.send(session["id"].as_str().unwrap(), "+201001234567", "hello").await;
    assert_eq!(response.status, 409);
    let error = response.json["error"].as_str().unwrap();
    assert!(error.starts_with("Session is not connected"), "{error}");
    assert!(error.contains("/api/qr"), "the error names the way to connect: {error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_in_the_cloud_api_shape_is_accepted() {
    let (app, session_id) = TestApp::connected_with(&["US.13491208655302741918"]).await;
    let body =
        json!({"sessionId": session_id, "to": "US.13491208655302741918", "type": "text", "text": {"body": "hi"}});
    let response = app.post("/api/messages/send", &body).await;
    assert_eq!(response.json["message"]["body"], "hi");
    let chat = &response.json["chat"];
    assert_eq!((&chat["remote_id"], &chat["phone_jid"]), (&json!("US.13491208655302741918"), &Value::Null));
    app.accepted_texts(1).await;
    assert_eq!(app.accepted().await[0]["body"]["recipient"], "US.13491208655302741918");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn send_that_whatsapp_refuses_fails_with_its_error_code() {
    let (app, session_id) = TestApp::connected().await;
    app.set_faults(&json!({"sends": {"errorCode": 131_026, "times": 1}})).await;
    app.send(&session_id, "+201001234567", "hello").await;
    let item = app.wait_for_status("failed").await;
    assert!(item["error"].as_str().unwrap().contains("131026"));
    assert!(app.accepted().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_status_after_acceptance_fails_the_message() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    app.set_faults(&json!({"sends": {"failedStatus": 131_047, "times": 1}})).await;
    app.send(&session_id, "+201001234567", "hello").await;
    let item = app.wait_for_status("failed").await;
    assert!(item["error"].as_str().unwrap().contains("131047"));
    assert!(item["wamid"].is_string() && item["failed_at"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn send_without_response_is_not_repeated_and_its_status_settles_it() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    app.set_faults(&json!({"sends": {"dropAfterAcceptance": true, "times": 1}, "webhooks": {"hold": true}})).await;
    app.send(&session_id, "+201001234567", "hello").await;
    let item = app.wait_for_status("unknown").await;
    assert!(item["error"].is_string());
    app.clear_faults().await;
    let item = app.wait_for_status("read").await;
    let accepted = app.accepted().await;
    assert_eq!((accepted.len(), &accepted[0]["id"]), (1, &item["wamid"]));
    assert!(item.get("error").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statuses_before_the_send_response_are_kept() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    // WhatsApp responds to the send, but settling it fails at first, so the statuses win the race.
    app.inject_function_fault("deliver", "UpdateItem", Fault::ConnectionLostAfterCommit, 2);
    app.set_faults(&json!({"webhooks": {"reorder": true, "duplicates": 2}})).await;
    app.send(&session_id, "+201001234567", "hello").await;
    let item = app
        .wait_for_message("a read message with all its times", |item| {
            item["status"] == "read" && item["accepted_at"].is_string() && item["delivered_at"].is_string()
        })
        .await;
    let accepted = app.accepted().await;
    assert_eq!((accepted.len(), &accepted[0]["id"]), (1, &item["wamid"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_without_callback_data_finds_its_message_by_wamid() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    app.set_faults(&json!({"webhooks": {"withoutCallbackData": true}})).await;
    app.send(&session_id, "+201001234567", "hello").await;
    app.wait_for_status("read").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_a_chat_are_sent_in_order() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    let texts: Vec<String> = (0..20).map(|i| i.to_string()).collect();
    for text in &texts {
        app.send(&session_id, "+201001234567", text).await;
    }
    assert_eq!(app.accepted_texts(20).await, texts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conflicting_transaction_is_retried() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    app.inject_fault("TransactWriteItems", Fault::TransactionConflict, 3);
    assert_eq!(app.send(&session_id, "+201001234567", "hello").await.status, 200);
    assert_eq!(app.items("message").await.len(), 1);
}
