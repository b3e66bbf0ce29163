use proptest::prelude::*;

use super::*;
use crate::domain::{
    change::{ChangeType, NewChange, Subject},
    id::{ChangeId, SessionId},
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_790_000_000 + seconds).unwrap()
}

fn change() -> Change {
    Change {
        session_id: SessionId::for_owner("ada"),
        sequence: 7,
        appended_at: at(0),
        change: NewChange {
            id: ChangeId::from_uuid(Uuid::nil()),
            kind: ChangeType::MessageReceived,
            at: at(0),
            chat_id: None,
            subject: Subject::Session,
        },
    }
}

fn attempt(status: Option<u16>) -> WebhookAttempt {
    WebhookAttempt { at: at(0), duration_ms: 5, status, response: None, error: None, retry_after_seconds: None }
}

fn waiting() -> WebhookDelivery {
    WebhookDelivery::waiting(WebhookId::from_uuid(Uuid::nil()), change(), at(7 * 86_400), at(0))
}

fn failed_once() -> WebhookDelivery {
    let id = WebhookId::from_uuid(Uuid::nil());
    WebhookDelivery::failed(id, change(), attempt(Some(500)), at(7 * 86_400), at(0), Uuid::nil())
}

fn after(delivery: &WebhookDelivery, event: DeliveryEvent, now: Timestamp) -> WebhookDelivery {
    delivery.on(event, now, Uuid::nil()).unwrap()
}

#[test]
fn statuses_of_a_receiver_have_meanings() {
    for (status, result) in [
        (Some(199), AttemptResult::Failed(None)),
        (Some(200), AttemptResult::Delivered),
        (Some(204), AttemptResult::Delivered),
        (Some(299), AttemptResult::Delivered),
        (Some(301), AttemptResult::Failed(None)),
        (Some(410), AttemptResult::Gone),
        (Some(429), AttemptResult::Overloaded(None)),
        (Some(502), AttemptResult::Overloaded(None)),
        (Some(503), AttemptResult::Failed(None)),
        (Some(504), AttemptResult::Overloaded(None)),
        (None, AttemptResult::Failed(None)),
    ] {
        assert_eq!(attempt(status).result(), result, "{status:?}");
    }
}

#[test]
fn a_delivery_fails_after_ten_retries() {
    let mut delivery = failed_once();
    let mut now = at(0);
    let mut retries = 0;
    while let Some(due_at) = delivery.due_at {
        assert_eq!(delivery.status, DeliveryStatus::Retrying);
        now = due_at;
        delivery = after(&delivery, DeliveryEvent::Attempted(attempt(None)), now);
        retries += 1;
    }
    assert_eq!((delivery.status, retries), (DeliveryStatus::Failed, 10));
    assert_eq!((delivery.attempt_count, delivery.attempts.len()), (11, 10));
    assert!(now.since(at(0)) > Duration::from_secs(2 * 86_400));
}

#[test]
fn a_delivery_fails_if_its_change_expires_before_the_next_attempt() {
    let id = WebhookId::from_uuid(Uuid::nil());
    let fail = |expires_at| WebhookDelivery::failed(id, change(), attempt(None), expires_at, at(0), Uuid::nil());
    assert_eq!(fail(at(5)).status, DeliveryStatus::Retrying);
    assert_eq!(fail(at(4)).status, DeliveryStatus::Failed);
}

#[test]
fn a_requested_retry_starts_the_schedule_again() {
    let mut delivery = failed_once();
    while let Some(due_at) = delivery.due_at {
        delivery = after(&delivery, DeliveryEvent::Attempted(attempt(None)), due_at);
    }
    let now = at(6 * 86_400);
    let retried = after(&delivery, DeliveryEvent::RetryRequested, now);
    assert_eq!((retried.status, retried.due_at), (DeliveryStatus::Retrying, Some(now)));
    // It failed long ago, so the chat doesn't wait for it.
    assert!(retried.blocks_until().unwrap() < now);
    let failed = after(&retried, DeliveryEvent::Attempted(attempt(None)), now);
    assert_eq!((failed.status, failed.due_at), (DeliveryStatus::Retrying, Some(now.after(Duration::from_secs(4)))));
    let delivered = after(&failed, DeliveryEvent::Attempted(attempt(Some(200))), now);
    assert_eq!((delivered.status, delivered.due_at, delivered.blocks_until()), (DeliveryStatus::Delivered, None, None));
    assert_eq!(after(&delivered, DeliveryEvent::RetryRequested, now).status, DeliveryStatus::Retrying);
}

#[test]
fn a_new_delivery_of_a_replay_keeps_the_attempts_of_the_earlier_one_and_blocks_its_chat() {
    let delivered = after(&failed_once(), DeliveryEvent::Attempted(attempt(Some(200))), at(10));
    let id = WebhookId::from_uuid(Uuid::nil());
    let now = at(10_000);
    let waits = WebhookDelivery::waiting(id, change(), at(7 * 86_400), now).replacing(&delivered);
    assert_eq!((waits.status, waits.blocks_until()), (DeliveryStatus::Waiting, Some(at(13_600))));
    assert_eq!((waits.attempt_count, &waits.attempts), (2, &delivered.attempts));
    let failed = WebhookDelivery::failed(id, change(), attempt(None), at(7 * 86_400), now, Uuid::nil());
    let failed = failed.replacing(&delivered);
    assert_eq!(
        (failed.status, failed.failures, failed.blocks_until()),
        (DeliveryStatus::Retrying, 1, Some(at(13_600)))
    );
    assert_eq!((failed.attempt_count, failed.attempts.last()), (3, Some(&attempt(None))));
}

#[test]
fn a_failed_delivery_blocks_its_chat_for_an_hour_after_its_first_failure() {
    let delivery = failed_once();
    assert_eq!(delivery.blocks_until(), Some(at(3_600)));
    let again = after(&delivery, DeliveryEvent::Attempted(attempt(None)), at(1_000));
    assert_eq!(again.blocks_until(), Some(at(3_600)));
    let first = after(&waiting(), DeliveryEvent::Attempted(attempt(None)), at(1_000));
    assert_eq!(first.blocks_until(), Some(at(4_600)));
}

#[test]
fn a_waiting_delivery_is_due_when_its_chat_is_unblocked_or_after_an_hour() {
    let delivery = waiting();
    assert!(delivery.is_due(false, at(1)));
    assert!(!delivery.is_due(true, at(3_599)));
    assert!(delivery.is_due(true, at(3_600)));
    // A delivery that was unblocked, and then blocked again, still waits.
    let unblocked = after(&delivery, DeliveryEvent::Unblocked, at(10));
    assert_eq!(unblocked.due_at, Some(at(10)));
    assert!(!unblocked.is_due(true, at(11)));
    assert_eq!(after(&unblocked, DeliveryEvent::Blocked, at(11)), delivery);
    assert_eq!(delivery.on(DeliveryEvent::Blocked, at(11), Uuid::nil()), None);
    assert!(!after(&delivery, DeliveryEvent::Suspended, at(1)).is_due(false, at(2)));
}

#[test]
fn a_retry_is_due_on_time_even_if_its_chat_is_blocked() {
    let delivery = failed_once();
    assert!(!delivery.is_due(false, at(3)));
    assert!(delivery.is_due(false, at(4)) && delivery.is_due(true, at(4)));
}

fn events() -> impl Strategy<Value = DeliveryEvent> {
    let status = prop::sample::select(vec![None, Some(100), Some(200), Some(302), Some(410), Some(429), Some(500)]);
    let retry_after = prop::option::of(prop_oneof![Just(0), Just(u64::MAX), 0..100_000_u64]);
    prop_oneof![
        4 => (status, retry_after).prop_map(|(status, retry_after_seconds)| {
            DeliveryEvent::Attempted(WebhookAttempt { retry_after_seconds, ..attempt(status) })
        }),
        1 => Just(DeliveryEvent::RetryRequested),
        1 => Just(DeliveryEvent::Unblocked),
        1 => Just(DeliveryEvent::Blocked),
        1 => Just(DeliveryEvent::Suspended),
        1 => Just(DeliveryEvent::Resumed),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_a_delivery_keeps_its_invariants(
        starts_waiting in any::<bool>(),
        steps in proptest::collection::vec((events(), 0..100_000_i64, any::<u128>()), 0..60),
        expires in prop_oneof![Just(0_i64), Just(1), Just(86_400), Just(i64::from(u32::MAX))],
    ) {
        let id = WebhookId::from_uuid(Uuid::nil());
        let mut delivery = if starts_waiting {
            WebhookDelivery::waiting(id, change(), at(expires), at(0))
        } else {
            WebhookDelivery::failed(id, change(), attempt(None), at(expires), at(0), Uuid::nil())
        };
        let mut now = at(0);
        let mut attempts = u32::from(!starts_waiting);
        for (event, seconds, random) in steps {
            now = now.after(Duration::from_secs(u64::try_from(seconds).unwrap()));
            let is_success = matches!(&event, DeliveryEvent::Attempted(attempt) if attempt.result() == AttemptResult::Delivered);
            let is_attempt = matches!(event, DeliveryEvent::Attempted(_));
            let Some(next) = delivery.on(event.clone(), now, Uuid::from_u128(random)) else {
                prop_assert!(!is_success && event != DeliveryEvent::RetryRequested);
                continue;
            };
            attempts += u32::from(is_attempt);
            let is_suspended = event == DeliveryEvent::Suspended;
            prop_assert_eq!(next.status == DeliveryStatus::Delivered, is_success);
            prop_assert_eq!(next.attempt_count, attempts);
            prop_assert!(next.attempts.len() <= MAX_ATTEMPTS_KEPT);
            prop_assert_eq!(&next.change, &delivery.change);
            // An open delivery is in the index of due items, unless its webhook is disabled.
            prop_assert_eq!(next.due_at.is_some(), next.status.is_open() && !is_suspended);
            // An attempt isn't repeated at once.
            if is_attempt {
                prop_assert!(next.due_at.is_none_or(|due_at| due_at >= now.after(Duration::from_secs(4))));
            }
            delivery = next;
        }
    }
}
