//! The schedule of retries.

use std::time::Duration;

use uuid::Uuid;

/// The delays after the first, second, … failure, in seconds (Standard Webhooks, *Operational considerations*).
const DELAYS: [u64; 10] = [5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// The maximum time that a receiver can ask to wait.
pub(super) const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// Returns the delay after the `failures`th failure (from 1); `None` if there is no further retry.
///
/// The delay varies by 20 %, so that deliveries that failed together are not retried together. It is never shorter than
/// the receiver's `Retry-After`, up to an hour.
pub(super) fn delay(failures: u32, retry_after: Option<Duration>, random: Uuid) -> Option<Duration> {
    let index = usize::try_from(failures).ok()?.checked_sub(1)?;
    let delay = jittered(Duration::from_secs(*DELAYS.get(index)?), random);
    Some(delay.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER)))
}

/// Returns a random duration from 80 % to 120 % of `duration`.
pub(super) fn jittered(duration: Duration, random: Uuid) -> Duration {
    let [.., low, high] = *random.as_bytes();
    let share = f64::from(u16::from_be_bytes([low, high])) / f64::from(u16::MAX);
    duration.mul_f64(0.8 + 0.4 * share)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn delays_vary_by_a_fifth_and_honor_retry_after(
            failures in 0_u32..20,
            random in prop_oneof![Just(0), Just(u128::MAX), any::<u128>()],
            retry_after in proptest::option::of(prop_oneof![Just(0), Just(3_600), Just(u64::MAX), 0..10_000_u64]),
        ) {
            let found = delay(failures, retry_after.map(Duration::from_secs), Uuid::from_u128(random));
            let base = usize::try_from(failures).ok().and_then(|failures| DELAYS.get(failures.checked_sub(1)?));
            prop_assert_eq!(found.is_some(), base.is_some());
            if let (Some(found), Some(base)) = (found, base) {
                let base = Duration::from_secs(*base);
                let least = base.mul_f64(0.8).max(Duration::from_secs(retry_after.unwrap_or(0).min(3_600)));
                prop_assert!(found >= least, "{found:?} {least:?}");
                prop_assert!(found <= base.mul_f64(1.2).max(MAX_RETRY_AFTER));
            }
        }
    }

    #[test]
    fn ten_retries_take_about_three_days() {
        let total: u64 =
            (1..).map_while(|failures| delay(failures, None, Uuid::nil())).map(|delay| delay.as_secs()).sum();
        assert_eq!(DELAYS.iter().sum::<u64>() * 8 / 10, total);
        assert!((3 * 86_400..4 * 86_400).contains(&DELAYS.iter().sum::<u64>()));
    }
}
