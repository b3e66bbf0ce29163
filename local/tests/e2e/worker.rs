//! Linked-device workers: pairing, claiming and settling messages.

use std::collections::HashSet;

use local::database::Fault;
use serde_json::{Value, json};
use shared::domain::id::MessageId;

use crate::{
    inbox_cost::invoke_measured,
    test_app::{Response, TestApp, merge},
};

const LONG_AGO: &str = "2020-01-01T00:00:00.000Z";

/// Creates a session, pairs it as a worker, and returns its id.
pub async fn connect(app: &TestApp, owner: &str) -> String {
    let session = app.create_session(owner).await;
    let session_id = session["id"].as_str().unwrap().to_owned();
    let response = app.set_worker_state(&session_id, true).await;
    assert_eq!(response.status, 200, "{}", response.json);
    session_id
}

/// Sends texts to one contact, and returns the ids of the messages.
async fn send(app: &TestApp, session_id: &str, to: &str, texts: &[&str]) -> Vec<Value> {
    send_with(app, session_id, to, texts, &json!({})).await
}

async fn send_bulk(app: &TestApp, session_id: &str, to: &str, texts: &[&str]) -> Vec<Value> {
    send_with(app, session_id, to, texts, &json!({"priority": "bulk"})).await
}

async fn send_with(app: &TestApp, session_id: &str, to: &str, texts: &[&str], fields: &Value) -> Vec<Value> {
    let mut ids = Vec::new();
    for text in texts {
        let body = merge(json!({"sessionId": session_id, "to": to, "message": text}), fields);
        let response = app.post("/api/messages/send", &body).await;
        assert_eq!(response.status, 200, "{}", response.json);
        ids.push(response.json["message"]["id"].clone());
    }
    ids
}

pub async fn claim(app: &TestApp, session_id: &str, limit: u32) -> Vec<Value> {
    let body = json!({"sessionId": session_id, "limit": limit, "leaseSeconds": 600});
    let response = app.post("/api/outbox/claim", &body).await;
    assert_eq!(response.status, 200, "{}", response.json);
    response.json["messages"].as_array().unwrap().clone()
}

pub async fn settle(app: &TestApp, claimed: &Value, outcome: Value) -> Response {
    let body = json!({"messageId": claimed["id"], "lease": claimed["lease"]});
    app.post("/api/outbox/settle", &merge(body, &outcome)).await
}

async fn message_item(app: &TestApp, id: &Value) -> Value {
    app.items("message").await.into_iter().find(|item| item["id"] == *id).unwrap()
}

/// Moves a time of a message into the past.
async fn expire(app: &TestApp, id: &Value, attribute: &str) {
    app.set_item_attribute(&message_item(app, id).await, attribute, LONG_AGO).await;
}

fn ids(messages: &[Value]) -> Vec<Value> {
    messages.iter().map(|message| message["id"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_pairs_a_session_with_its_own_code() {
    let app = TestApp::start().await;
    let created = app.create_session("ada").await;
    let id = created["id"].as_str().unwrap();
    let code = json!({"sessionId": id, "qr": "2@abc,def,ghi==", "expiresInSeconds": 20});
    let response = app.put("/api/session/qr", &code).await;
    assert_eq!((response.status, &response.json["session"]["qr"]), (200, &json!("2@abc,def,ghi==")));
    let shown = app.get(&format!("/api/qr?sessionId={id}")).await;
    assert_eq!(shown.json["qr"], "2@abc,def,ghi==");
    // The code of the deployment's number no longer works.
    app.scan(created["qr"].as_str().unwrap(), "201009999999").await;
    let status = app.get(&format!("/api/session/status?sessionId={id}")).await;
    assert_eq!(status.json["session"]["is_connected"], false);

    // Only the worker replaces an expired code.
    app.set_session_attribute(id, "qr_expires_at", LONG_AGO).await;
    for _ in 0..2 {
        assert_eq!(app.get(&format!("/api/qr?sessionId={id}")).await.json["expired"], true);
    }
    let next = json!({"sessionId": id, "qr": "2@next", "expiresInSeconds": 3600});
    assert_eq!(app.put("/api/session/qr", &next).await.status, 200);

    let connected = app.set_worker_state(id, true).await.json["session"].clone();
    assert_eq!((&connected["is_connected"], &connected["is_ready"]), (&json!(true), &json!(true)));
    assert_eq!((&connected["qr"], &connected["qr_expires_at"]), (&Value::Null, &Value::Null));
    assert_eq!(connected["phone_number_id"], format!("worker:{id}"));
    let late = app.put("/api/session/qr", &next).await;
    assert_eq!(late.status, 409, "the session is already connected");
    assert!(late.json["error"].as_str().unwrap().starts_with("Session is connected"));

    // While the worker is disconnected, the session stays paired and accepts messages.
    let disconnected = app.set_worker_state(id, false).await.json["session"].clone();
    assert_eq!(
        (&disconnected["is_connected"], &disconnected["phone_number_id"]),
        (&json!(false), &json!(format!("worker:{id}")))
    );
    assert_eq!(app.send(id, "+201001234567", "hello").await.status, 200);
    assert_eq!(app.put("/api/session/qr", &next).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_cannot_use_a_cloud_api_session() {
    let app = TestApp::start().await;
    let id = app.connect("ada").await;
    let before = app.items("session").await;
    let responses = [
        app.put("/api/session/qr", &json!({"sessionId": id, "qr": "2@abc", "expiresInSeconds": 20})).await,
        app.set_worker_state(&id, false).await,
        app.post("/api/outbox/claim", &json!({"sessionId": id})).await,
        app.post("/api/messages/receive", &json!({"sessionId": id, "id": "x", "from": "201001234567", "timestamp": 1}))
            .await,
    ];
    for response in responses {
        assert_eq!(response.status, 409);
        assert!(response.json["error"].as_str().unwrap().contains("Cloud API"), "{}", response.json);
    }
    assert_eq!(app.items("session").await, before);
    let unpaired = app.create_session("bob").await;
    let response = app.post("/api/outbox/claim", &json!({"sessionId": unpaired["id"]})).await;
    assert_eq!(response.status, 409);
    assert!(response.json["error"].as_str().unwrap().contains("PUT /api/session/qr"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_claims_and_settles_a_message() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    send(&app, &session_id, "+20 100 123 4567", &["hello"]).await;
    let claimed = claim(&app, &session_id, 10).await;
    let [message] = &claimed[..] else { panic!("{claimed:#?}") };
    assert_eq!((&message["status"], &message["body"]), (&json!("sending"), &json!("hello")));
    assert_eq!(message["to"], "201001234567");
    assert_eq!(message["content"], json!({"type": "text", "text": {"body": "hello"}}));
    assert!(message["lease"].is_string() && message["lease_until"].is_string());
    assert!(claim(&app, &session_id, 10).await.is_empty(), "the message is already claimed");

    let settled = settle(&app, message, json!({"sent": {"id": "3EB0"}})).await;
    assert_eq!(settled.status, 200, "{}", settled.json);
    assert_eq!(
        (&settled.json["message"]["status"], &settled.json["message"]["wamid"]),
        (&json!("sent"), &json!("3EB0"))
    );
    let stored = message_item(&app, &message["id"]).await;
    assert_eq!(stored["wamid_key"], MessageId::for_inbound(&format!("worker:{session_id}"), "3EB0").to_string());
    assert_eq!(stored["attempts"][0]["outcome"], "accepted");
    for attribute in ["due_key", "due_at", "lease", "lease_until", "error"] {
        assert!(stored.get(attribute).is_none(), "{attribute} is removed");
    }
    // The worker retries after a lost response.
    let again = settle(&app, message, json!({"sent": {"id": "3EB0"}})).await;
    assert_eq!((again.status, again.json), (200, settled.json));
    assert_eq!(message_item(&app, &message["id"]).await, stored);
    for other in [json!({"sent": {"id": "3EB1"}}), json!({"failed": {"reason": "no"}})] {
        assert_eq!(settle(&app, message, other).await.status, 409);
    }
    assert_eq!(message_item(&app, &message["id"]).await, stored);
    assert!(app.accepted().await.is_empty(), "nothing is sent over the Cloud API");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_lease_holder_reports_a_failure() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    send(&app, &session_id, "+201001234567", &["hello"]).await;
    let message = claim(&app, &session_id, 1).await.remove(0);
    let mut wrong = message.clone();
    wrong["lease"] = json!("7d9f2c1e-4b3a-4f5e-8a6b-0c1d2e3f4a5b");
    let refused = settle(&app, &wrong, json!({"failed": {"reason": "not on WhatsApp"}})).await;
    assert_eq!(refused.status, 409);
    assert!(refused.json["error"].as_str().unwrap().starts_with("The lease is invalid or has expired"));
    // The write commits and its response is lost: the retry recognizes its own write.
    app.inject_function_fault("outbox-settle", "UpdateItem", Fault::ConnectionLostAfterCommit, 1);
    let settled = settle(&app, &message, json!({"failed": {"reason": "not on WhatsApp"}})).await;
    assert_eq!(settled.status, 200, "{}", settled.json);
    assert_eq!(settled.json["message"]["error"], "not on WhatsApp");
    let stored = message_item(&app, &message["id"]).await;
    assert_eq!((&stored["status"], &stored["attempts"].as_array().unwrap().len()), (&json!("failed"), &1));
    assert!(stored["failed_at"].is_string());
    let unknown = json!({"id": "0192b3a4-5c6d-7e8f-9012-3456789abcde", "lease": message["lease"]});
    assert_eq!(settle(&app, &unknown, json!({"sent": {"id": "3EB0"}})).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_claims_share_the_messages() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    let mut sent = HashSet::new();
    for contact in 0..30 {
        let to = format!("+2010012345{contact:02}");
        sent.extend(ids_of(send(&app, &session_id, &to, &["one", "two"]).await));
    }
    app.inject_function_fault("outbox-claim", "UpdateItem", Fault::ConnectionLostAfterCommit, 3);
    let mut claimed = Vec::new();
    loop {
        let rounds = futures_util::future::join_all((0..4).map(|_| claim(&app, &session_id, 7))).await;
        let before = claimed.len();
        for message in rounds.into_iter().flatten() {
            assert_eq!(settle(&app, &message, json!({"sent": {"id": message["id"]}})).await.status, 200);
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
async fn claims_keep_the_order_of_a_chat_without_blocking_others() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    let first = send(&app, &session_id, "+201001234567", &["1", "2", "3"]).await;
    let other = send(&app, &session_id, "+201009999999", &["a"]).await;
    let claimed = claim(&app, &session_id, 2).await;
    assert_eq!(ids(&claimed), first[..2]);
    // The third message waits for the two claimed ones.
    assert_eq!(ids(&claim(&app, &session_id, 10).await), other);
    assert_eq!(settle(&app, &claimed[1], json!({"sent": {"id": "2"}})).await.status, 200);
    assert!(claim(&app, &session_id, 10).await.is_empty(), "the first message of the chat is still claimed");
    assert_eq!(settle(&app, &claimed[0], json!({"failed": {"reason": "no"}})).await.status, 200);
    assert_eq!(ids(&claim(&app, &session_id, 10).await), first[2..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn normal_messages_are_claimed_before_bulk_messages() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    let (first, other, third) = ("+201001234567", "+201009999999", "+201008888888");
    let campaign = send_bulk(&app, &session_id, first, &["1", "2"]).await;
    let offers = send_bulk(&app, &session_id, other, &["a", "b"]).await;
    let reply = send(&app, &session_id, third, &["reply"]).await;
    let behind = send(&app, &session_id, other, &["c"]).await;
    let last = send_bulk(&app, &session_id, other, &["d"]).await;
    let claimed = claim(&app, &session_id, 4).await;
    // The bulk messages before the reply of their chat come with it.
    assert_eq!(ids(&claimed), [&reply[..], &offers, &behind].concat());
    assert_eq!(ids(&claim(&app, &session_id, 1).await), campaign[..1]);
    for message in &claimed {
        assert_eq!(settle(&app, message, json!({"sent": {"id": message["id"]}})).await.status, 200);
    }
    let rest = claim(&app, &session_id, 10).await;
    assert_eq!(ids(&rest), last, "the first chat's first message is still claimed");
    assert_eq!(rest[0]["priority"], "bulk");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_chain_of_bulk_messages_does_not_slow_down_claims() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    let (first, other) = ("+201001234567", "+201009999999");
    let texts: Vec<String> = (0..120).map(|number| number.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let campaign = send_bulk(&app, &session_id, first, &texts).await;
    let behind = send(&app, &session_id, first, &texts[..40]).await;
    let offer = send_bulk(&app, &session_id, other, &["offer"]).await;
    let reply = send(&app, &session_id, other, &["reply"]).await;
    let body = json!({"sessionId": session_id, "limit": 10, "leaseSeconds": 600});
    let (response, usage) = invoke_measured(&app, "outbox-claim", "POST", json!({"body": body.to_string()})).await;
    let claimed = response["messages"].as_array().unwrap();
    // The other chat isn't held up, and the chain is claimed from its start.
    assert_eq!(ids(claimed), [&offer[..], &reply, &campaign[..8]].concat());
    assert!(usage.operations["BatchGetItem"] < 120, "{usage:?}");
    for message in claimed {
        assert_eq!(settle(&app, message, json!({"sent": {"id": message["id"]}})).await.status, 200);
    }
    let expected = [&campaign[8..], &behind].concat();
    assert_eq!(ids(&claim(&app, &session_id, 100).await), expected[..100]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn normal_message_waits_for_a_bulk_message_that_is_offered_again() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    app.set_session_attribute(&session_id, "unknown_policy", "resend").await;
    let to = "+201001234567";
    let offers = send_bulk(&app, &session_id, to, &["1", "2"]).await;
    let lost = claim(&app, &session_id, 10).await;
    assert_eq!(ids(&lost), offers);
    assert_eq!(settle(&app, &lost[1], json!({"sent": {"id": "2"}})).await.status, 200);
    let reply = send(&app, &session_id, to, &["3"]).await;
    assert!(claim(&app, &session_id, 10).await.is_empty(), "the first message is still claimed");
    expire(&app, &offers[0], "lease_until").await;
    let again = claim(&app, &session_id, 1).await;
    assert_eq!(ids(&again), offers[..1]);
    assert!(claim(&app, &session_id, 10).await.is_empty());
    assert_eq!(settle(&app, &again[0], json!({"sent": {"id": "1"}})).await.status, 200);
    assert_eq!(ids(&claim(&app, &session_id, 10).await), reply);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_lease_fails_the_message() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    let sent = send(&app, &session_id, "+201001234567", &["1", "2"]).await;
    let lost = claim(&app, &session_id, 1).await.remove(0);
    expire(&app, &sent[0], "lease_until").await;
    assert_eq!(settle(&app, &lost, json!({"sent": {"id": "1"}})).await.status, 409, "the lease has expired");
    assert_eq!(ids(&claim(&app, &session_id, 10).await), sent[1..], "the message is not offered again");
    let failed = message_item(&app, &sent[0]).await;
    assert_eq!((&failed["status"], &failed["attempts"][0]["outcome"]), (&json!("failed"), &json!("unanswered")));
    assert!(failed["error"].as_str().unwrap().contains("may have been sent"));
    for attribute in ["due_key", "due_at", "lease", "lease_until"] {
        assert!(failed.get(attribute).is_none(), "{attribute} is removed");
    }
    assert_eq!(settle(&app, &lost, json!({"sent": {"id": "1"}})).await.status, 409);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_lease_offers_the_message_again_with_the_resend_policy() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    app.set_session_attribute(&session_id, "unknown_policy", "resend").await;
    let sent = send(&app, &session_id, "+201001234567", &["1", "2", "3"]).await;
    let lost = claim(&app, &session_id, 2).await;
    assert_eq!(settle(&app, &lost[1], json!({"sent": {"id": "2"}})).await.status, 200);
    expire(&app, &sent[0], "lease_until").await;
    let again = claim(&app, &session_id, 1).await;
    assert_eq!(ids(&again), sent[..1]);
    assert_ne!(again[0]["lease"], lost[0]["lease"]);
    assert!(claim(&app, &session_id, 10).await.is_empty(), "the third message waits for the first one");
    assert_eq!(settle(&app, &lost[0], json!({"sent": {"id": "old"}})).await.status, 409);
    assert_eq!(settle(&app, &again[0], json!({"sent": {"id": "1"}})).await.status, 200);
    let stored = message_item(&app, &sent[0]).await;
    let outcomes: Vec<&Value> = stored["attempts"].as_array().unwrap().iter().map(|a| &a["outcome"]).collect();
    assert_eq!(outcomes, [&json!("unanswered"), &json!("accepted")]);
    assert_eq!(ids(&claim(&app, &session_id, 10).await), sent[2..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_past_its_validity_fails_and_is_not_offered() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    let sent = send(&app, &session_id, "+201001234567", &["late", "in time"]).await;
    expire(&app, &sent[0], "valid_until").await;
    assert_eq!(ids(&claim(&app, &session_id, 10).await), sent[1..]);
    let failed = message_item(&app, &sent[0]).await;
    assert_eq!(failed["status"], "failed");
    assert!(failed["error"].as_str().unwrap().contains("expired before a worker claimed it"));
    assert!(failed["failed_at"].is_string() && failed.get("due_key").is_none());
}
