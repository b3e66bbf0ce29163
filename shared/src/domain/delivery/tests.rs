use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::message::Priority;

const NOW: i64 = 1_790_000_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_milliseconds(NOW + seconds * 1000).unwrap()
}

/// Returns a message that was accepted ten seconds ago, with these attributes.
fn message(attributes: &Value) -> OutboxMessage {
    let mut item = json!({
        "id": "018f0000-0000-7000-8000-000000000001", "chat_id": "3c1a3c50-5f0d-5d0e-9c7e-0b9e6f7a1c2d",
        "session_id": "3c1a3c50-5f0d-5d0e-9c7e-0b9e6f7a1c2e", "phone_number_id": "1", "type": "text", "from_me": true,
        "status": "pending", "timestamp": at(-10),
    });
    item.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
    serde_json::from_value(item).unwrap()
}

fn session(is_paused: bool, unknown_policy: UnknownPolicy) -> SessionState {
    SessionState { is_paused, unknown_policy }
}

/// Decides for a session that isn't paused and fails unknown messages, with capacity.
fn next(found: &OutboxMessage, previous: Option<&OutboxMessage>) -> Action {
    decide(found, session(false, UnknownPolicy::Fail), previous, at(0), at(0))
}

fn next_after(previous: &Value) -> Action {
    next(&message(&json!({})), Some(&message(previous)))
}

#[test]
fn pending_message_is_sent_when_nothing_delays_it() {
    assert_eq!(next(&message(&json!({})), None), Action::Send { pair_tat: at(6) });
    assert_eq!(next_after(&json!({"status": "read", "pair_tat": at(60)})), Action::Send { pair_tat: at(66) });
    let found = message(&json!({"not_before": at(0)}));
    assert_eq!(next(&found, None), Action::Send { pair_tat: at(6) });
}

#[test]
fn pending_message_waits_for_its_time_its_recipient_and_its_number() {
    let found = message(&json!({"not_before": at(5)}));
    assert_eq!(next(&found, None), Action::Wait(at(5)));
    // 45 messages at once, then one per 6 seconds.
    assert_eq!(next_after(&json!({"status": "sent", "pair_tat": at(270)})), Action::Wait(at(6)));
    let found = message(&json!({"valid_until": at(3)}));
    let previous = message(&json!({"status": "sent", "pair_tat": at(270)}));
    assert_eq!(next(&found, Some(&previous)), Action::Wait(at(3)));
    let limited = decide(&message(&json!({})), session(false, UnknownPolicy::Fail), None, at(2), at(0));
    assert_eq!(limited, Action::Wait(at(2)));
}

#[test]
fn expired_message_is_never_sent() {
    let found = message(&json!({"valid_until": at(0), "not_before": at(9)}));
    let previous = message(&json!({"status": "sending", "lease_until": at(20)}));
    assert_eq!(next(&found, Some(&previous)), Action::Expire);
    assert_eq!(decide(&found, session(true, UnknownPolicy::Fail), None, at(0), at(0)), Action::Expire);
}

#[test]
fn paused_session_waits_until_its_message_expires() {
    let paused = session(true, UnknownPolicy::Fail);
    let day = 24 * 60 * 60;
    assert_eq!(decide(&message(&json!({})), paused, None, at(0), at(0)), Action::Wait(at(day - 10)));
    let found = message(&json!({"valid_until": at(60), "not_before": at(5)}));
    assert_eq!(decide(&found, paused, None, at(0), at(0)), Action::Wait(at(60)));
}

#[test]
fn message_waits_for_an_unfinished_previous_one() {
    assert_eq!(next_after(&json!({"status": "sending", "lease_until": at(20)})), Action::WaitForPrevious(at(0)));
    assert_eq!(next_after(&json!({"status": "pending"})), Action::WaitForPrevious(at(0)));
    assert_eq!(next_after(&json!({"status": "pending", "not_before": at(30)})), Action::WaitForPrevious(at(30)));
    // New, and due if the stream misses it.
    assert_eq!(next_after(&json!({"status": "pending", "due_at": at(35)})), Action::WaitForPrevious(at(0)));
    assert_eq!(next_after(&json!({"status": "pending", "due_at": at(36)})), Action::WaitForPrevious(at(36)));
    let unknown = message(&json!({"status": "unknown", "due_at": at(50), "pair_tat": at(6)}));
    assert_eq!(next(&message(&json!({})), Some(&unknown)), Action::Send { pair_tat: at(12) });
    let found = message(&json!({}));
    let resend = session(false, UnknownPolicy::Resend);
    assert_eq!(decide(&found, resend, Some(&unknown), at(0), at(0)), Action::WaitForPrevious(at(50)));
}

#[test]
fn normal_message_promotes_a_pending_bulk_message() {
    let bulk = |status| json!({"status": status, "priority": "bulk"});
    assert_eq!(next_after(&bulk("pending")), Action::PromotePrevious);
    assert_eq!(next_after(&bulk("sending")), Action::WaitForPrevious(at(0)));
    let found = message(&bulk("pending"));
    assert_eq!(next(&found, Some(&message(&bulk("pending")))), Action::WaitForPrevious(at(0)));
    assert_eq!(next(&found, Some(&message(&json!({"status": "pending"})))), Action::WaitForPrevious(at(0)));
}

#[test]
fn claimed_message_is_interrupted_when_its_lease_has_ended() {
    let claimed = |lease_until| message(&json!({"status": "sending", "lease_until": lease_until}));
    let first = at(0).after(Duration::from_millis(1));
    assert_eq!(next(&claimed(at(0)), None), Action::Wait(first));
    assert_eq!(next(&claimed(at(-1)), None), Action::Interrupt);
    assert_eq!(next(&message(&json!({"status": "sending"})), None), Action::Interrupt);
}

#[test]
fn unknown_message_is_resolved_at_its_deadline() {
    let unknown = |due_at| message(&json!({"status": "unknown", "due_at": due_at}));
    assert_eq!(next(&unknown(at(1)), None), Action::Wait(at(1)));
    assert_eq!(next(&unknown(at(0)), None), Action::GiveUp);
    let resend = session(false, UnknownPolicy::Resend);
    assert_eq!(decide(&unknown(at(0)), resend, None, at(0), at(0)), Action::Resend);
}

fn statuses() -> impl Strategy<Value = &'static str> {
    let all = ["pending", "sending", "unknown", "sent", "failed", "undelivered", "delivered", "read", "played"];
    proptest::sample::select(all.to_vec())
}

fn times() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![Just(None), Just(Some(-1)), Just(Some(0)), Just(Some(1)), (-100_000i64..100_000).prop_map(Some)]
}

proptest! {
    /// Whatever the state: only a pending message of the Cloud API is sent, in order, within all of its limits; and a
    /// wait ends in the future, at the latest when the message expires.
    #[test]
    fn messages_are_sent_only_if_everything_allows_it(
        (status, channel, priority) in (statuses(), prop_oneof!["cloud_api", "worker"], prop_oneof!["normal", "bulk"]),
        (not_before, due_at, lease_until, valid_until) in (times(), times(), times(), times()),
        previous in proptest::option::of((statuses(), times(), times(), times(), prop_oneof!["normal", "bulk"])),
        (is_paused, resends) in any::<(bool, bool)>(),
        capacity in times(),
    ) {
        let time = |seconds: Option<i64>| seconds.map(at);
        let found = message(&json!({
            "status": status, "channel": channel, "priority": priority, "not_before": time(not_before),
            "due_at": time(due_at), "lease_until": time(lease_until), "valid_until": time(valid_until),
        }));
        let previous = previous.map(|(status, not_before, due_at, pair_tat, priority)| {
            message(&json!({
                "status": status, "not_before": time(not_before), "due_at": time(due_at), "pair_tat": time(pair_tat),
                "priority": priority,
            }))
        });
        let policy = if resends { UnknownPolicy::Resend } else { UnknownPolicy::Fail };
        let now = at(0);
        let capacity = time(capacity).unwrap_or(now);
        let action = decide(&found, session(is_paused, policy), previous.as_ref(), capacity, now);
        let is_pending = found.message.status == MessageStatus::Pending && channel == "cloud_api";
        match action {
            Action::Send { .. } => {
                prop_assert!(is_pending && !is_paused && expires_at(&found.message) > now && capacity <= now);
                prop_assert!(found.not_before.is_none_or(|not_before| not_before <= now));
                prop_assert!(previous.is_none_or(|previous| allows_next(previous.message.status, policy)));
            }
            Action::Expire => prop_assert!(is_pending && expires_at(&found.message) <= now),
            Action::Wait(until) => {
                prop_assert!(until > now && (!is_pending || until <= expires_at(&found.message)));
            }
            Action::WaitForPrevious(until) => {
                prop_assert!(is_pending && until >= now && until <= expires_at(&found.message));
                prop_assert!(!allows_next(previous.unwrap().message.status, policy));
            }
            Action::PromotePrevious => {
                let previous = previous.unwrap();
                prop_assert!(is_pending && found.message.priority == Priority::Normal);
                prop_assert!(previous.message.priority == Priority::Bulk);
                prop_assert!(previous.message.status == MessageStatus::Pending);
            }
            Action::Interrupt => prop_assert_eq!(found.message.status, MessageStatus::Sending),
            Action::GiveUp => prop_assert!(found.message.status == MessageStatus::Unknown && !resends),
            Action::Resend => prop_assert!(found.message.status == MessageStatus::Unknown && resends),
            Action::Finished => prop_assert!(found.message.status.is_final() || channel == "worker"),
        }
    }
}
