//! Exporting, erasing, and forgetting after a time.

use local::database::Fault;
use serde_json::{Value, json};

use crate::system::{Answer, System, text_message};

async fn delete(system: &System, path: &str) -> Answer {
    system.request("DELETE", path, &[], Vec::new()).await
}

/// Every item that says anything of a person.
async fn traces(system: &System) -> Vec<Value> {
    let mut traces = Vec::new();
    for entity in ["chat", "message", "raw", "identity", "idempotency", "parked_status", "parked_effect"] {
        traces.extend(system.items(entity).await);
    }
    traces
}

/// What the schedule does when the time for the last look has come; after it, nothing is left to do.
async fn last_look(system: &System) {
    for attribute in ["due_at", "requested_at"] {
        for order in system.items("erasure").await {
            let pk = order["pk"].as_str().unwrap();
            system.set_string(pk, "ERASE", attribute, "2026-01-01T00:00:00.000Z").await;
            system.set_string(pk, "ERASE", "due_at", "2026-01-01T00:00:00.000Z").await;
        }
        system.running().lambda().invoke("erase", "{}".into()).await.unwrap();
    }
    assert_eq!(system.items("erasure").await, Vec::<Value>::new());
}

/// One customer's texts in one webhook, and one that does not fit into an item.
async fn write_many(system: &System, from: &str, count: usize) {
    let mut messages: Vec<Value> =
        (0..count).map(|n| text_message(&format!("wamid.{from}.{n}"), from, &format!("text {n}"))).collect();
    let mut long = text_message(&format!("wamid.{from}.long"), from, "long");
    long["type"] = json!("story");
    long["story"] = json!({"text": "x".repeat(400_000)});
    messages.push(long);
    let answer = system.webhook(&system.webhook_body(&Value::Array(messages))).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
}

/// Erases something, however often it has to be asked for.
async fn erase_wholly(system: &System, path: &str) {
    let mut answer = delete(system, path).await;
    while answer.status == 202 {
        assert_eq!(answer.json["erasure"]["complete"], false);
        answer = delete(system, path).await;
    }
    assert_eq!((answer.status, &answer.json["erasure"]["complete"]), (200, &json!(true)), "{}", answer.json);
}

async fn chat_of(system: &System, session_id: &str, name: &str) -> Value {
    let answer = system.get(&format!("/api/chats?sessionId={session_id}&limit=100")).await;
    let chats = answer.json["chats"].as_array().unwrap().clone();
    chats.into_iter().find(|chat| chat["name"] == name).unwrap_or_else(|| panic!("no chat {name}: {}", answer.json))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_is_exported_and_erased_with_all_that_belongs_to_it() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    write_many(&system, "201007654321", 3).await;
    let others = traces(&system).await.len();
    write_many(&system, "201001234567", 1_100).await;
    system.customer(&json!({"from": "201001234567", "text": "today"})).await;
    let body = json!({"sessionId": session_id, "to": "201001234567", "message": "ours"});
    let headers = [("Idempotency-Key", "key")];
    let sent = system.request("POST", "/api/messages/send", &headers, body.to_string().into_bytes()).await;
    assert_eq!(sent.status, 200, "{}", sent.json);
    system.message_with("a read message", |row| row["status"] == "read").await;
    let chat = chat_of(&system, &session_id, "+201001234567").await;
    let path = format!("/api/chats/{}", chat["id"].as_str().unwrap());

    let mut exported = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = system.get(&format!("{path}/export?{cursor}")).await;
        assert_eq!((page.status, &page.json["chat"]), (200, &chat), "{}", page.json);
        assert!(page.json["identities"].as_array().unwrap().contains(&json!("phone:201001234567")));
        exported.extend(page.json["messages"].as_array().unwrap().clone());
        match page.json["nextCursor"].as_str() {
            Some(next) => cursor = format!("cursor={next}"),
            None => break,
        }
    }
    assert_eq!(exported.len(), 1_103);
    let raw = |body: &str| exported.iter().find(|message| message["body"] == body).unwrap()["raw"].clone();
    assert_eq!(raw("text 7")["id"], "wamid.201001234567.7");
    assert_eq!(raw("ours"), Value::Null);
    let long = exported.iter().find(|message| message["type"] == "unsupported").unwrap();
    assert_eq!(long["raw"]["story"]["text"].as_str().unwrap().len(), 400_000);

    // A table that fails in between does not end it: asking again goes on.
    system.function_table_fails("chat", "BatchWriteItem", Fault::InternalServerError, 30);
    assert_eq!(delete(&system, &path).await.status, 503);
    system.clear_table_faults();
    assert_eq!(system.get(&path).await.status, 404);
    erase_wholly(&system, &path).await;
    let left = traces(&system).await;
    assert_eq!(left.len(), others, "{left:#?}");
    assert!(left.iter().all(|item| !item.to_string().contains("201001234567")), "{left:#?}");

    // Who writes again begins anew, and a last look takes nothing of it.
    write_many(&system, "201001234567", 2).await;
    last_look(&system).await;
    let chat = chat_of(&system, &session_id, "+201001234567").await;
    assert_eq!(chat["unread_count"], 3);
    let messages = system.get(&format!("{path}/messages")).await.json["messages"].as_array().unwrap().len();
    assert_eq!(messages, 3);

    // And so goes a chat that turned out to be the same person's.
    for forms in [json!({"from_user_id": "EG.7"}), json!({"from_user_id": "EG.7", "from": "201001234567"})] {
        let mut message = text_message(&format!("wamid.{forms}"), "", "it is me");
        message.as_object_mut().unwrap().remove("from");
        message.as_object_mut().unwrap().extend(forms.as_object().unwrap().clone());
        assert_eq!(system.webhook(&system.webhook_body(&json!([message]))).await.status, 200);
    }
    assert_eq!(system.items("chat").await.iter().filter(|chat| chat["merged_into"].is_string()).count(), 1);
    erase_wholly(&system, &path).await;
    assert_eq!(traces(&system).await.len(), others);
    assert_eq!(delete(&system, "/api/chats/0192b3a4-5c6d-5e8f-9012-3456789abcde").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_erased_with_all_that_it_has_and_can_begin_anew() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let messages: Vec<Value> =
        (0..120).map(|n| text_message(&format!("wamid.{n}"), &format!("2010{n:08}"), "hello")).collect();
    assert_eq!(system.webhook(&system.webhook_body(&json!(messages))).await.status, 200);
    let path = format!("/api/session?sessionId={session_id}");
    erase_wholly(&system, &path).await;
    assert_eq!(traces(&system).await, Vec::<Value>::new());
    assert_eq!((system.items("session").await.len(), system.items("number").await.len()), (0, 0));
    assert_eq!(system.get(&format!("/api/session/status?sessionId={session_id}")).await.status, 404);
    assert_eq!(system.get(&format!("/api/chats?sessionId={session_id}")).await.status, 404);

    // The owner begins anew under the same id, and keeps what comes then.
    assert_eq!(system.connect("ada").await, session_id);
    system.customer(&json!({"from": "201000000007", "text": "again"})).await;
    last_look(&system).await;
    assert_eq!(chat_of(&system, &session_id, "+201000000007").await["last_message"], "again");
    assert_eq!((system.items("session").await.len(), system.items("message").await.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_carries_the_time_at_which_it_goes() {
    let system = System::start_with(&[("RetentionDays", "30")]).await;
    let session_id = system.connect("ada").await;
    let now = jiff::Timestamp::now().as_second();
    system.customer(&json!({"from": "201001234567", "text": "hello", "timestamp": now.to_string()})).await;
    let days = 30 * 24 * 60 * 60;
    assert_eq!(system.items("message").await[0]["expires_at"], now + days);
    assert_eq!(system.items("chat").await[0]["expires_at"], now + days);
    system.send(&session_id, "+201001234567", "hello").await;
    let ours = system.message_with("our message", |_| true).await;
    assert!(ours["expires_at"].as_i64().unwrap() >= now + days);
    assert_eq!(system.items("chat").await[0]["expires_at"], ours["expires_at"]);
}
