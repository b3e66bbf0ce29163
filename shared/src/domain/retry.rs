//! Retry delays and the expiry of outbound messages.

use std::time::Duration;

use uuid::Uuid;

use crate::domain::{message::Message, time::Timestamp, whatsapp_error::ErrorClass};

/// The maximum time to retry a message after Qasid's API accepted it.
pub const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

const MAX_BACKOFF: Duration = Duration::from_secs(5 * 60);
const MAX_RECIPIENT_WAIT: Duration = Duration::from_secs(60 * 60);

/// Returns when a message expires: after [`LIFETIME`], or at its `valid_until` if that is earlier.
pub fn expires_at(message: &Message) -> Timestamp {
    let end = message.timestamp.after(LIFETIME);
    message.valid_until.map_or(end, |until| until.min(end))
}

/// Returns the delay after the `failures`th consecutive failure (from 1).
///
/// The delay doubles from 2 seconds up to 5 minutes, with full jitter, so that messages that failed together are not
/// retried together. If the recipient's rate limit was exceeded, the delay is 4, 16, 64, … seconds up to one hour, as
/// Meta recommends. The delay is never shorter than WhatsApp's `Retry-After`.
pub fn backoff(class: ErrorClass, failures: u32, retry_after: Option<Duration>, random: Uuid) -> Duration {
    let wait = if class == ErrorClass::RecipientLimit {
        Duration::from_secs(4_u64.saturating_pow(failures.min(8))).min(MAX_RECIPIENT_WAIT)
    } else {
        let ceiling = Duration::from_secs(1 << failures.min(16)).min(MAX_BACKOFF);
        // Full jitter can be close to zero. The minimum prevents retries in a tight loop.
        let [.., low, high] = *random.as_bytes();
        let share = f64::from(u16::from_be_bytes([low, high])) / f64::from(u16::MAX);
        ceiling.mul_f64(share).max(Duration::from_millis(250))
    };
    wait.max(retry_after.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn backoff_stays_within_bounds(
            failures in 1u32..100,
            random in any::<u128>(),
            retry_after in proptest::option::of(0u64..3_600),
        ) {
            let retry_after = retry_after.map(Duration::from_secs);
            let wait = backoff(ErrorClass::NotSent, failures, retry_after, Uuid::from_u128(random));
            prop_assert!(wait >= retry_after.unwrap_or_default() && wait >= Duration::from_millis(250));
            prop_assert!(wait <= MAX_BACKOFF.max(retry_after.unwrap_or_default()));
        }
    }

    #[test]
    fn recipient_limit_backoff_grows_by_powers_of_four() {
        let wait = |failures| backoff(ErrorClass::RecipientLimit, failures, None, Uuid::nil()).as_secs();
        assert_eq!([wait(1), wait(2), wait(3), wait(50)], [4, 16, 64, 3_600]);
    }
}
