//! The hourly counters of sessions.

use std::collections::BTreeMap;

use local::database::{
    Database, Fault, Injection,
    usage::{Usage, UsageMeter},
};
use serde_json::{Value, json};
use shared::{
    domain::{
        change::derive::{StreamRecord, Write},
        id::{ChatId, MessageId, SessionId},
        identity::Identity,
        message_key::MessageKey,
        stats::{Counters, Range, additions},
        time::Timestamp,
    },
    services::stats::count,
    store::Store,
};

use crate::{
    contact_merging::database,
    test_app::{TestApp, insert_event, now, text_message},
};

const NOW: &str = "2026-11-26T12:34:56.000Z";
const CUSTOMER: &str = "201001234567";

/// A table that counts requests.
struct Fixture {
    database: Database,
    store: Store,
    meter: UsageMeter,
}

impl Fixture {
    async fn start() -> Self {
        let meter = UsageMeter::default();
        let (database, store, ..) = database(meter.clone()).await;
        Self { database, store: store(), meter }
    }

    /// Counts records, and returns the usage of that.
    async fn count(&self, records: &[StreamRecord]) -> Usage {
        self.meter.take("test");
        count(&self.store, records).await;
        self.meter.take("test")
    }

    /// Returns the counters of a session in the hours of `NOW` and after it.
    async fn counters(&self, owner: &str) -> Vec<Counters> {
        let from: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
        let range = Range { from, to: "2026-11-26T14:00:00Z".parse().unwrap() };
        let hours = self.store.stats().read(SessionId::for_owner(owner), range).await.unwrap();
        hours.into_iter().map(|(_, counters)| counters).collect()
    }
}

fn writes(count: u64) -> Usage {
    let operations = BTreeMap::from([("UpdateItem".to_owned(), count)]);
    Usage { requests: count, read_units: 0.0, write_units: count as f64, operations }
}

fn record(event_id: &str, at: &str, owner: &str, before: Option<Value>, after: Value) -> StreamRecord {
    let session_id = SessionId::for_owner(owner);
    let chat_id = ChatId::for_identity(session_id, &Identity::Group("1".to_owned()));
    let at: Timestamp = at.parse().unwrap();
    let key = MessageKey { chat_id, time: at, message_id: MessageId::for_inbound("1", event_id) };
    let state = |mut state: Value| {
        state["session_id"] = json!(session_id);
        state["type"] = json!("text");
        Box::new(serde_json::from_value(state).unwrap())
    };
    let write = match before {
        None => Write::NewMessage { key, after: state(after) },
        Some(before) => Write::Message { key, before: state(before), after: state(after) },
    };
    StreamRecord { event_id: event_id.to_owned(), at, write }
}

fn received(event_id: &str, at: &str, owner: &str) -> StreamRecord {
    record(event_id, at, owner, None, json!({"from_me": false, "status": "received", "status_rank": 0}))
}

/// WhatsApp rejects a message with a code.
fn rejected(event_id: &str, code: u32) -> StreamRecord {
    let before = json!({"from_me": true, "status": "sending", "status_rank": 10});
    let attempts = json!([{"at": NOW, "outcome": "rejected", "code": code}]);
    let after = json!({"from_me": true, "status": "failed", "status_rank": 25, "attempts": attempts});
    record(event_id, NOW, "ada", Some(before), after)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_one_write_for_each_session_and_hour() {
    let fixture = Fixture::start().await;
    let mut batch: Vec<_> = (0..40).map(|at| received(&format!("r{at}"), NOW, "ada")).collect();
    batch.extend((0..10).map(|at| rejected(&format!("f{at}"), 131_000 + at)));
    assert_eq!(fixture.count(&batch).await, writes(1));
    // The item has grown, and stays below 1 KB.
    batch.iter_mut().for_each(|record| record.event_id.push('+'));
    batch.push(received("s", NOW, "bob"));
    batch.push(received("t", "2026-11-26T13:00:00Z", "ada"));
    assert_eq!(fixture.count(&batch).await, writes(3));
    assert_eq!(fixture.count(&[]).await, Usage::default());

    let received = |counters: Vec<Counters>| counters.iter().map(|hour| hour.received).collect::<Vec<_>>();
    assert_eq!(received(fixture.counters("ada").await), [80, 1]);
    assert_eq!(received(fixture.counters("bob").await), [1]);
    let failed = &fixture.counters("ada").await[0];
    assert_eq!((failed.failed, failed.codes.len(), failed.codes[&131_009]), (20, 10, 2));
    let last_webhook_at = fixture.store.stats().last_webhook_at(SessionId::for_owner("ada")).await.unwrap();
    assert_eq!(last_webhook_at.unwrap().to_string(), "2026-11-26T13:00:00.000Z");
    let unpaired = fixture.store.stats().last_webhook_at(SessionId::for_owner("eve")).await.unwrap();
    assert_eq!(unpaired, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_batch_counts_once() {
    let fixture = Fixture::start().await;
    let batch = [received("1", NOW, "ada"), received("2", NOW, "ada")];
    // The SDK sends an update whose response is lost again.
    let fault = Fault::ConnectionLostAfterCommit;
    let operation = "UpdateItem".to_owned();
    fixture.database.faults().inject(Injection { operation, function: None, times: 1, fault });
    assert_eq!(fixture.count(&batch).await, writes(2));
    fixture.count(&batch).await;
    let counters = fixture.counters("ada").await;
    assert_eq!((counters.len(), counters[0].received), (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_hour_has_a_limited_number_of_codes() {
    let fixture = Fixture::start().await;
    let batch = |first: u32, count: u32| {
        let codes = first..first + count;
        codes.map(|code| rejected(&format!("{first}.{code}"), code)).collect::<Vec<_>>()
    };
    assert_eq!(fixture.count(&batch(1, 14)).await, writes(1));
    // One known code and three new ones, of which two fit.
    assert_eq!(fixture.count(&batch(14, 4)).await, writes(2));
    // All of them are known.
    assert_eq!(fixture.count(&batch(2, 10)).await, writes(1));
    // None of them fits.
    assert_eq!(fixture.count(&batch(100, 20)).await, writes(2));
    let counters = &fixture.counters("ada").await[0];
    assert_eq!(counters.failed, 14 + 4 + 10 + 20);
    assert_eq!((counters.codes.len(), counters.codes[&14], counters.codes[&2]), (16, 2, 2));
    assert_eq!(counters.failures().last(), Some(&(None, 1 + 20)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_that_cannot_be_written_are_dropped() {
    let fixture = Fixture::start().await;
    let (operation, fault) = ("UpdateItem".to_owned(), Fault::InternalServerError);
    fixture.database.faults().inject(Injection { operation, function: None, times: 3, fault });
    fixture.count(&[received("1", NOW, "ada")]).await;
    assert_eq!(fixture.counters("ada").await, []);
    fixture.count(&[received("2", NOW, "ada")]).await;
    assert_eq!(fixture.counters("ada").await[0].received, 1);
}

/// Returns the response for the last 24 hours.
async fn stats(app: &TestApp, session_id: &str) -> Value {
    let response = app.get(&format!("/api/stats?sessionId={session_id}")).await;
    assert_eq!(response.status, 200, "{}", response.json);
    response.json
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_statuses_and_failures_are_counted() {
    let (app, session_id) = TestApp::connected_with(&[CUSTOMER]).await;
    let reaction = json!({"message_id": "w.1", "emoji": "👍"});
    let reaction = json!({"from": CUSTOMER, "id": "w.3", "timestamp": now().to_string(), "type": "reaction", "reaction": reaction});
    let messages = [text_message("w.1", CUSTOMER, "hi"), text_message("w.2", CUSTOMER, "hello?"), reaction];
    app.deliver_messages(&json!(messages)).await;
    for fault in [Value::Null, json!({"errorCode": 131_026, "times": 1}), json!({"failedStatus": 131_047, "times": 1})]
    {
        app.set_faults(&json!({"sends": fault})).await;
        let id = app.send(&session_id, CUSTOMER, "yes").await.json["message"]["id"].clone();
        let is_final = |item: &Value| item["id"] == id && ["read", "failed"].map(Value::from).contains(&item["status"]);
        app.wait_for_message("it is read or has failed", is_final).await;
    }
    let is_counted = async || {
        let total = stats(&app, &session_id).await["total"].clone();
        total["received"] == 2 && total["read"] == 1 && total["failed"] == 2
    };
    app.wait_until("everything is counted", is_counted).await;

    let response = stats(&app, &session_id).await;
    let total = &response["total"];
    assert_eq!((&total["sent"], &total["delivered"]), (&json!(2), &json!(1)), "{response:#}");
    let mut failures: Vec<&Value> = total["failures"].as_array().unwrap().iter().collect();
    failures.sort_by_key(|failure| failure["code"].as_u64());
    assert_eq!(json!(failures), json!([{"code": 131_026, "count": 1}, {"code": 131_047, "count": 1}]));
    let accept = &total["accept_latency"];
    assert_eq!(accept["count"], 2, "{response:#}");
    let counts = accept["buckets"].as_array().unwrap().iter().map(|bucket| bucket["count"].as_u64().unwrap());
    assert_eq!(counts.sum::<u64>(), 2);
    assert!(accept["p50_ms"].as_u64() <= accept["p99_ms"].as_u64(), "{response:#}");
    assert_eq!(total["delivery_latency"]["count"], 1);

    let [from, to] = ["from", "to"].map(|end| response[end].as_str().unwrap().parse::<Timestamp>().unwrap());
    assert_eq!(to.since(from).as_secs(), 24 * 60 * 60);
    let hours = response["hours"].as_array().unwrap();
    let sum = |counter: &str| hours.iter().map(|hour| hour[counter].as_u64().unwrap()).sum::<u64>();
    assert_eq!(["received", "sent", "read", "failed"].map(sum), [2, 2, 1, 2], "{response:#}");
    assert!(hours.iter().all(|hour| hour["hour"].as_str().unwrap() >= response["from"].as_str().unwrap()));

    let earlier = app.get(&format!("/api/stats?sessionId={session_id}&to={from}")).await.json;
    assert_eq!((&earlier["to"], &earlier["hours"]), (&response["from"], &json!([])));
    assert_eq!((&earlier["total"]["sent"], &earlier["total"]["accept_latency"]), (&json!(0), &Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_the_stream_repeats_are_counted_when_they_succeed() {
    let (app, session_id) = TestApp::connected().await;
    app.deliver_messages(&json!([text_message("w.1", CUSTOMER, "hi")])).await;
    let message = app.items("message").await.remove(0);
    let image = app.item(message["pk"].as_str().unwrap(), message["sk"].as_str().unwrap()).await;
    let event = insert_event(&json!({"Keys": {"pk": image["pk"], "sk": image["sk"]}, "NewImage": image}));
    // The time of the record.
    let range = "from=2026-05-19T12:00:00Z&to=2026-05-19T13:00:00Z";
    let received =
        async || app.get(&format!("/api/stats?sessionId={session_id}&{range}")).await.json["total"]["received"].clone();

    app.wait_until("the message is counted", async || stats(&app, &session_id).await["total"]["received"] == 1).await;
    app.inject_function_fault("relay", "Query", Fault::InternalServerError, 3);
    assert_eq!(app.invoke("relay", &event).await, json!({"batchItemFailures": [{"itemIdentifier": "100"}]}));
    assert_eq!(received().await, 0);
    for _ in 0..2 {
        assert_eq!(app.invoke("relay", &event).await, json!({"batchItemFailures": []}));
        assert_eq!(received().await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_logged_if_counters_cannot_be_written() {
    let deny = |template: &str| {
        let (before, relay) = template.split_once("PolicyName: Relay").unwrap();
        let condition = r#"dynamodb:BatchWriteItem], Condition: { "ForAllValues:StringLike": { dynamodb:LeadingKeys: ["C*", SES*, W*] } } }"#;
        format!("{before}PolicyName: Relay{}", relay.replacen("dynamodb:BatchWriteItem] }", condition, 1))
    };
    let app = TestApp::start_with_template(deny, &[]).await;
    let session_id = app.connect("ada").await;
    app.deliver_messages(&json!([text_message("w.1", CUSTOMER, "hi")])).await;
    app.wait_until("the write is refused", async || app.has_logged(&["relay: WARN counters not written"])).await;
    app.wait_for_change(&session_id, "the message", |change| change["type"] == "message.received").await;
    // A second message is relayed only after the first batch is done.
    app.deliver_messages(&json!([text_message("w.2", CUSTOMER, "hello?")])).await;
    let is_received = async || {
        let changes = app.all_changes(&session_id, 0).await;
        changes.iter().filter(|change| change["type"] == "message.received").count() >= 2
    };
    app.wait_until("the second message is logged", is_received).await;
    let changes = app.all_changes(&session_id, 0).await;
    let received = changes.iter().filter(|change| change["type"] == "message.received").count();
    assert_eq!(received, 2, "no record is repeated: {changes:#?}");
    assert_eq!(stats(&app, &session_id).await["hours"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasure_of_a_session_includes_its_counters() {
    let (app, session_id) = TestApp::connected().await;
    app.deliver_messages(&json!([text_message("w.1", CUSTOMER, "hi")])).await;
    app.wait_until("the message is counted", async || app.items("stats").await.len() == 1).await;
    let other = SessionId::for_owner("bob");
    app.store().stats().add(&additions(&[received("1", NOW, "bob")])[0]).await.unwrap();
    app.wait_until("the session is erased", async || {
        app.delete(&format!("/api/session?sessionId={session_id}")).await.status == 200
    })
    .await;
    let items = app.items("stats").await;
    let partitions: Vec<&Value> = items.iter().map(|item| &item["pk"]).collect();
    assert_eq!(json!(partitions), json!([format!("STATS#{other}")]));
    assert_eq!(app.get(&format!("/api/stats?sessionId={session_id}")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_ranges_are_refused() {
    let (app, session_id) = TestApp::connected().await;
    for (query, error) in [
        ("from=2026-05-19T12:00:00Z&to=2026-05-19T12:00:00Z", "from must be before to"),
        ("from=2999-01-01T00:00:00Z", "from must be before to"),
        ("from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z", "up to 31 days apart"),
        ("from=yesterday", "from must be an RFC 3339 time"),
        ("to=2026-05-19", "to must be an RFC 3339 time"),
    ] {
        let response = app.get(&format!("/api/stats?sessionId={session_id}&{query}")).await;
        assert_eq!((response.status, &response.json["code"]), (400, &json!("invalid_query")), "{query}");
        assert!(response.json["error"].as_str().unwrap().contains(error), "{}", response.json);
    }
}
