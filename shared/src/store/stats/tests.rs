use super::*;
use crate::{
    domain::id::content_id,
    store::item::{self, write},
};

fn hour() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// Counters with every attribute, each larger than in an hour of 2,000 messages per second.
fn largest() -> Counters {
    let most = 9_999_999;
    let histogram = Histogram { counts: [most; _], sum_ms: u64::MAX };
    Counters {
        received: most,
        sent: most,
        delivered: most,
        read: most,
        failed: most,
        codes: (9_999_984..=9_999_999).map(|code| (code, most)).collect(),
        accept_latency: histogram.clone(),
        delivery_latency: histogram,
        last_webhook_at: Some(Timestamp::MAX),
    }
}

fn addition(counters: Counters) -> Addition {
    Addition { session_id: SessionId::for_owner("ada"), hour: hour(), id: content_id("1"), counters }
}

/// Returns the item that an addition creates.
fn created(counters: &Counters) -> Item {
    let Addition { session_id, hour, id, .. } = addition(counters.clone());
    let mut item = write(STATS, &Key::stats(session_id, hour), &serde_json::json!({})).unwrap();
    item.extend(numbers(counters).into_iter().map(|(name, count)| (name, number(count))));
    item.extend(counters.last_webhook_at.map(|at| ("last_webhook_at".to_owned(), at.attribute())));
    item.insert("batch".to_owned(), id.attribute());
    item.insert("expires_at".to_owned(), number(hour.after(LIFETIME).seconds()));
    if !counters.codes.is_empty() {
        item.insert(CODES.to_owned(), AttributeValue::Ns(counters.codes.keys().map(ToString::to_string).collect()));
    }
    item
}

#[test]
fn an_hour_costs_one_write_unit_and_reads_back() {
    let item = created(&largest());
    assert!(item::size(&item) < 1_024, "{} bytes", item::size(&item));
    assert_eq!(read(&item).unwrap(), (hour(), largest()));
    // Neither key of an index.
    assert!(["id", "wamid_key", "inbox_key", "due_key"].iter().all(|key| !item.contains_key(*key)));
    assert_eq!(read(&created(&Counters::default())).unwrap(), (hour(), Counters::default()));
}

#[test]
fn an_hour_with_a_wrong_attribute_is_unreadable() {
    for value in [string("1"), number("1.5"), number(-1)] {
        let mut item = created(&Counters::default());
        item.insert("sent".to_owned(), value.clone());
        assert!(read(&item).is_err(), "{value:?}");
    }
}

#[test]
fn only_what_is_counted_is_written() {
    assert_eq!(numbers(&Counters { sent: 2, ..Counters::default() }), HashMap::from([("sent".to_owned(), 2)]));
}
