//! A message on its way out, and its ticks on their way back.

use local::database::Fault;
use serde_json::{Value, json};

use crate::system::{System, is_uuid};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_sent_and_its_ticks_come_back() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let body = json!({"sessionId": session_id, "to": "+20 100 123 4567", "message": "hello 👋"});
    let answer = system.post("/api/messages/send", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    let (chat, message) = (&answer.json["chat"], &answer.json["message"]);
    assert!(is_uuid(&chat["id"]) && is_uuid(&message["id"]));
    assert_eq!(chat["session_id"], session_id);
    assert_eq!(chat["remote_id"], "201001234567@s.whatsapp.net");
    assert_eq!(chat["phone_jid"], "201001234567@s.whatsapp.net");
    assert_eq!(chat["name"], "+20 100 123 4567");
    assert_eq!((&chat["type"], &chat["status"]), (&json!("INDIVIDUAL"), &json!("INBOX")));
    assert_eq!((&chat["is_unread"], &chat["unread_count"]), (&json!(false), &json!(0)));
    assert_eq!(chat["last_message"], "hello 👋");
    assert_eq!(chat["last_message_at"], message["timestamp"]);
    assert_eq!(message["chat_id"], chat["id"]);
    assert_eq!((&message["body"], &message["type"]), (&json!("hello 👋"), &json!("text")));
    assert_eq!((&message["from_me"], &message["is_sent"]), (&json!(true), &json!(false)));
    assert_eq!(
        (&message["status"], &message["wamid"], &message["error"]),
        (&json!("pending"), &Value::Null, &Value::Null)
    );

    let row = system.message_with("a read message", |row| row["status"] == "read").await;
    assert_eq!(row["id"], message["id"]);
    for time in ["accepted_at", "sent_at", "delivered_at", "read_at"] {
        assert!(row[time].is_string(), "{time} is missing");
    }
    for done in ["due_key", "due_at", "lease", "lease_until", "error"] {
        assert!(row.get(done).is_none(), "{done} is left over");
    }
    let accepted = system.accepted().await;
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0]["id"], row["wamid"]);
    assert_eq!(accepted[0]["body"]["to"], "+201001234567");
    assert_eq!(accepted[0]["body"]["text"]["body"], "hello 👋");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_concurrent_sends_in_five_spellings_make_one_chat() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let spellings =
        ["+20 100 123 4567", "201001234567", "201001234567@s.whatsapp.net", "00201001234567", "+20-(100)-123.4567"];
    let bodies: Vec<Value> = (0..50)
        .map(|i| json!({"sessionId": session_id, "to": spellings[i % 5], "message": format!("message {i}")}))
        .collect();
    let answers =
        futures_util::future::join_all(bodies.iter().map(|body| system.post("/api/messages/send", body))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let chats = system.items("chat").await;
    assert_eq!(chats.len(), 1);
    for answer in &answers {
        assert_eq!(answer.json["chat"]["id"], chats[0]["id"]);
        assert_eq!(answer.json["chat"]["name"], chats[0]["name"], "every answer shows the row as it is");
        assert_eq!(answer.json["chat"]["created_at"], chats[0]["created_at"]);
    }
    assert_eq!(system.items("message").await.len(), 50);
    system.until("all are accepted", async || system.accepted().await.len() == 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ninth_digit_makes_no_second_chat() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    system.customer(&json!({"from": "553199998888", "name": "Bia", "text": "oi"})).await;
    let answer = system.send(&session_id, "+55 31 99999-8888", "olá").await;
    assert_eq!(answer.json["chat"]["name"], "Bia");
    assert_eq!(system.items("chat").await.len(), 1);
    // It goes where WhatsApp says that she is, not where the caller dialled.
    system.until("it is accepted", async || system.accepted().await.len() == 1).await;
    assert_eq!(system.accepted().await[0]["body"]["to"], "+553199998888");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotency_key_sends_once() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let body = json!({"sessionId": session_id, "to": "+201001234567", "message": "hello"}).to_string().into_bytes();
    let key = [("Idempotency-Key", "order-17")];
    let answers = futures_util::future::join_all(
        (0..20).map(|_| system.request("POST", "/api/messages/send", &key, body.clone())),
    )
    .await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.json == answers[0].json));
    assert_eq!(system.items("message").await.len(), 1);

    let other = json!({"sessionId": session_id, "to": "+201001234567", "message": "other"}).to_string().into_bytes();
    let refused = system.request("POST", "/api/messages/send", &key, other.clone()).await;
    assert_eq!(refused.status, 409);
    assert!(refused.json["error"].as_str().unwrap().contains("Idempotency-Key"));
    let next = system.request("POST", "/api/messages/send", &[("Idempotency-Key", "order-18")], other).await;
    assert_eq!(next.status, 200);
    for bad in ["x".repeat(256), "é".to_owned(), String::new()] {
        let answer = system.request("POST", "/api/messages/send", &[("Idempotency-Key", &bad)], body.clone()).await;
        assert_eq!(answer.status, 400, "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_was_never_paired_cannot_send() {
    let system = System::start().await;
    let session = system.create("ada").await;
    let answer = system.send(session["id"].as_str().unwrap(), "+201001234567", "hello").await;
    assert_eq!(answer.status, 409);
    assert!(answer.json["error"].as_str().unwrap().starts_with("Session is not connected"));
    assert!(answer.json["error"].as_str().unwrap().contains("/api/qr"), "it names the way to connect");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cloud_apis_own_shape_of_a_text_is_taken() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let body =
        json!({"sessionId": session_id, "to": "US.13491208655302741918", "type": "text", "text": {"body": "hi"}});
    let answer = system.post("/api/messages/send", &body).await;
    assert_eq!(answer.json["message"]["body"], "hi");
    assert_eq!(
        (&answer.json["chat"]["remote_id"], &answer.json["chat"]["phone_jid"]),
        (&json!("US.13491208655302741918"), &Value::Null)
    );
    system.until("it is accepted", async || system.accepted().await.len() == 1).await;
    assert_eq!(system.accepted().await[0]["body"]["recipient"], "US.13491208655302741918");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatsapps_refusal_is_told() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    system.faults(&json!({"sends": {"errorCode": 131_026, "times": 1}})).await;
    system.send(&session_id, "+201001234567", "hello").await;
    let row = system.message_with("a failed message", |row| row["status"] == "failed").await;
    assert!(row["error"].as_str().unwrap().contains("131026"));
    assert!(system.accepted().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_that_comes_later_is_told() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    system.faults(&json!({"sends": {"failedStatus": 131_047, "times": 1}})).await;
    system.send(&session_id, "+201001234567", "hello").await;
    let row = system.message_with("a failed message", |row| row["status"] == "failed").await;
    assert!(row["error"].as_str().unwrap().contains("131047"));
    assert!(row["wamid"].is_string() && row["failed_at"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_without_an_answer_is_never_repeated_and_its_status_settles_it() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    system.faults(&json!({"sends": {"dropAfterAcceptance": true, "times": 1}, "webhooks": {"hold": true}})).await;
    system.send(&session_id, "+201001234567", "hello").await;
    let row = system.message_with("a message of unknown fate", |row| row["status"] == "unknown").await;
    assert!(row["error"].is_string());
    system.clear_faults().await;
    let row = system.message_with("a read message", |row| row["status"] == "read").await;
    assert_eq!(system.accepted().await[0]["id"], row["wamid"]);
    assert_eq!(system.accepted().await.len(), 1);
    assert!(row.get("error").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ticks_that_come_before_the_answer_are_not_lost() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    // The send is answered, but settling it fails at first, so the statuses win the race.
    system.function_table_fails("deliver", "UpdateItem", Fault::ConnectionLostAfterCommit, 2);
    system.faults(&json!({"webhooks": {"reorder": true, "duplicates": 2}})).await;
    system.send(&session_id, "+201001234567", "hello").await;
    let row = system
        .message_with("a read message", |row| {
            row["status"] == "read" && row["sent_at"].is_string() && row["delivered_at"].is_string()
        })
        .await;
    assert_eq!(system.accepted().await.len(), 1);
    assert_eq!(system.accepted().await[0]["id"], row["wamid"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ticks_without_our_key_find_their_message_by_its_wamid() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    system.faults(&json!({"webhooks": {"withoutCallbackData": true}})).await;
    system.send(&session_id, "+201001234567", "hello").await;
    system.message_with("a read message", |row| row["status"] == "read").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_a_chat_arrive_in_order() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    for i in 0..20 {
        system.send(&session_id, "+201001234567", &format!("{i}")).await;
    }
    system.until("all are accepted", async || system.accepted().await.len() == 20).await;
    let texts: Vec<Value> =
        system.accepted().await.iter().map(|message| message["body"]["text"]["body"].clone()).collect();
    assert_eq!(texts, (0..20).map(|i| json!(i.to_string())).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conflicting_writers_are_waited_for() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    system.table_fails("TransactWriteItems", Fault::TransactionConflict, 3);
    assert_eq!(system.send(&session_id, "+201001234567", "hello").await.status, 200);
    assert_eq!(system.items("message").await.len(), 1);
}
