//! A linked-device worker: it pairs, takes messages, says what became of them, and hands in what it receives.

use std::collections::HashSet;

use local::database::Fault;
use serde_json::{Value, json};

use crate::system::{Answer, System};

async fn put(system: &System, path: &str, body: &Value) -> Answer {
    system.request("PUT", path, &[], body.to_string().into_bytes()).await
}

async fn set_state(system: &System, session_id: &str, is_connected: bool) -> Answer {
    let body = json!({"sessionId": session_id, "isConnected": is_connected, "isReady": is_connected});
    put(system, "/api/session/state", &body).await
}

/// A new session, paired by a worker; its id.
async fn connect(system: &System, owner: &str) -> String {
    let session = system.create(owner).await;
    let session_id = session["id"].as_str().unwrap().to_owned();
    let answer = set_state(system, &session_id, true).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    session_id
}

/// Sends texts to one person; their ids.
async fn send(system: &System, session_id: &str, to: &str, texts: &[&str]) -> Vec<Value> {
    let mut ids = Vec::new();
    for text in texts {
        let answer = system.send(session_id, to, text).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        ids.push(answer.json["message"]["id"].clone());
    }
    ids
}

async fn claim(system: &System, session_id: &str, limit: u32) -> Vec<Value> {
    let body = json!({"sessionId": session_id, "limit": limit, "leaseSeconds": 600});
    let answer = system.post("/api/outbox/claim", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    answer.json["messages"].as_array().unwrap().clone()
}

async fn settle(system: &System, claimed: &Value, outcome: Value) -> Answer {
    let mut body = json!({"messageId": claimed["id"], "lease": claimed["lease"]});
    body.as_object_mut().unwrap().extend(outcome.as_object().unwrap().clone());
    system.post("/api/outbox/settle", &body).await
}

async fn row(system: &System, id: &Value) -> Value {
    system.items("message").await.into_iter().find(|row| row["id"] == *id).unwrap()
}

/// Changes a message as time would.
async fn set(system: &System, id: &Value, attribute: &str, value: &str) {
    let row = row(system, id).await;
    system.set_string(row["pk"].as_str().unwrap(), row["sk"].as_str().unwrap(), attribute, value).await;
}

async fn set_policy(system: &System, session_id: &str, policy: &str) {
    system.set_string(&format!("SESSION#{session_id}"), "SESSION", "unknown_policy", policy).await;
}

fn ids(messages: &[Value]) -> Vec<Value> {
    messages.iter().map(|message| message["id"].clone()).collect()
}

const LONG_AGO: &str = "2020-01-01T00:00:00.000Z";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_pairs_a_session_with_a_code_of_its_own() {
    let system = System::start().await;
    let created = system.create("ada").await;
    let id = created["id"].as_str().unwrap();
    let code = json!({"sessionId": id, "qr": "2@abc,def,ghi==", "expiresInSeconds": 20});
    let answer = put(&system, "/api/session/qr", &code).await;
    assert_eq!((answer.status, &answer.json["session"]["qr"]), (200, &json!("2@abc,def,ghi==")));
    let shown = system.get(&format!("/api/qr?sessionId={id}")).await;
    assert_eq!(shown.json["qr"], "2@abc,def,ghi==");
    // The code of the deployment's own number is dead.
    system.scan(created["qr"].as_str().unwrap(), "201009999999").await;
    let status = system.get(&format!("/api/session/status?sessionId={id}")).await;
    assert_eq!(status.json["session"]["is_connected"], false);

    // An expired code is the worker's to replace.
    system.set_string(&format!("SESSION#{id}"), "SESSION", "qr_expires_at", LONG_AGO).await;
    for _ in 0..2 {
        assert_eq!(system.get(&format!("/api/qr?sessionId={id}")).await.json["expired"], true);
    }
    let next = json!({"sessionId": id, "qr": "2@next", "expiresInSeconds": 3600});
    assert_eq!(put(&system, "/api/session/qr", &next).await.status, 200);

    let connected = set_state(&system, id, true).await.json["session"].clone();
    assert_eq!((&connected["is_connected"], &connected["is_ready"]), (&json!(true), &json!(true)));
    assert_eq!((&connected["qr"], &connected["qr_expires_at"]), (&Value::Null, &Value::Null));
    assert_eq!(connected["phone_number_id"], format!("worker:{id}"));
    let late = put(&system, "/api/session/qr", &next).await;
    assert_eq!(late.status, 409, "a code that comes after its scan");
    assert!(late.json["error"].as_str().unwrap().starts_with("Session is connected"));

    // The worker is away: the session stays paired, and takes messages.
    let away = set_state(&system, id, false).await.json["session"].clone();
    assert_eq!((&away["is_connected"], &away["phone_number_id"]), (&json!(false), &json!(format!("worker:{id}"))));
    assert_eq!(system.send(id, "+201001234567", "hello").await.status, 200);
    assert_eq!(put(&system, "/api/session/qr", &next).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_the_cloud_api_is_not_a_workers() {
    let system = System::start().await;
    let id = system.connect("ada").await;
    let before = system.items("session").await;
    let answers = [
        put(&system, "/api/session/qr", &json!({"sessionId": id, "qr": "2@abc", "expiresInSeconds": 20})).await,
        set_state(&system, &id, false).await,
        system.post("/api/outbox/claim", &json!({"sessionId": id})).await,
        system
            .post("/api/messages/receive", &json!({"sessionId": id, "id": "x", "from": "201001234567", "timestamp": 1}))
            .await,
    ];
    for answer in answers {
        assert_eq!(answer.status, 409);
        assert!(answer.json["error"].as_str().unwrap().contains("Cloud API"), "{}", answer.json);
    }
    assert_eq!(system.items("session").await, before);
    let unpaired = system.create("bob").await;
    let answer = system.post("/api/outbox/claim", &json!({"sessionId": unpaired["id"]})).await;
    assert_eq!(answer.status, 409);
    assert!(answer.json["error"].as_str().unwrap().contains("PUT /api/session/qr"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_goes_out_through_a_worker() {
    let system = System::start().await;
    let session_id = connect(&system, "ada").await;
    send(&system, &session_id, "+20 100 123 4567", &["hello"]).await;
    let claimed = claim(&system, &session_id, 10).await;
    let [message] = &claimed[..] else { panic!("{claimed:#?}") };
    assert_eq!((&message["status"], &message["body"]), (&json!("sending"), &json!("hello")));
    assert_eq!(message["to"], "201001234567");
    assert_eq!(message["content"], json!({"type": "text", "text": {"body": "hello"}}));
    assert!(message["lease"].is_string() && message["lease_until"].is_string());
    assert!(claim(&system, &session_id, 10).await.is_empty(), "it is out");

    let settled = settle(&system, message, json!({"sent": {"id": "3EB0"}})).await;
    assert_eq!(settled.status, 200, "{}", settled.json);
    assert_eq!(
        (&settled.json["message"]["status"], &settled.json["message"]["wamid"]),
        (&json!("sent"), &json!("3EB0"))
    );
    let stored = row(&system, &message["id"]).await;
    assert_eq!(stored["wamid_key"], format!("worker:{session_id}#3EB0"));
    assert_eq!(stored["attempts"][0]["outcome"], "accepted");
    for done in ["due_key", "due_at", "lease", "lease_until", "error"] {
        assert!(stored.get(done).is_none(), "{done} is left over");
    }
    // The worker did not hear the answer.
    let again = settle(&system, message, json!({"sent": {"id": "3EB0"}})).await;
    assert_eq!((again.status, again.json), (200, settled.json));
    assert_eq!(row(&system, &message["id"]).await, stored);
    for other in [json!({"sent": {"id": "3EB1"}}), json!({"failed": {"reason": "no"}})] {
        assert_eq!(settle(&system, message, other).await.status, 409);
    }
    assert_eq!(row(&system, &message["id"]).await, stored);
    assert!(system.accepted().await.is_empty(), "nothing went over the Cloud API");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_told_and_only_by_who_has_the_lease() {
    let system = System::start().await;
    let session_id = connect(&system, "ada").await;
    send(&system, &session_id, "+201001234567", &["hello"]).await;
    let message = claim(&system, &session_id, 1).await.remove(0);
    let mut wrong = message.clone();
    wrong["lease"] = json!("7d9f2c1e-4b3a-4f5e-8a6b-0c1d2e3f4a5b");
    let refused = settle(&system, &wrong, json!({"failed": {"reason": "not on WhatsApp"}})).await;
    assert_eq!(refused.status, 409);
    assert!(refused.json["error"].as_str().unwrap().starts_with("The lease is not the message's own"));
    // Committed, and the answer lost: the repeated write finds itself.
    system.function_table_fails("outbox-settle", "UpdateItem", Fault::ConnectionLostAfterCommit, 1);
    let settled = settle(&system, &message, json!({"failed": {"reason": "not on WhatsApp"}})).await;
    assert_eq!(settled.status, 200, "{}", settled.json);
    assert_eq!(settled.json["message"]["error"], "not on WhatsApp");
    let stored = row(&system, &message["id"]).await;
    assert_eq!((&stored["status"], &stored["attempts"].as_array().unwrap().len()), (&json!("failed"), &1));
    assert!(stored["failed_at"].is_string());
    let unknown = json!({"id": "0192b3a4-5c6d-7e8f-9012-3456789abcde", "lease": message["lease"]});
    assert_eq!(settle(&system, &unknown, json!({"sent": {"id": "3EB0"}})).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_claim_at_once_share_the_messages() {
    let system = System::start().await;
    let session_id = connect(&system, "ada").await;
    let mut sent = HashSet::new();
    for person in 0..30 {
        let to = format!("+2010012345{person:02}");
        sent.extend(ids_of(send(&system, &session_id, &to, &["one", "two"]).await));
    }
    system.function_table_fails("outbox-claim", "UpdateItem", Fault::ConnectionLostAfterCommit, 3);
    let mut claimed = Vec::new();
    loop {
        let rounds = futures_util::future::join_all((0..4).map(|_| claim(&system, &session_id, 7))).await;
        let before = claimed.len();
        for message in rounds.into_iter().flatten() {
            assert_eq!(settle(&system, &message, json!({"sent": {"id": message["id"]}})).await.status, 200);
            claimed.extend(ids_of(vec![message["id"].clone()]));
        }
        if claimed.len() == before {
            break;
        }
    }
    assert_eq!(claimed.len(), 60);
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>(), sent);
}

fn ids_of(ids: Vec<Value>) -> Vec<String> {
    ids.into_iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_keeps_its_order_and_others_do_not_wait() {
    let system = System::start().await;
    let session_id = connect(&system, "ada").await;
    let first = send(&system, &session_id, "+201001234567", &["1", "2", "3"]).await;
    let other = send(&system, &session_id, "+201009999999", &["a"]).await;
    let claimed = claim(&system, &session_id, 2).await;
    assert_eq!(ids(&claimed), first[..2]);
    // The third waits for the two that are out.
    assert_eq!(ids(&claim(&system, &session_id, 10).await), other);
    assert_eq!(settle(&system, &claimed[1], json!({"sent": {"id": "2"}})).await.status, 200);
    assert!(claim(&system, &session_id, 10).await.is_empty(), "the first of the chat is still out");
    assert_eq!(settle(&system, &claimed[0], json!({"failed": {"reason": "no"}})).await.status, 200);
    assert_eq!(ids(&claim(&system, &session_id, 10).await), first[2..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_runs_out_fails_the_message() {
    let system = System::start().await;
    let session_id = connect(&system, "ada").await;
    let sent = send(&system, &session_id, "+201001234567", &["1", "2"]).await;
    let lost = claim(&system, &session_id, 1).await.remove(0);
    set(&system, &sent[0], "lease_until", LONG_AGO).await;
    assert_eq!(settle(&system, &lost, json!({"sent": {"id": "1"}})).await.status, 409, "too late");
    assert_eq!(ids(&claim(&system, &session_id, 10).await), sent[1..], "never handed out again");
    let failed = row(&system, &sent[0]).await;
    assert_eq!((&failed["status"], &failed["attempts"][0]["outcome"]), (&json!("failed"), &json!("unanswered")));
    assert!(failed["error"].as_str().unwrap().contains("may have been sent"));
    for done in ["due_key", "due_at", "lease", "lease_until"] {
        assert!(failed.get(done).is_none(), "{done} is left over");
    }
    assert_eq!(settle(&system, &lost, json!({"sent": {"id": "1"}})).await.status, 409);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_runs_out_offers_the_message_again_where_the_policy_says_so() {
    let system = System::start().await;
    let session_id = connect(&system, "ada").await;
    set_policy(&system, &session_id, "resend").await;
    let sent = send(&system, &session_id, "+201001234567", &["1", "2", "3"]).await;
    let lost = claim(&system, &session_id, 2).await;
    assert_eq!(settle(&system, &lost[1], json!({"sent": {"id": "2"}})).await.status, 200);
    set(&system, &sent[0], "lease_until", LONG_AGO).await;
    let again = claim(&system, &session_id, 1).await;
    assert_eq!(ids(&again), sent[..1]);
    assert_ne!(again[0]["lease"], lost[0]["lease"]);
    assert!(
        claim(&system, &session_id, 10).await.is_empty(),
        "the third waits for the first, though the second is sent"
    );
    assert_eq!(settle(&system, &lost[0], json!({"sent": {"id": "old"}})).await.status, 409);
    assert_eq!(settle(&system, &again[0], json!({"sent": {"id": "1"}})).await.status, 200);
    let stored = row(&system, &sent[0]).await;
    let outcomes: Vec<&Value> = stored["attempts"].as_array().unwrap().iter().map(|a| &a["outcome"]).collect();
    assert_eq!(outcomes, [&json!("unanswered"), &json!("accepted")]);
    assert_eq!(ids(&claim(&system, &session_id, 10).await), sent[2..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_past_its_time_is_failed_and_not_handed_out() {
    let system = System::start().await;
    let session_id = connect(&system, "ada").await;
    let sent = send(&system, &session_id, "+201001234567", &["late", "in time"]).await;
    set(&system, &sent[0], "valid_until", LONG_AGO).await;
    assert_eq!(ids(&claim(&system, &session_id, 10).await), sent[1..]);
    let failed = row(&system, &sent[0]).await;
    assert_eq!(failed["status"], "failed");
    assert!(failed["error"].as_str().unwrap().contains("was not sent"));
    assert!(failed["failed_at"].is_string() && failed.get("due_key").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_device_receives_is_stored_once() {
    let system = System::start().await;
    let session_id = connect(&system, "ada").await;
    let text = json!({
        "sessionId": session_id, "id": "3EB0A", "from": "201001234567:3@s.whatsapp.net",
        "timestamp": 1_749_416_383, "name": "Zeina", "text": "مرحبا", "device": {"any": [1, 2]},
    });
    let answers = futures_util::future::join_all((0..10).map(|_| system.post("/api/messages/receive", &text))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:#?}");
    assert_eq!(answers.iter().filter(|answer| answer.json["duplicate"] == false).count(), 1);
    let mut again = text.clone();
    again["timestamp"] = json!("2025-06-08T20:59:43.500Z");
    assert_eq!(system.post("/api/messages/receive", &again).await.json, json!({"success": true, "duplicate": true}));

    let picture = json!({"sessionId": session_id, "id": "3EB0B", "from": "+201001234567", "timestamp": "1749416384", "name": "Zeina", "type": "image", "image": {"url": "…"}});
    assert_eq!(system.post("/api/messages/receive", &picture).await.json, json!({"success": true, "duplicate": false}));
    let group = json!({"sessionId": session_id, "id": "3EB0C", "from": "120363041234567890@g.us", "timestamp": "2025-06-08T20:59:45Z", "name": "Zeina", "type": "text", "text": {"body": "all"}});
    assert_eq!(system.post("/api/messages/receive", &group).await.status, 200);

    let chats = system.items("chat").await;
    assert_eq!(chats.len(), 2);
    let person = chats.iter().find(|chat| chat["type"] == "INDIVIDUAL").unwrap();
    assert_eq!((&person["name"], &person["unread_count"]), (&json!("Zeina"), &json!(2)));
    let rows = system.items("message").await;
    assert_eq!(rows.len(), 3);
    let first = rows.iter().find(|row| row["wamid"] == "3EB0A").unwrap();
    assert_eq!(
        (&first["type"], &first["body"], &first["status"]),
        (&json!("text"), &json!("مرحبا"), &json!("received"))
    );
    assert_eq!(first["timestamp"], "2025-06-08T20:59:43.000Z");
    assert_eq!(serde_json::from_str::<Value>(first["raw"].as_str().unwrap()).unwrap(), text);
    // The answer goes out through the worker, to the same chat.
    let answer = system.send(&session_id, "+201001234567", "أهلا").await;
    assert_eq!(answer.json["chat"]["id"], person["id"]);
    // What the device then shows as sent is not a customer's message.
    let claimed = claim(&system, &session_id, 1).await.remove(0);
    settle(&system, &claimed, json!({"sent": {"id": "3EB0D"}})).await;
    let echo = json!({"sessionId": session_id, "id": "3EB0D", "from": "201001234567", "timestamp": 1_749_416_390, "text": "أهلا"});
    assert_eq!(system.post("/api/messages/receive", &echo).await.json["duplicate"], true);
}
