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
        stats::{Counters, Range},
        time::Timestamp,
    },
    services::stats::count,
    store::Store,
};

use crate::contact_merging::database;

const NOW: &str = "2026-11-26T12:34:56.000Z";

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
    let nobody = fixture.store.stats().last_webhook_at(SessionId::for_owner("eve")).await.unwrap();
    assert_eq!(nobody, None);
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
