//! The health of a receiver: when to back off, and when to disable its webhook.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    AttemptResult,
    retry::{MAX_RETRY_AFTER, jittered},
};
use crate::domain::time::Timestamp;

/// The number of failures in a row after which deliveries stop for a while.
const FAILURES_BEFORE_BACKOFF: u32 = 10;

/// The first pause. Each further one without a success between is twice as long.
const FIRST_BACKOFF: Duration = Duration::from_secs(5);

/// The longest pause, unless the receiver asks for a longer one.
const MAX_BACKOFF: Duration = Duration::from_secs(5 * 60);

/// A webhook is disabled after this time without a success, and this many failures.
const MAX_FAILING_TIME: Duration = Duration::from_secs(5 * 24 * 60 * 60);
const FAILURES_BEFORE_DISABLING: u32 = 20;

/// How many chats are delivered concurrently to a healthy receiver.
const MAX_CONCURRENT_CHATS: usize = 16;

/// The results of a receiver's last attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointHealth {
    /// The number of failures since the last success.
    #[serde(default)]
    pub failures: u32,
    /// When the first of them was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// When an attempt succeeded last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success_at: Option<Timestamp>,
    /// The number of pauses since the last success.
    #[serde(default)]
    pub backoffs: u32,
    /// When deliveries continue after a pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

impl EndpointHealth {
    /// Returns whether the result of an attempt tells something about the receiver. A change that fails again doesn't: the
    /// receiver may reject only this one. It does if it is the probe after a pause.
    pub fn counts(&self, result: AttemptResult, is_repeat: bool) -> bool {
        !is_repeat || self.is_probing() || !matches!(result, AttemptResult::Failed(_))
    }

    /// Records the result of an attempt that counts.
    pub fn record(&mut self, result: AttemptResult, now: Timestamp) {
        match result {
            AttemptResult::Delivered => {
                *self = Self { last_success_at: Some(now), ..Self::default() };
            }
            AttemptResult::Overloaded(_) | AttemptResult::Failed(_) => {
                self.failures = self.failures.saturating_add(1);
                self.failing_since.get_or_insert(now);
            }
            AttemptResult::Gone => {}
        }
    }

    /// Returns whether no further change should be sent after this result, which was recorded.
    pub fn stops_after(&self, result: AttemptResult) -> bool {
        match result {
            AttemptResult::Delivered => false,
            AttemptResult::Gone | AttemptResult::Overloaded(_) => true,
            AttemptResult::Failed(_) => self.is_failing() || self.is_probing(),
        }
    }

    /// Returns whether the receiver fails without a success between.
    pub fn is_failing(&self) -> bool {
        self.failures >= FAILURES_BEFORE_BACKOFF
    }

    /// Returns whether there was no success since the last pause. Then, changes are sent one by one.
    pub fn is_probing(&self) -> bool {
        self.backoffs > 0
    }

    /// Returns how many chats to deliver concurrently.
    pub fn concurrency(&self) -> usize {
        if self.is_probing() { 1 } else { MAX_CONCURRENT_CHATS }
    }

    /// Starts a pause: 5 seconds, then twice as long each time up to 5 minutes, but not shorter than `retry_after`, which
    /// counts up to an hour.
    pub fn back_off(&mut self, retry_after: Option<Duration>, now: Timestamp, random: Uuid) {
        let pause = FIRST_BACKOFF.saturating_mul(1 << self.backoffs.min(16)).min(MAX_BACKOFF);
        let pause = jittered(pause, random).max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER));
        self.backoffs = self.backoffs.saturating_add(1);
        self.not_before = Some(now.after(pause));
    }

    /// Returns whether deliveries pause.
    pub fn is_paused(&self, now: Timestamp) -> bool {
        self.not_before.is_some_and(|not_before| now < not_before)
    }

    /// Returns whether to disable the webhook, which was last enabled at `enabled_at`.
    pub fn is_dead(&self, enabled_at: Timestamp, now: Timestamp) -> bool {
        let failing_since = self.failing_since.map(|since| since.max(enabled_at));
        self.failures >= FAILURES_BEFORE_DISABLING
            && failing_since.is_some_and(|since| since.after(MAX_FAILING_TIME) <= now)
    }

    /// Returns whether an attempt succeeded within the time after which a webhook is disabled.
    pub fn succeeded_recently(&self, now: Timestamp) -> bool {
        self.last_success_at.is_some_and(|at| at.after(MAX_FAILING_TIME) > now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FAILED: AttemptResult = AttemptResult::Failed(None);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_790_000_000 + seconds).unwrap()
    }

    fn after(results: &[AttemptResult], now: Timestamp) -> EndpointHealth {
        let mut health = EndpointHealth::default();
        results.iter().for_each(|result| health.record(*result, now));
        health
    }

    #[test]
    fn deliveries_stop_after_ten_failures_in_a_row() {
        assert!(!after(&[FAILED; 9], at(0)).stops_after(FAILED));
        assert!(after(&[FAILED; 10], at(0)).stops_after(FAILED));
        let with_success = [[FAILED; 5].as_slice(), &[AttemptResult::Delivered], &[FAILED; 9]].concat();
        assert!(!after(&with_success, at(0)).stops_after(FAILED));
    }

    #[test]
    fn repeats_that_fail_dont_count_unless_they_are_probes() {
        let mut health = after(&[AttemptResult::Delivered], at(0));
        assert!(health.counts(FAILED, false) && !health.counts(FAILED, true));
        for result in [AttemptResult::Delivered, AttemptResult::Gone, AttemptResult::Overloaded(None)] {
            assert!(health.counts(result, true), "{result:?}");
        }
        health.back_off(None, at(0), Uuid::nil());
        assert!(health.counts(FAILED, true));
    }

    #[test]
    fn deliveries_stop_at_once_if_the_receiver_is_overloaded_or_gone() {
        for result in [AttemptResult::Overloaded(None), AttemptResult::Gone] {
            assert!(after(&[result], at(0)).stops_after(result));
        }
    }

    #[test]
    fn after_a_pause_one_failure_starts_the_next_and_one_success_ends_it() {
        let mut health = after(&[AttemptResult::Overloaded(None)], at(0));
        assert_eq!(health.concurrency(), 16);
        health.back_off(None, at(0), Uuid::nil());
        assert!(health.is_paused(at(3)) && !health.is_paused(at(4)));
        assert_eq!(health.concurrency(), 1);
        health.record(FAILED, at(4));
        assert!(health.stops_after(FAILED));
        health.record(AttemptResult::Delivered, at(5));
        assert_eq!((health.concurrency(), health.failures, health.failing_since), (16, 0, None));
    }

    #[test]
    fn a_webhook_is_dead_after_five_days_and_twenty_failures() {
        let (day, none) = (86_400, Timestamp::MIN);
        let health = after(&[FAILED; 20], at(0));
        assert!(!health.is_dead(none, at(5 * day - 1)));
        assert!(health.is_dead(none, at(5 * day)));
        // Its owner enabled it again, so it has five more days.
        assert!(!health.is_dead(at(day), at(5 * day)));
        assert!(health.is_dead(at(day), at(6 * day)));
        assert!(!after(&[FAILED; 19], at(0)).is_dead(none, at(50 * day)));
        let with_success = [[FAILED; 20].as_slice(), &[AttemptResult::Delivered]].concat();
        assert!(!after(&with_success, at(0)).is_dead(none, at(50 * day)));
    }

    proptest! {
        #[test]
        fn pauses_grow_up_to_five_minutes_and_honor_retry_after(
            backoffs in prop_oneof![Just(u32::MAX), 0..100_u32],
            random in any::<u128>(),
            retry_after in proptest::option::of(prop_oneof![Just(u64::MAX), 0..10_000_u64]),
        ) {
            let mut health = EndpointHealth { backoffs, ..EndpointHealth::default() };
            health.back_off(retry_after.map(Duration::from_secs), at(0), Uuid::from_u128(random));
            let pause = health.not_before.unwrap().since(at(0));
            let asked = Duration::from_secs(retry_after.unwrap_or(0)).min(MAX_RETRY_AFTER);
            let base = Duration::from_secs(if backoffs < 6 { 5 << backoffs } else { 300 });
            prop_assert!(pause >= asked && pause >= base.mul_f64(0.79), "{pause:?}");
            prop_assert!(pause <= asked.max(base.mul_f64(1.2)), "{pause:?}");
            prop_assert!(health.is_probing());
        }
    }
}
