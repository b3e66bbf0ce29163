//! The routes about deliveries of outgoing webhooks: tests, failed deliveries, retries, and replays.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use shared::domain::{
    change::NewChange,
    id::{ChangeId, ChatId, SessionId},
    system::System,
    time::Timestamp,
    webhook_delivery::{DeliveryEvent, WebhookAttempt},
};

use crate::{
    receiver::{Delivery, Receiver, Reply},
    test_app::{Response, TestApp, change, merge},
};

fn now() -> Timestamp {
    System::real().now()
}

fn before(seconds: u64) -> Timestamp {
    now().before(Duration::from_secs(seconds))
}

fn path(webhook: &Value, rest: &str) -> String {
    format!("/api/webhooks/{}/{rest}", webhook["id"].as_str().expect("an ID"))
}

async fn create(app: &TestApp, body: &Value) -> (Value, String) {
    let created = app.create_webhook(body).await;
    (created["webhook"].clone(), created["secret"].as_str().expect("a secret").to_owned())
}

async fn session(app: &TestApp, owner: &str) -> String {
    app.create_session(owner).await["id"].as_str().expect("an ID").to_owned()
}

/// Tests a webhook and returns the attempt.
async fn test(app: &TestApp, webhook: &Value) -> Value {
    let response = app.post(&path(webhook, "test"), &json!({})).await;
    assert_eq!((response.status, &response.json["success"]), (200, &json!(true)), "{}", response.json);
    response.json["attempt"].clone()
}

fn assert_error(response: &Response, status: u16, code: &str, sentence: &str) {
    let error = response.json["error"].as_str().unwrap_or_default();
    assert_eq!((response.status, &response.json["code"]), (status, &json!(code)), "{}", response.json);
    assert!(error.contains(sentence), "{error}");
}

/// Returns all pages of the list of attempts.
async fn attempts(app: &TestApp, webhook: &Value, query: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let response = app.get(&path(webhook, &format!("attempts?{query}{cursor}"))).await;
        assert_eq!((response.status, &response.json["success"]), (200, &json!(true)), "{}", response.json);
        all.extend(response.json["attempts"].as_array().expect("a list").clone());
        match response.json["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn test_is_signed_and_returns_the_attempt() {
    let app = TestApp::start().await;
    let (session_id, receiver) = (session(&app, "ada").await, Receiver::start().await);
    let settings = json!({"sessionId": session_id, "url": receiver.url("/hooks?key=1"), "headers": {"x-team": "7"}});
    let (webhook, secret) = create(&app, &settings).await;
    let end = app.changes(&session_id, None).await["next"].clone();

    receiver.next(1, Reply::status(202).body("queued\n\u{7}"));
    let attempt = test(&app, &webhook).await;
    assert_eq!(
        (&attempt["status"], &attempt["delivered"], &attempt["error"]),
        (&json!(202), &json!(true), &json!(null))
    );
    assert_eq!(attempt["response"], "queued ");
    let [delivery] = &receiver.wait_for(1).await[..] else { panic!("one request") };
    assert!(delivery.is_signed_with(&secret));
    assert_eq!((delivery.path.as_str(), delivery.header("x-team")), ("/hooks?key=1", "7"));
    assert_eq!(delivery.header("content-type"), "application/json");
    let body = delivery.json();
    assert_eq!((&body["type"], &body["data"]["webhook_id"]), (&json!("webhook.test"), &webhook["id"]));
    assert_eq!(
        (&body["data"]["id"], &body["data"]["session_id"]),
        (&json!(delivery.header("webhook-id")), &json!(session_id))
    );

    for (reply, status, response) in [
        (Reply::status(500).body("no such table: hooks"), 500, json!("no such table: hooks")),
        (Reply::status(410), 410, json!(null)),
        (Reply::redirect(&receiver.url("/elsewhere")), 302, json!(null)),
    ] {
        receiver.next(1, reply);
        let attempt = test(&app, &webhook).await;
        assert_eq!((&attempt["status"], &attempt["delivered"]), (&json!(status), &json!(false)), "{attempt}");
        assert_eq!((&attempt["response"], &attempt["error"]), (&response, &json!(null)), "{attempt}");
    }
    receiver.next(1, Reply::close());
    let attempt = test(&app, &webhook).await;
    assert_eq!((&attempt["status"], &attempt["delivered"]), (&json!(null), &json!(false)));
    assert!(attempt["error"].as_str().unwrap().starts_with("The connection failed: "), "{attempt}");
    let deliveries = receiver.deliveries();
    assert_eq!(deliveries.len(), 5, "neither redirects nor failures are followed by another request");
    let ids: BTreeSet<&str> = deliveries.iter().map(|delivery| delivery.header("webhook-id")).collect();
    assert_eq!(ids.len(), 5);

    // A test leaves nothing behind, and a failed one doesn't disable the webhook.
    assert_eq!(app.changes(&session_id, None).await["next"], end);
    assert_eq!(attempts(&app, &webhook, "").await, Vec::<Value>::new());
    let found = app.get(&path(&webhook, "")[..path(&webhook, "").len() - 1]).await.json["webhook"].clone();
    assert_eq!((&found["enabled"], &found["failures"]), (&json!(true), &json!(0)));

    let body = app.post(&path(&webhook, "test"), &json!({"type": "message.received"})).await;
    assert_error(&body, 400, "unknown_field", "it takes no body");
    let confidential = |line: &String| ["key=1", "no such table", &secret].iter().any(|text| line.contains(text));
    let functions = app.log_lines().into_iter().filter(|line| line.starts_with("function"));
    assert_eq!(functions.filter(confidential).collect::<Vec<_>>(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disabled_webhooks_and_those_for_all_sessions_can_be_tested() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    let settings = json!({"url": receiver.url("/"), "format": "cloud_api", "enabled": false});
    let (webhook, secret) = create(&app, &settings).await;
    assert_eq!(test(&app, &webhook).await["delivered"], true);
    let rotated = app.post(&path(&webhook, "secret"), &json!({})).await.json;
    assert_eq!(test(&app, &webhook).await["delivered"], true);
    let deliveries = receiver.wait_for(2).await;
    for delivery in &deliveries {
        let value = delivery.json()["entry"][0]["changes"][0]["value"].clone();
        assert_eq!(value["messages"][0]["text"]["body"], "this is a text message");
        assert!(delivery.is_signed_with(&secret), "also after the rotation");
    }
    assert!(deliveries[1].is_signed_with(rotated["secret"].as_str().unwrap()));
    let [first, second] = [&deliveries[0], &deliveries[1]].map(|delivery| delivery.header("x-hub-signature-256"));
    assert!(first.starts_with("sha256=") && first != second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_deliveries_are_listed_newest_first() {
    let app = TestApp::start().await;
    let session_id = session(&app, "ada").await;
    let settings = json!({"sessionId": session_id, "url": "https://hooks.example/", "enabled": false});
    let (webhook, _) = create(&app, &settings).await;
    let (other, _) = create(&app, &settings).await;
    let chat_id: ChatId = "fe5b9e39-4692-593f-a791-a56e2f92318a".parse().unwrap();
    for sequence in 1..=5 {
        let change = change(&session_id, sequence, (sequence > 1).then_some(chat_id), before(100 - sequence));
        app.put_failed_delivery(&webhook, change, 503).await;
    }
    let delivered = WebhookAttempt {
        at: now(),
        duration_ms: 8,
        status: Some(200),
        response: None,
        error: None,
        retry_after_seconds: None,
    };
    let deliveries = app.store();
    let deliveries = deliveries.webhook_deliveries();
    let id = ChangeId::for_stream_event("2", "chat.updated");
    let second = deliveries.find(webhook["id"].as_str().unwrap().parse().unwrap(), id).await.unwrap().unwrap();
    deliveries.update(&second, &DeliveryEvent::Attempted(delivered)).await.unwrap().unwrap();

    let sequences =
        |attempts: &[Value]| attempts.iter().map(|one| one["sequence"].as_u64().unwrap()).collect::<Vec<_>>();
    for query in ["", "limit=1", "limit=2"] {
        assert_eq!(sequences(&attempts(&app, &webhook, query).await), [5, 4, 3, 2, 1], "{query}");
    }
    assert_eq!(sequences(&attempts(&app, &webhook, "status=retrying&limit=3").await), [5, 4, 3, 1]);
    assert_eq!(sequences(&attempts(&app, &webhook, "status=waiting").await), [0; 0]);
    assert_eq!(attempts(&app, &other, "").await, Vec::<Value>::new());

    let [delivered] = &attempts(&app, &webhook, "status=delivered").await[..] else { panic!("one delivery") };
    for (field, expected) in [
        ("change_id", json!(id)),
        ("type", json!("chat.updated")),
        ("session_id", json!(session_id)),
        ("chat_id", json!(chat_id)),
        ("status", json!("delivered")),
        ("try_count", json!(2)),
        ("next_try_at", json!(null)),
    ] {
        assert_eq!(delivered[field], expected, "{field}");
    }
    let tries = delivered["tries"].as_array().unwrap();
    assert_eq!((&tries[0]["status"], &tries[0]["delivered"]), (&json!(503), &json!(false)));
    assert_eq!((&tries[0]["response"], &tries[0]["duration_ms"]), (&json!("down for maintenance"), &json!(12)));
    assert_eq!((&tries[1]["status"], &tries[1]["delivered"]), (&json!(200), &json!(true)));
    let cursor = app.get(&path(&webhook, "attempts?limit=1")).await.json["nextCursor"].as_str().unwrap().to_owned();
    let foreign = app.get(&path(&webhook, &format!("attempts?status=failed&cursor={cursor}"))).await;
    assert_error(&foreign, 400, "invalid_cursor", "Invalid cursor");
    for query in ["limit=0", "limit=101", "status=open"] {
        let refused = app.get(&path(&webhook, &format!("attempts?{query}"))).await;
        assert_error(&refused, 400, "invalid_query", "must be");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_of_one_message_are_listed() {
    let app = TestApp::start().await;
    let (session_id, other_session) = (session(&app, "ada").await, session(&app, "grace").await);
    app.set_worker_state(&session_id, true).await;
    let unreachable = "http://127.0.0.1:1/";
    let (webhook, _) = create(&app, &json!({"sessionId": session_id, "url": unreachable})).await;
    let (for_all, _) = create(&app, &json!({"url": unreachable})).await;
    let (of_other, _) = create(&app, &json!({"sessionId": other_session, "url": unreachable})).await;

    // An outbound message, and a contact's with a reaction, in one chat.
    let sent = app.send(&session_id, "201001234567", "hello").await.json["message"]["id"].as_str().unwrap().to_owned();
    let at = now().to_string();
    for (id, content) in [
        ("3EB1", json!({"text": "hello"})),
        ("3EB2", json!({"type": "reaction", "reaction": {"message_id": "3EB1", "emoji": "👍"}})),
    ] {
        let received = json!({"sessionId": session_id, "id": id, "from": "201001234567", "timestamp": at});
        let response = app.post("/api/messages/receive", &merge(received, &content)).await;
        assert_eq!(response.json["success"], true, "{}", response.json);
    }
    let received = app.get(&format!("/api/messages/3EB1?sessionId={session_id}")).await;
    let received = received.json["message"]["id"].as_str().unwrap().to_owned();
    let types = async |webhook: &Value, query: &str| -> BTreeSet<String> {
        let attempts = attempts(&app, webhook, query).await.into_iter();
        attempts.map(|attempt| attempt["type"].as_str().unwrap().to_owned()).collect()
    };
    let all = ["chat.created", "message.created", "message.received", "message.reaction"].map(str::to_owned);
    for webhook in [&webhook, &for_all] {
        let have_failed = async || types(webhook, "").await.is_superset(&all.clone().into());
        app.wait_until("all changes have failed", have_failed).await;
        for (message_id, expected) in
            [(&sent, &["message.created"][..]), (&received, &["message.reaction", "message.received"])]
        {
            for query in ["", "&limit=1", "&status=retrying"] {
                let found = types(webhook, &format!("messageId={message_id}{query}")).await;
                assert!(found.iter().eq(expected), "{query}: {found:?}");
            }
            let delivered = attempts(&app, webhook, &format!("messageId={message_id}&status=delivered")).await;
            assert_eq!(delivered, Vec::<Value>::new());
        }
    }
    // A page continues only its own list.
    let first = app.get(&path(&webhook, &format!("attempts?limit=1&messageId={received}"))).await.json;
    let cursor = first["nextCursor"].as_str().unwrap();
    let foreign = app.get(&path(&webhook, &format!("attempts?limit=1&messageId={sent}&cursor={cursor}"))).await;
    assert_error(&foreign, 400, "invalid_cursor", "Invalid cursor");

    // The message of another session is like one that doesn't exist.
    for (webhook, message_id) in
        [(&of_other, sent.as_str()), (&of_other, &received), (&webhook, "00000000-0000-4000-8000-000000000000")]
    {
        let missing = app.get(&path(webhook, &format!("attempts?messageId={message_id}"))).await;
        assert_error(&missing, 404, "message_not_found", "Message not found");
    }
    let malformed = app.get(&path(&webhook, "attempts?messageId=3EB1")).await;
    assert_error(&malformed, 400, "invalid_field", "messageId must be a UUID");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_delivers_a_change_again() {
    let app = TestApp::start().await;
    let (session_id, receiver) = (session(&app, "ada").await, Receiver::start().await);
    let (webhook, secret) = create(&app, &json!({"sessionId": session_id, "url": receiver.url("/")})).await;
    let change = change(&session_id, 7, None, now());
    let id = change.change.id.to_string();
    app.put_failed_delivery(&webhook, change, 503).await;

    let retry =
        async |change_id: &str| app.post(&path(&webhook, &format!("attempts/{change_id}/retry")), &json!({})).await;
    for count in 1..=2 {
        let retried = retry(&id).await;
        assert_eq!((retried.status, &retried.json["success"]), (202, &json!(true)), "{}", retried.json);
        let attempt = &retried.json["attempt"];
        assert_eq!((&attempt["change_id"], &attempt["status"]), (&json!(id), &json!("retrying")));
        let deliveries = receiver.wait_for(count).await;
        assert_eq!((deliveries.len(), deliveries[count - 1].header("webhook-id")), (count, id.as_str()));
        assert!(deliveries[count - 1].is_signed_with(&secret));
        let is_delivered = async || attempts(&app, &webhook, "status=delivered").await.len() == 1;
        app.wait_until("the delivery is recorded", is_delivered).await;
    }
    let [delivered] = &attempts(&app, &webhook, "").await[..] else { panic!("one delivery") };
    assert_eq!((&delivered["try_count"], &delivered["next_try_at"]), (&json!(3), &json!(null)));

    for unknown in ["7", "00000000-0000-4000-8000-000000000000"] {
        assert_error(&retry(unknown).await, 404, "attempt_not_found", "no failed delivery of this change");
    }
    app.patch(path(&webhook, "").trim_end_matches('/'), &json!({"enabled": false})).await;
    assert_error(&retry(&id).await, 409, "webhook_disabled", "enable it first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replay_covers_a_range_of_the_log() {
    let app = TestApp::start().await;
    let (session_id, receiver) = (session(&app, "ada").await, Receiver::start().await);
    let (webhook, _) = create(&app, &json!({"sessionId": session_id, "url": receiver.url("/")})).await;
    let id: SessionId = session_id.parse().unwrap();
    let new = |number: u64| -> NewChange { change(&session_id, number, None, now()).change };
    let start = app.changes(&session_id, None).await["next"].as_u64().unwrap();
    let replay = async |body: &Value| app.post(&path(&webhook, "replay"), body).await;
    // One replay runs at a time.
    let range = async |body: Value| {
        app.wait_until("the last replay has ended", async || app.items("webhook_replay").await.is_empty()).await;
        let response = replay(&body).await;
        assert_eq!((response.status, &response.json["success"]), (202, &json!(true)), "{body}: {}", response.json);
        (response.json["from"].as_u64(), response.json["to"].as_u64())
    };
    assert_eq!(range(json!({"after": start})).await, (None, None));

    // Changes that have expired, and others.
    let expiring = app.store().with_change_retention(Duration::ZERO);
    expiring.changes().append(id, &[new(1), new(2)]).await.unwrap();
    let store = app.store();
    store.changes().append(id, &[new(3), new(4)]).await.unwrap();
    let stored_at = now();
    while now() <= stored_at {
        tokio::task::yield_now().await;
    }
    let between = now();
    let last = store.changes().append(id, &[new(5)]).await.unwrap().last;
    let (oldest, since) = (last - 2, between.to_string());

    receiver.always(Reply::status(200).held());
    assert_eq!(range(json!({"after": oldest - 1})).await, (Some(oldest), Some(last)));
    let text = "A replay of this webhook is running: wait until it has ended";
    assert_error(&replay(&json!({"after": oldest - 1})).await, 409, "replay_running", text);
    let (other, _) = create(&app, &json!({"sessionId": session_id, "url": receiver.url("/other")})).await;
    assert_eq!(app.post(&path(&other, "replay"), &json!({"after": oldest - 1})).await.status, 202);
    receiver.clear_rules();
    receiver.release();
    assert_eq!(range(json!({"after": oldest - 1, "until": oldest})).await, (Some(oldest), Some(oldest)));
    assert_eq!(
        range(json!({"after": oldest, "until": 9_000_000, "only": "failed"})).await,
        (Some(oldest + 1), Some(last))
    );
    assert_eq!(range(json!({"since": since})).await, (Some(last), Some(last)));
    let times = json!({"since": before(3600).to_string(), "until": since});
    assert_eq!(range(times).await, (Some(oldest), Some(oldest + 1)));
    assert_eq!(range(json!({"since": now().to_string()})).await, (None, None));

    let sequences = |deliveries: &[Delivery]| -> BTreeSet<u64> {
        deliveries.iter().map(|delivery| delivery.json()["data"]["sequence"].as_u64().unwrap()).collect()
    };
    let expected = BTreeSet::from_iter(oldest..=last);
    receiver.wait_until("all changes", |deliveries| sequences(deliveries) == expected).await;

    let text = format!("use after with {}", oldest - 1);
    assert_error(&replay(&json!({"after": start})).await, 410, "changes_expired", &text);
    assert_error(&replay(&json!({"since": "2026-01-01T00:00:00Z"})).await, 410, "changes_expired", &text);
    let text = format!("after must not be greater than the number of the last change, {last}");
    assert_error(&replay(&json!({"after": last + 1})).await, 400, "invalid_field", &text);
    assert_error(&replay(&json!({})).await, 400, "missing_field", "Give since, a time, or after");

    app.patch(path(&webhook, "").trim_end_matches('/'), &json!({"enabled": false})).await;
    assert_error(&replay(&json!({"after": last})).await, 409, "webhook_disabled", "enable it first");
}
