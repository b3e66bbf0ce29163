//! Delivery of changes to webhooks: signatures, retries, order, pauses, disabled webhooks, and interrupted runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Value, json};
use shared::{
    domain::{system::System, time::Timestamp, webhook_endpoint::WebhookChange},
    store::{Acquired, CursorId},
};

use crate::{
    receiver::{Delivery, Receiver, Reply},
    test_app::{TestApp, change},
};

const LONG_AGO: &str = "2020-01-01T00:00:00.000Z";
const FAR_FUTURE: &str = "2099-01-01T00:00:00.000Z";

/// Creates a webhook for `message.received` with further settings. Returns it and its secret.
async fn webhook(app: &TestApp, receiver: &Receiver, settings: Value) -> (Value, String) {
    let mut body = json!({"url": receiver.url("/"), "events": ["message.received"]});
    body.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let created = app.create_webhook(&body).await;
    (created["webhook"].clone(), created["secret"].as_str().unwrap().to_owned())
}

fn path(webhook: &Value) -> String {
    format!("/api/webhooks/{}", webhook["id"].as_str().unwrap())
}

/// Lets a contact write.
async fn receive(app: &TestApp, from: &str, text: &str) {
    app.inbound(&json!({"from": from, "name": "Mona", "text": text})).await;
}

/// The text of the delivered message.
fn text(delivery: &Delivery) -> String {
    delivery.json()["data"]["message"]["body"].as_str().unwrap_or_default().to_owned()
}

fn texts(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(text).collect()
}

async fn accepts(receiver: &Receiver, expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(|&text| text.to_owned()).collect();
    let is_complete = |deliveries: &[Delivery]| {
        let accepted: BTreeSet<String> =
            deliveries.iter().filter(|delivery| delivery.is_accepted()).map(text).collect();
        accepted.is_superset(&expected)
    };
    receiver.wait_until(&format!("accepted: {expected:?}"), is_complete).await;
}

/// Returns the stored deliveries by status.
async fn statuses(app: &TestApp) -> BTreeMap<String, usize> {
    let mut statuses = BTreeMap::new();
    for item in app.items("webhook_delivery").await {
        *statuses.entry(item["status"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    statuses
}

/// Makes everything due that `notify` does later, and runs it. A run in progress keeps its lease.
async fn run_due(app: &TestApp) {
    for entity in ["webhook_delivery", "webhook_cursor", "webhook_replay", "change_log"] {
        for item in app.items(entity).await {
            for attribute in ["due_at", "not_before"] {
                if !item[attribute].is_null() {
                    app.set_item_attribute(&item, attribute, LONG_AGO).await;
                }
            }
        }
    }
    app.invoke("notify", &json!({"source": "qasid.due"})).await;
}

/// Kills the runs of `notify`, and ends their leases, so that another run doesn't wait for that.
async fn kill_runs(app: &TestApp) {
    assert!(app.kill("notify").await > 0);
    for cursor in app.items("webhook_cursor").await {
        if !cursor["lease_until"].is_null() {
            app.set_item_attribute(&cursor, "lease_until", LONG_AGO).await;
        }
    }
}

/// Waits until no run has a lease.
async fn is_idle(app: &TestApp) {
    let is_idle = async || app.items("webhook_cursor").await.iter().all(|cursor| cursor["lease_until"].is_null());
    app.wait_until("no run has a lease", is_idle).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn change_reaches_the_receiver_with_a_signature() {
    let (app, session_id) = TestApp::connected().await;
    let receiver = Receiver::start().await;
    let settings = json!({"sessionId": session_id, "headers": {"x-team": "7"}});
    let (webhook, secret) = webhook(&app, &receiver, settings).await;
    receive(&app, "201001234567", "Hello").await;

    let [delivery] = &receiver.wait_for(1).await[..] else { panic!("one delivery") };
    assert!(delivery.is_signed_with(&secret));
    assert_eq!((delivery.header("content-type"), delivery.header("x-team")), ("application/json", "7"));
    let body = delivery.json();
    let change = app.wait_for_change(&session_id, "received", |change| change["type"] == "message.received").await;
    assert_eq!(body["type"], "message.received");
    assert_eq!(body["timestamp"], change["at"]);
    assert_eq!(body["data"], change);
    assert_eq!(delivery.header("webhook-id"), change["id"].as_str().unwrap());

    is_idle(&app).await;
    let found = app.get(&path(&webhook)).await.json["webhook"].clone();
    assert_eq!((&found["failures"], &found["behind"]), (&json!(0), &json!(0)), "{found}");
    assert!(found["last_success_at"].is_string());
    assert_eq!(statuses(&app).await, BTreeMap::new(), "a delivered change leaves only the position");
    assert!(!app.has_logged(&["function", &receiver.url("/")]), "URLs are not logged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_change_is_delivered_again_with_the_same_id() {
    let (app, session_id) = TestApp::connected().await;
    let receiver = Receiver::start().await;
    webhook(&app, &receiver, json!({"sessionId": session_id})).await;
    receiver.next(1, Reply::status(500).body("down"));
    receive(&app, "201001234567", "first").await;
    receiver.wait_for(1).await;
    // Other changes don't wait.
    receive(&app, "201001234567", "second").await;

    accepts(&receiver, &["first", "second"]).await;
    let deliveries = receiver.deliveries();
    assert_eq!(texts(&deliveries), ["first", "second", "first"]);
    assert_eq!(deliveries[0].header("webhook-id"), deliveries[2].header("webhook-id"));
    let is_delivered = async || statuses(&app).await == BTreeMap::from([("delivered".to_owned(), 1)]);
    app.wait_until("the retry is recorded", is_delivered).await;
    let [item] = &app.items("webhook_delivery").await[..] else { panic!("one delivery") };
    assert_eq!(item["attempts"][0]["status"], 500);
    assert_eq!(item["attempts"][0]["response"], "down");
    assert_eq!(item["attempts"][1]["status"], 200);
    assert!(item["due_key"].is_null() && item["expires_at"].is_number(), "{item}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_a_chat_wait_for_a_failed_one() {
    let (app, session_id) = TestApp::connected().await;
    let receiver = Receiver::start().await;
    webhook(&app, &receiver, json!({"sessionId": session_id, "order": "chat"})).await;
    receiver.when(|delivery| text(delivery) == "1", Reply::status(500));
    receive(&app, "201001234567", "1").await;
    receiver.wait_for(1).await;
    for (from, text) in [("201001234567", "2"), ("201001234567", "3"), ("201001234568", "another chat")] {
        receive(&app, from, text).await;
    }
    accepts(&receiver, &["another chat"]).await;
    let is_waiting = async || statuses(&app).await.get("waiting") == Some(&2);
    app.wait_until("two changes wait", is_waiting).await;
    receiver.clear_rules();
    is_idle(&app).await;
    run_due(&app).await;

    accepts(&receiver, &["1", "2", "3"]).await;
    let chat: Vec<Delivery> =
        receiver.deliveries().into_iter().filter(|delivery| text(delivery) != "another chat").collect();
    let accepted = chat.iter().position(Delivery::is_accepted).unwrap();
    assert!(texts(&chat[..accepted]).iter().all(|text| text == "1"), "{:?}", texts(&chat));
    assert_eq!(texts(&chat[accepted..]), ["1", "2", "3"]);
    let are_delivered = async || statuses(&app).await == BTreeMap::from([("delivered".to_owned(), 3)]);
    app.wait_until("the deliveries are recorded", are_delivered).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receiver_that_is_gone_disables_the_webhook_and_enabling_loses_nothing() {
    let (app, session_id) = TestApp::connected().await;
    let receiver = Receiver::start().await;
    let (webhook, _) = webhook(&app, &receiver, json!({"sessionId": session_id})).await;
    receiver.always(Reply::status(410));
    receive(&app, "201001234567", "1").await;
    let is_disabled = async || app.get(&path(&webhook)).await.json["webhook"]["enabled"] == false;
    app.wait_until("the webhook is disabled", is_disabled).await;
    assert_eq!(app.get(&path(&webhook)).await.json["webhook"]["disabled_reason"], "gone");
    let id = &webhook["id"];
    let change = app.wait_for_change(&session_id, "disabled", |change| change["type"] == "webhook.disabled").await;
    assert_eq!(change["webhook_id"], *id);

    receiver.clear_rules();
    for text in ["2", "3"] {
        receive(&app, "201001234567", text).await;
        app.wait_for_change(&session_id, text, |change| change["message"]["body"] == text).await;
    }
    run_due(&app).await;
    assert_eq!(receiver.deliveries().len(), 1, "nothing is sent while it is disabled");
    assert_eq!(app.patch(&path(&webhook), &json!({"enabled": true})).await.status, 200);
    accepts(&receiver, &["1", "2", "3"]).await;
    assert_eq!(texts(&receiver.accepted()), ["1", "2", "3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_receiver_costs_few_deliveries_and_gets_all_changes_later() {
    const COUNT: usize = 60;
    let (app, session_id) = TestApp::connected().await;
    let receiver = Receiver::start().await;
    let (webhook, _) = webhook(&app, &receiver, json!({"sessionId": session_id})).await;
    receiver.always(Reply::status(500));
    let messages: Vec<Value> = (0..COUNT)
        .map(|number| json!({"from": format!("2010012345{number:02}"), "name": "Mona", "text": number.to_string()}))
        .collect();
    app.simulator("POST", "/simulator/messages", &json!({"messages": messages})).await;
    let is_paused = async || app.items("webhook_cursor").await.iter().any(|cursor| !cursor["not_before"].is_null());
    app.wait_until("deliveries pause", is_paused).await;
    let created = app.items("webhook_delivery").await.len();
    assert!(created <= 26, "{created}: ten failures, and those that were in progress");
    let found = app.get(&path(&webhook)).await.json["webhook"].clone();
    assert!(found["failing_since"].is_string() && found["failures"].as_u64() >= Some(10), "{found}");
    assert_eq!(found["enabled"], true);

    receiver.clear_rules();
    let numbers: Vec<String> = (0..COUNT).map(|number| number.to_string()).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let is_complete = async || {
        is_idle(&app).await;
        run_due(&app).await;
        texts(&receiver.accepted()).iter().collect::<BTreeSet<_>>().len() == COUNT
    };
    app.wait_until("every change is delivered", is_complete).await;
    accepts(&receiver, &numbers).await;
    assert_eq!(receiver.accepted().len(), COUNT, "each once");
    assert_eq!(app.get(&path(&webhook)).await.json["webhook"]["failures"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_that_is_killed_during_a_request_delivers_again_with_the_same_id() {
    let (app, session_id) = TestApp::connected().await;
    let receiver = Receiver::start().await;
    webhook(&app, &receiver, json!({"sessionId": session_id})).await;
    receiver.next(1, Reply::status(200).held());
    receive(&app, "201001234567", "Hello").await;
    receiver.wait_for(1).await;
    kill_runs(&app).await;
    let is_repeated = async || {
        run_due(&app).await;
        receiver.deliveries().len() >= 2
    };
    app.wait_until("the change is delivered again", is_repeated).await;
    let ids: BTreeSet<String> =
        receiver.deliveries().iter().map(|delivery| delivery.header("webhook-id").to_owned()).collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_receiver_delays_no_other_webhook() {
    let (app, session_id) = TestApp::connected().await;
    let (slow, fast) = (Receiver::start().await, Receiver::start().await);
    slow.always(Reply::status(200).held());
    for receiver in [&slow, &fast] {
        webhook(&app, receiver, json!({"sessionId": session_id})).await;
    }
    receive(&app, "201001234567", "1").await;
    slow.wait_for(1).await;
    accepts(&fast, &["1"]).await;
    receive(&app, "201001234567", "2").await;
    accepts(&fast, &["2"]).await;
    assert_eq!(slow.deliveries().len(), 1);
    slow.clear_rules();
    slow.release();
    accepts(&slow, &["1", "2"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_for_all_sessions_gets_the_changes_of_each() {
    let (app, session_id) = TestApp::connected().await;
    let receiver = Receiver::start().await;
    let (webhook, secret) =
        webhook(&app, &receiver, json!({"events": ["message.received", "session.connected"]})).await;
    let other = app.create_session("bob").await["id"].as_str().unwrap().to_owned();
    app.set_worker_state(&other, true).await;
    receive(&app, "201001234567", "Hello").await;
    let sessions = |deliveries: &[Delivery]| -> BTreeSet<(String, String)> {
        let field = |delivery: &Delivery, name: &str| delivery.json()["data"][name].as_str().unwrap().to_owned();
        deliveries.iter().map(|delivery| (field(delivery, "session_id"), field(delivery, "type"))).collect()
    };
    let expected = BTreeSet::from([
        (session_id.clone(), "message.received".to_owned()),
        (other.clone(), "session.connected".to_owned()),
    ]);
    let deliveries = receiver
        .wait_until("the changes of both sessions", |deliveries| sessions(deliveries).is_superset(&expected))
        .await;
    assert!(deliveries.iter().all(|delivery| delivery.is_signed_with(&secret)));

    // While it is disabled, changes of either session wait.
    is_idle(&app).await;
    app.patch(&path(&webhook), &json!({"enabled": false})).await;
    receive(&app, "201001234567", "later").await;
    app.wait_for_change(&session_id, "later", |change| change["message"]["body"] == "later").await;
    app.patch(&path(&webhook), &json!({"enabled": true})).await;
    accepts(&receiver, &["Hello", "later"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erased_chat_ends_its_deliveries() {
    let (app, session_id) = TestApp::connected().await;
    let receiver = Receiver::start().await;
    webhook(&app, &receiver, json!({"sessionId": session_id, "order": "chat"})).await;
    receiver.when(|delivery| text(delivery) == "1", Reply::status(500));
    receive(&app, "201001234567", "1").await;
    receiver.wait_for(1).await;
    receive(&app, "201001234567", "2").await;
    let is_waiting = async || statuses(&app).await.get("waiting") == Some(&1);
    app.wait_until("a change waits", is_waiting).await;

    for item in app.items("webhook_delivery").await {
        // As if it had failed after the erasure was requested.
        app.set_item_attribute(&item, "created_at", FAR_FUTURE).await;
    }
    let chat_id = app.items("webhook_delivery").await[0]["chat_id"].as_str().unwrap().to_owned();
    let erased = app.delete(&format!("/api/chats/{chat_id}")).await;
    assert_eq!(erased.status, 200, "{}", erased.json);
    let are_deleted = async || {
        app.invoke("erase", &json!({})).await;
        statuses(&app).await.is_empty()
    };
    app.wait_until("the deliveries are deleted", are_deleted).await;
    receiver.clear_rules();
    is_idle(&app).await;
    run_due(&app).await;
    receive(&app, "201001234567", "3").await;
    accepts(&receiver, &["3"]).await;
    assert!(!texts(&receiver.deliveries()).contains(&"2".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schedule_delivers_what_no_run_delivered() {
    let (app, session_id) = TestApp::connected().await;
    let receiver = Receiver::start().await;
    webhook(&app, &receiver, json!({"sessionId": session_id})).await;
    receiver.next(1, Reply::status(200).held());
    receive(&app, "201001234567", "1").await;
    receiver.wait_for(1).await;
    app.kill("notify").await;
    for entity in ["webhook_cursor", "change_log"] {
        let [item] = &app.items(entity).await[..] else { panic!("one {entity}") };
        let attribute = if entity == "change_log" { "due_at" } else { "lease_until" };
        app.set_item_attribute(item, attribute, LONG_AGO).await;
    }
    let is_repeated = async || {
        app.run_delivery_schedule().await;
        receiver.deliveries().len() >= 2
    };
    app.wait_until("the schedule starts notify", is_repeated).await;
    // Afterwards, nothing is due.
    let is_unmarked = async || app.items("change_log").await.iter().all(|log| log["due_at"].is_null());
    app.wait_until("the log leaves the index", is_unmarked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn due_deliveries_of_a_paused_webhook_hide_no_others() {
    let (app, session_id) = TestApp::connected().await;
    let (paused, receiver) = (Receiver::start().await, Receiver::start().await);
    let (webhook_of_paused, _) = webhook(&app, &paused, json!({"sessionId": session_id})).await;
    webhook(&app, &receiver, json!({"sessionId": session_id})).await;
    paused.always(Reply::status(429).header("retry-after", 3_600));
    receiver.next(1, Reply::status(200).held());
    receive(&app, "201001234567", "1").await;
    receiver.wait_for(1).await;
    let is_paused = async || app.items("webhook_cursor").await.iter().any(|cursor| !cursor["not_before"].is_null());
    app.wait_until("deliveries pause", is_paused).await;
    app.kill("notify").await;
    let [log] = &app.items("change_log").await[..] else { panic!("one log") };
    for number in 0..1_100 {
        app.put_item(&[
            ("pk", &format!("CHAT#00000000-0000-4000-8000-{number:012}")),
            ("sk", &format!("DELIVERY#{}#{number:016}", webhook_of_paused["id"].as_str().unwrap())),
            ("session_id", &session_id),
            ("due_key", log["due_key"].as_str().unwrap()),
            ("due_at", "2019-01-01T00:00:00.000Z"),
        ])
        .await;
    }
    app.set_item_attribute(log, "due_at", LONG_AGO).await;
    for cursor in app.items("webhook_cursor").await.iter().filter(|cursor| !cursor["lease_until"].is_null()) {
        app.set_item_attribute(cursor, "lease_until", LONG_AGO).await;
    }
    app.invoke("notify", &json!({"source": "qasid.due"})).await;
    accepts(&receiver, &["1"]).await;
    assert_eq!(paused.deliveries().len(), 1);
}

/// Waits until the deliveries of the only webhook pause, and makes the pause long. Ends the runs that wait for its end.
async fn pauses(app: &TestApp) {
    let paused = async || app.items("webhook_cursor").await.into_iter().find(|cursor| !cursor["not_before"].is_null());
    app.wait_until("deliveries pause", async || paused().await.is_some()).await;
    app.set_item_attribute(&paused().await.unwrap(), "not_before", FAR_FUTURE).await;
    kill_runs(app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receiver_that_rejects_some_changes_gets_the_others() {
    let (app, session_id) = TestApp::connected().await;
    let receiver = Receiver::start().await;
    let (webhook, _) = webhook(&app, &receiver, json!({"sessionId": session_id})).await;
    receiver.when(|delivery| text(delivery).starts_with("bad"), Reply::status(500));
    let messages: Vec<Value> = (0..10)
        .map(
            |number| json!({"from": format!("2010012345{number:02}"), "name": "Mona", "text": format!("bad {number}")}),
        )
        .collect();
    app.simulator("POST", "/simulator/messages", &json!({"messages": messages})).await;
    pauses(&app).await;
    for text in ["good", "better"] {
        receive(&app, "201001234567", text).await;
        app.wait_for_change(&session_id, text, |change| change["message"]["body"] == text).await;
    }
    let before = receiver.deliveries().len();
    run_due(&app).await;
    accepts(&receiver, &["good", "better"]).await;
    let later = texts(&receiver.deliveries()[before..]);
    assert_eq!(later[0], "good", "the probe is a new change");
    assert!(later[1..].iter().filter(|text| text.starts_with("bad")).count() >= 10, "{later:?}");
    let found = app.get(&path(&webhook)).await.json["webhook"].clone();
    assert_eq!(found["failures"], 0, "failed repeats start no pause: {found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_change_that_blocks_its_chat_is_the_probe_after_a_pause() {
    let (app, session_id) = TestApp::connected().await;
    let receiver = Receiver::start().await;
    webhook(&app, &receiver, json!({"sessionId": session_id, "order": "chat"})).await;
    receiver.always(Reply::status(429));
    receive(&app, "201001234567", "1").await;
    pauses(&app).await;
    receive(&app, "201001234567", "2").await;
    app.wait_for_change(&session_id, "2", |change| change["message"]["body"] == "2").await;
    receiver.clear_rules();
    let [delivery] = &app.items("webhook_delivery").await[..] else { panic!("one delivery") };
    app.set_item_attribute(delivery, "due_at", FAR_FUTURE).await;
    let [cursor] = &app.items("webhook_cursor").await[..] else { panic!("one position") };
    app.set_item_attribute(cursor, "not_before", LONG_AGO).await;
    app.invoke("notify", &json!({"sessions": [session_id]})).await;
    accepts(&receiver, &["1", "2"]).await;
    assert_eq!(texts(&receiver.accepted()), ["1", "2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_url_ends_a_pause() {
    let (app, session_id) = TestApp::connected().await;
    let (old, new) = (Receiver::start().await, Receiver::start().await);
    let (webhook, _) = webhook(&app, &old, json!({"sessionId": session_id})).await;
    old.always(Reply::status(429));
    receive(&app, "201001234567", "1").await;
    pauses(&app).await;
    receive(&app, "201001234567", "2").await;
    app.wait_for_change(&session_id, "2", |change| change["message"]["body"] == "2").await;
    assert_eq!(app.patch(&path(&webhook), &json!({"url": new.url("/")})).await.status, 200);
    accepts(&new, &["2"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enabled_webhook_gets_what_is_open_without_an_invocation() {
    let (app, session_id) = TestApp::connected().await;
    for settings in [json!({"sessionId": session_id}), json!({})] {
        let receiver = Receiver::start().await;
        let (webhook, _) = webhook(&app, &receiver, settings).await;
        receiver.when(|delivery| text(delivery) == "1", Reply::status(500));
        receive(&app, "201001234567", "1").await;
        receiver.wait_for(1).await;
        let is_stored = async || statuses(&app).await.get("retrying") == Some(&1);
        app.wait_until("the delivery is stored", is_stored).await;
        app.patch(&path(&webhook), &json!({"enabled": false})).await;
        let is_suspended = async || {
            run_due(&app).await;
            let open = app.items("webhook_delivery").await.into_iter().filter(|item| item["status"] == "retrying");
            open.into_iter().all(|item| item["due_at"].is_null())
        };
        app.wait_until("the delivery is suspended", is_suspended).await;
        receive(&app, "201001234567", "2").await;
        app.wait_for_change(&session_id, "2", |change| change["message"]["body"] == "2").await;
        is_idle(&app).await;
        receiver.clear_rules();

        // As if Lambda refused the invocation after the request.
        let store = app.store();
        let found = store.webhooks().find(webhook["id"].as_str().unwrap().parse().unwrap()).await.unwrap().unwrap();
        let change = WebhookChange { enabled: Some(true), ..WebhookChange::default() };
        store.webhooks().update(&found, &change).await.unwrap();
        app.invoke("notify", &json!({"source": "qasid.due"})).await;
        accepts(&receiver, &["1", "2"]).await;
        let is_resumed = async || app.items("webhook").await.iter().all(|webhook| webhook["due_at"].is_null());
        app.wait_until("the webhook leaves the index", is_resumed).await;
        assert_eq!(app.delete(&path(&webhook)).await.status, 200);
        // A run can use the settings of a deleted webhook, here the one before, for some seconds.
        let items = app.items("webhook_delivery").await;
        let own: Vec<&Value> = items.iter().filter(|item| item["webhook_id"] == webhook["id"]).collect();
        assert!(!own.is_empty() && own.iter().all(|item| item["status"] == "delivered"), "{own:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_that_is_disabled_gets_no_change_that_was_read_before() {
    let (app, session_id) = TestApp::connected().await;
    let receiver = Receiver::start().await;
    let (webhook, _) = webhook(&app, &receiver, json!({"sessionId": session_id})).await;
    receiver.when(|delivery| text(delivery) == "0", Reply::status(200).held());
    // Longer than a run uses the settings that it has read.
    receiver.when(|delivery| text(delivery) == "1", Reply::status(200).after(Duration::from_secs(6)));
    for text in ["0", "1", "2"] {
        receive(&app, "201001234567", text).await;
        app.wait_for_change(&session_id, text, |change| change["message"]["body"] == text).await;
    }
    receiver.wait_for(1).await;
    receiver.release();
    receiver.wait_for(2).await;
    assert_eq!(app.patch(&path(&webhook), &json!({"enabled": false})).await.status, 200);
    is_idle(&app).await;
    assert_eq!(texts(&receiver.deliveries()), ["0", "1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_whose_response_was_lost_can_be_repeated() {
    let (app, session_id) = TestApp::connected().await;
    let receiver = Receiver::start().await;
    let (webhook, _) = webhook(&app, &receiver, json!({"sessionId": session_id})).await;
    let (store, system) = (app.store(), System::real());
    let webhook_id = webhook["id"].as_str().unwrap().parse().unwrap();
    let id = CursorId { webhook_id, session_id: session_id.parse().unwrap(), is_replay: false };
    store.webhook_cursors().create(id, 0).await.unwrap();
    let (lease, until) = (system.random_uuid(), system.now().after(Duration::from_secs(60)));
    for _ in 0..2 {
        let acquired = store.webhook_cursors().acquire(id, lease, until, false).await.unwrap();
        assert!(matches!(acquired, Acquired::Leased(_)), "{acquired:?}");
    }
    let other = store.webhook_cursors().acquire(id, system.random_uuid(), until, false).await.unwrap();
    assert!(matches!(other, Acquired::Taken), "{other:?}");

    let change = change(&session_id, 7, None, Timestamp::MIN);
    for _ in 0..2 {
        app.put_failed_delivery(&webhook, change.clone(), 500).await;
    }
    assert_eq!(app.items("webhook_delivery").await[0]["attempt_count"], 1);
}
