use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::{
    id::{ChatId, MessageId},
    identity::Identity,
    message::{DeliveryEvent, Receipt},
};

/// 12:34:56 on some day, and when the message of [`key`] was stored, a second before.
const NOW: i64 = 1_795_437_296_000;

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_milliseconds(milliseconds).unwrap()
}

fn session_id() -> SessionId {
    SessionId::for_owner("ada")
}

fn key() -> MessageKey {
    let chat_id = ChatId::for_identity(session_id(), &Identity::Group("1".to_owned()));
    MessageKey { chat_id, time: at(NOW - 1_000), message_id: MessageId::for_inbound("1", "a") }
}

/// A message that the API sends, unless `attributes` say otherwise.
fn message(attributes: &Value) -> MessageState {
    let mut all = json!({"session_id": session_id(), "type": "text", "from_me": true, "status": "pending"});
    all.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
    let state: MessageState = serde_json::from_value(all).unwrap();
    MessageState { status_rank: state.status_rank.max(state.status.rank()), ..state }
}

fn record(event_id: &str, milliseconds: i64, write: Write) -> StreamRecord {
    StreamRecord { event_id: event_id.to_owned(), at: at(milliseconds), write }
}

fn new(attributes: Value) -> Write {
    Write::NewMessage { key: key(), after: Box::new(message(&attributes)) }
}

fn update(before: Value, after: Value) -> Write {
    Write::Message { key: key(), before: Box::new(message(&before)), after: Box::new(message(&after)) }
}

/// What a write counts, without the time of the webhook.
fn counts(write: Write) -> Counters {
    let counters = additions(&[record("1", NOW, write)]).pop().map(|addition| addition.counters);
    Counters { last_webhook_at: None, ..counters.unwrap_or_default() }
}

fn histogram(times: &[(u64, u64)]) -> Histogram {
    let mut histogram = Histogram::default();
    for (time, precision) in times {
        histogram.add(Duration::from_millis(*time), Duration::from_millis(*precision));
    }
    histogram
}

#[test]
fn messages_of_contacts_are_received() {
    let received = |attributes: Value| {
        let mut all = json!({"from_me": false, "status": "received"});
        all.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
        counts(new(all)).received
    };
    for counted in [
        json!({}),
        json!({"type": "image"}),
        json!({"type": "unsupported"}),
        json!({"source": "device"}),
        json!({"source": "standby"}),
    ] {
        assert_eq!(received(counted.clone()), 1, "{counted}");
    }
    for other in [
        json!({"type": "reaction"}),
        json!({"type": "edit"}),
        json!({"type": "revoke"}),
        json!({"type": "system"}),
        json!({"type": "call"}),
        json!({"type": "request_welcome"}),
        json!({"source": "history"}),
        json!({"from_me": true, "status": "pending"}),
        json!({"from_me": true, "status": "sent", "source": "echo"}),
        json!({"from_me": true, "status": "sent", "source": "device"}),
    ] {
        assert_eq!(received(other.clone()), 0, "{other}");
    }
    // An edit rewrites the message that it is about.
    assert_eq!(counts(update(json!({"from_me": false}), json!({"from_me": false}))), Counters::default());
}

#[test]
fn a_status_implies_the_earlier_ones() {
    let counted = |before: &str, after: &str| {
        let Counters { sent, delivered, read, failed, .. } =
            counts(update(json!({"status": before}), json!({"status": after})));
        (sent, delivered, read, failed)
    };
    assert_eq!(counted("pending", "sending"), (0, 0, 0, 0));
    assert_eq!(counted("sending", "unknown"), (0, 0, 0, 0));
    assert_eq!(counted("sending", "sent"), (1, 0, 0, 0));
    assert_eq!(counted("unknown", "delivered"), (1, 1, 0, 0));
    assert_eq!(counted("sent", "read"), (0, 1, 1, 0));
    assert_eq!(counted("delivered", "read"), (0, 0, 1, 0));
    assert_eq!(counted("sending", "played"), (1, 1, 1, 0));
    assert_eq!(counted("read", "played"), (0, 0, 0, 0));
    assert_eq!(counted("sending", "failed"), (0, 0, 0, 1));
    // A message that was given up was delivered after all.
    assert_eq!(counted("failed", "delivered"), (1, 1, 0, 0));
    assert_eq!(counted("sent", "sent"), (0, 0, 0, 0));
}

#[test]
fn statuses_of_messages_that_another_device_sent_are_not_counted() {
    for (source, sent) in [(Value::Null, 1), (json!("auto_reply"), 1), (json!("echo"), 0), (json!("device"), 0)] {
        let of = |status: &str| json!({"status": status, "source": source});
        assert_eq!(counts(update(of("sending"), of("sent"))).sent, sent, "{source}");
    }
    let history = |status: &str| json!({"status": status, "source": "history"});
    assert_eq!(counts(update(history("sent"), history("read"))), Counters::default());
}

#[test]
fn failures_have_the_code_of_the_status_or_of_the_rejection() {
    let attempt = |outcome: &str, code: Value| json!({"at": at(NOW), "outcome": outcome, "code": code});
    let undelivered = MessageStatus::Undelivered.rank();
    for (after, code) in [
        (
            json!({"attempts": [attempt("not_sent", json!(130_429)), attempt("rejected", json!(131_047))]}),
            Some(131_047),
        ),
        // The message expired: the last attempt isn't the reason.
        (json!({"attempts": [attempt("not_sent", json!(130_429))]}), None),
        (json!({}), None),
        (json!({"attempts": [attempt("rejected", Value::Null)]}), None),
        (json!({"status_rank": undelivered, "errors": [{"code": 131_026}, {"code": 1}]}), Some(131_026)),
        // The code of an attempt before WhatsApp accepted the message isn't the reason either.
        (json!({"status_rank": undelivered, "attempts": [attempt("rejected", json!(1))]}), None),
        (json!({"status_rank": undelivered, "errors": [{"title": "no code"}]}), None),
        (json!({"status_rank": undelivered, "errors": [{"code": -1}]}), None),
        (json!({"status_rank": undelivered, "errors": [{"code": 10_000_000}]}), None),
    ] {
        let mut state = json!({"status": "failed"});
        state.as_object_mut().unwrap().extend(after.as_object().unwrap().clone());
        let counters = counts(update(json!({"status": "sending"}), state));
        assert_eq!((counters.failed, counters.failures()), (1, vec![(code, 1)]), "{after}");
        assert_eq!(counters.sent, u64::from(after["status_rank"].is_number()), "{after}");
    }
    // The code of a failure that was counted before.
    let failed = |rank: u8| json!({"status": "failed", "status_rank": rank});
    assert_eq!(counts(update(failed(MessageStatus::Failed.rank()), failed(undelivered))).failed, 0);
}

#[test]
fn latencies_count_once_both_times_are_known() {
    let (accepted, delivered) = (at(NOW - 600), at(NOW + 2_000));
    let sending = json!({"status": "sending"});
    let sent = json!({"status": "sent", "accepted_at": accepted});
    let both = json!({"status": "delivered", "accepted_at": accepted, "delivered_at": delivered});
    let early = json!({"status": "delivered", "delivered_at": delivered});
    let (accept, delivery) = (histogram(&[(400, 0)]), histogram(&[(3_000, 1_000)]));
    let of = |before: &Value, after: &Value| {
        let counters = counts(update(before.clone(), after.clone()));
        (counters.accept_latency, counters.delivery_latency)
    };
    assert_eq!(of(&sending, &sent), (accept.clone(), Histogram::default()));
    assert_eq!(of(&sent, &both), (Histogram::default(), delivery.clone()));
    // The status came before the response to the send.
    assert_eq!(of(&sending, &early), (Histogram::default(), Histogram::default()));
    assert_eq!(of(&early, &both), (accept, delivery));
    assert_eq!(of(&both, &both), (Histogram::default(), Histogram::default()));
}

#[test]
fn the_last_webhook_is_one_of_whatsapp() {
    let last = |write: Write| {
        let received = new(json!({"from_me": false, "status": "received", "source": "device"}));
        let records = [record("1", NOW - 1_000, received), record("2", NOW, write)];
        additions(&records).pop().unwrap().counters.last_webhook_at
    };
    let from_contact = |attributes: Value| {
        let mut all = json!({"from_me": false, "status": "received"});
        all.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
        new(all)
    };
    let status = |status: &str| update(json!({"status": "sending"}), json!({"status": status}));
    for write in [
        from_contact(json!({})),
        from_contact(json!({"type": "reaction"})),
        from_contact(json!({"source": "standby"})),
        new(json!({"status": "sent", "source": "echo"})),
        status("delivered"),
        update(json!({"status": "read"}), json!({"status": "played"})),
    ] {
        assert_eq!(last(write.clone()), Some(at(NOW)), "{write:?}");
    }
    let by_worker = |status: &str| json!({"status": status, "channel": "worker"});
    for write in [
        from_contact(json!({"source": "device"})),
        new(json!({"status": "sent", "source": "device"})),
        new(json!({})),
        new(json!({"source": "auto_reply"})),
        status("sent"),
        status("failed"),
        update(by_worker("sent"), by_worker("read")),
        update(json!({"status": "delivered"}), json!({"status": "delivered", "delivered_at": at(NOW)})),
    ] {
        assert_eq!(last(write.clone()), None, "{write:?}");
    }
    // The time alone isn't worth a write.
    assert_eq!(additions(&[record("1", NOW, from_contact(json!({"type": "reaction"})))]), []);
}

#[test]
fn a_batch_has_one_addition_for_each_session_and_hour() {
    let hour = at(NOW).start_of(HOUR);
    let of =
        |owner: &str| new(json!({"from_me": false, "status": "received", "session_id": SessionId::for_owner(owner)}));
    let records = [
        record("1", NOW, of("ada")),
        record("2", NOW + 1_000, of("bob")),
        record("3", NOW + 1_000, of("ada")),
        record("4", NOW, Write::Other),
        record("5", NOW + 3_600_000, of("ada")),
    ];
    let mut found: Vec<_> = additions(&records);
    found.sort_by_key(|addition| (addition.counters.received, addition.hour));
    let expected = [("bob", hour, 1), ("ada", hour.after(HOUR), 1), ("ada", hour, 2)];
    let of = |(owner, hour, received)| (SessionId::for_owner(owner), hour, received);
    let mut found: Vec<_> =
        found.iter().map(|addition| (addition.session_id, addition.hour, addition.counters.received)).collect();
    let mut expected = expected.map(of);
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);

    // The ID is that of the counted records.
    let id = |records: &[StreamRecord]| additions(records)[0].id;
    let with_other = [records[3].clone(), records[0].clone()];
    assert_eq!(id(&records[..1]), id(&with_other));
    assert_ne!(id(&records[..1]), id(&[records[0].clone(), records[2].clone()]));
}

#[test]
fn the_least_frequent_new_codes_are_dropped() {
    let codes = |codes: &[(u32, u64)]| codes.iter().copied().collect::<BTreeMap<_, _>>();
    let known: BTreeSet<u32> = (1..=15).collect();
    let counters =
        Counters { failed: 10, codes: codes(&[(1, 1), (100, 2), (101, 3), (102, 4)]), ..Counters::default() };
    assert_eq!(counters.clone().limited(&BTreeSet::new()), counters);
    let limited = counters.clone().limited(&known);
    assert_eq!(limited.codes, codes(&[(1, 1), (102, 4)]));
    assert_eq!(limited.failures(), [(Some(102), 4), (Some(1), 1), (None, 5)]);
    assert_eq!(counters.limited(&(1..=16).collect()).codes, codes(&[(1, 1)]));
}

#[test]
fn a_time_is_in_the_bucket_of_the_longest_that_it_can_stand_for() {
    for (time, precision, bound) in [
        (0, 0, 50),
        (50, 0, 50),
        (51, 0, 100),
        (0, 1_000, 1_000),
        (1_000, 1_000, 2_000),
        (2_592_000_000, 0, 2_592_000_000),
        (u64::MAX, 1_000, 2_592_000_000),
    ] {
        let histogram = histogram(&[(time, precision)]);
        assert_eq!(histogram.buckets().collect::<Vec<_>>(), [(bound, 1)], "{time}");
        assert_eq!(histogram.mean_ms(), Some(time.min(2_592_000_000)), "{time}");
    }
    let empty = Histogram::default();
    assert_eq!((empty.mean_ms(), empty.percentile_ms(50), empty.buckets().count()), (None, None, 0));
}

#[test]
fn a_range_has_the_hours_of_its_times() {
    let parse = |text: &str| text.parse::<Timestamp>().unwrap();
    let now = parse("2026-11-23T12:34:56Z");
    let range = |from: Option<&str>, to: Option<&str>| {
        let range = Range::new(from.map(parse), to.map(parse), now)?;
        Ok((range.from.to_string(), range.to.to_string()))
    };
    let hours = |from: &str, to: &str| Ok((format!("2026-{from}:00:00.000Z"), format!("2026-{to}:00:00.000Z")));
    assert_eq!(range(None, None), hours("11-22T13", "11-23T13"));
    assert_eq!(range(Some("2026-11-23T10:20:00Z"), None), hours("11-23T10", "11-23T13"));
    assert_eq!(range(None, Some("2026-11-20T10:20:00Z")), hours("11-19T11", "11-20T11"));
    assert_eq!(range(None, Some("2026-11-20T10:00:00Z")), hours("11-19T10", "11-20T10"));
    assert_eq!(range(Some("2026-11-20T10:00:00Z"), Some("2026-11-20T11:00:00Z")), hours("11-20T10", "11-20T11"));
    assert_eq!(range(Some("2026-10-01T00:00:00Z"), Some("2026-11-01T00:00:00Z")), hours("10-01T00", "11-01T00"));
    let too_long = range(Some("2026-10-01T00:00:00Z"), Some("2026-11-01T00:00:00.001Z"));
    assert_eq!(too_long, Err(RangeError::TooLong));
    for from in ["2026-11-23T12:34:56Z", "2026-11-23T12:35:00Z"] {
        assert_eq!(range(Some(from), None), Err(RangeError::Empty), "{from}");
    }
}

fn histograms() -> impl Strategy<Value = Histogram> {
    prop::collection::vec((0..5_000_000_000_u64, prop::sample::select(vec![0, 1_000])), 0..20)
        .prop_map(|times| histogram(&times))
}

fn counters() -> impl Strategy<Value = Counters> {
    let numbers = prop::array::uniform5(0..1_000_u64);
    let codes = prop::collection::btree_map(0..30_u32, 1..9_u64, 0..20);
    let last = prop::option::of((0..NOW).prop_map(at));
    (numbers, codes, histograms(), histograms(), last).prop_map(
        |([received, sent, delivered, read, more], codes, accept_latency, delivery_latency, last_webhook_at)| {
            Counters {
                received,
                sent,
                delivered,
                read,
                failed: codes.values().sum::<u64>() + more,
                codes,
                accept_latency,
                delivery_latency,
                last_webhook_at,
            }
        },
    )
}

/// The events of a message, each of which can come at any time.
fn events() -> impl Strategy<Value = Vec<DeliveryEvent>> {
    use DeliveryEvent as E;
    let events = [
        E::Claimed,
        E::NotSent,
        E::Unanswered,
        E::Accepted,
        E::Rejected,
        E::GivenUp,
        E::Resent,
        E::Expired,
        E::Receipt(Receipt::Sent),
        E::Receipt(Receipt::Delivered),
        E::Receipt(Receipt::Read),
        E::Receipt(Receipt::Played),
    ];
    prop::collection::vec(prop::sample::select(events.to_vec()), 0..20)
}

proptest! {
    #[test]
    fn merging_is_a_sum(one in counters(), two in counters(), three in counters()) {
        let merged = |parts: &[&Counters]| {
            let mut all = Counters::default();
            parts.iter().for_each(|part| all.merge(part));
            all
        };
        prop_assert_eq!(merged(&[&one]), one.clone());
        prop_assert_eq!(merged(&[&one, &two]), merged(&[&two, &one]));
        prop_assert_eq!(merged(&[&merged(&[&one, &two]), &three]), merged(&[&one, &merged(&[&two, &three])]));
        prop_assert_eq!(merged(&[&one, &two]).received, one.received + two.received);
    }

    #[test]
    fn failures_are_all_failures(counters in counters(), known in prop::collection::btree_set(0..30_u32, 0..20)) {
        let limited = counters.clone().limited(&known);
        for counters in [&counters, &limited] {
            prop_assert_eq!(counters.failures().iter().map(|(_, count)| count).sum::<u64>(), counters.failed);
        }
        let codes: BTreeSet<u32> = limited.codes.keys().copied().chain(known.iter().copied()).collect();
        prop_assert!(codes.len() <= MAX_CODES.max(known.len()));
    }

    #[test]
    fn percentiles_are_bounds(times in prop::collection::vec(0..3_000_000_u64, 1..50), percent in 1..=100_u64) {
        let found = histogram(&times.iter().map(|time| (*time, 0)).collect::<Vec<_>>());
        let bound = found.percentile_ms(percent).unwrap();
        let within = times.iter().filter(|time| **time <= bound).count();
        prop_assert!(within * 100 >= times.len() * usize::try_from(percent).unwrap());
        prop_assert!(found.percentile_ms(percent) <= found.percentile_ms(100));
        prop_assert_eq!(found.mean_ms().unwrap(), times.iter().sum::<u64>() / found.count());
    }

    #[test]
    fn a_message_counts_once_whatever_its_history(events in events(), cuts in prop::collection::vec(any::<bool>(), 21)) {
        let mut status = MessageStatus::Pending;
        let mut states = vec![status];
        for event in events {
            status = status.on(event).unwrap_or(status);
            states.push(status);
        }
        let writes = states.windows(2).map(|pair| {
            let state = |status: MessageStatus| Box::new(MessageState { status_rank: status.rank(), ..message(&json!({})) });
            Write::Message { key: key(), before: state(pair[0]), after: state(pair[1]) }
        });
        let records: Vec<_> = writes.enumerate().map(|(at, write)| record(&at.to_string(), NOW, write)).collect();
        // However the stream cuts the records into batches.
        let (mut total, mut batch) = (Counters::default(), Vec::new());
        for (record, cut) in records.iter().zip(cuts) {
            batch.push(record.clone());
            if cut {
                additions(&std::mem::take(&mut batch)).iter().for_each(|addition| total.merge(&addition.counters));
            }
        }
        additions(&batch).iter().for_each(|addition| total.merge(&addition.counters));
        let reached = |wanted: MessageStatus| u64::from(states.iter().any(|status| status.rank() >= wanted.rank()));
        prop_assert_eq!(total.sent, reached(MessageStatus::Sent));
        prop_assert_eq!(total.delivered, reached(MessageStatus::Delivered));
        prop_assert_eq!(total.read, reached(MessageStatus::Read));
        prop_assert_eq!(total.failed, u64::from(states.contains(&MessageStatus::Failed)));
    }

    #[test]
    fn a_range_contains_its_times_and_has_full_hours(from in 0..NOW, length in 1..=2_678_400_000_i64, now in 0..NOW) {
        let (from, to) = (at(from), at(from + length));
        let range = Range::new(Some(from), Some(to), at(now)).unwrap();
        prop_assert!(range.from <= from && to <= range.to);
        prop_assert!(from.since(range.from) < HOUR && range.to.since(to) < HOUR);
        prop_assert_eq!((range.from.start_of(HOUR), range.to.start_of(HOUR)), (range.from, range.to));
    }
}
