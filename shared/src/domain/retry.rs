//! When a message that was not sent is tried again.

use std::time::Duration;

use uuid::Uuid;

use crate::{domain::message::Message, domain::time::Timestamp, domain::whatsapp_error::ErrorClass};

/// The longest a message is tried, after it was accepted by the API.
pub const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

const MAX_BACKOFF: Duration = Duration::from_secs(5 * 60);
const MAX_RECIPIENT_WAIT: Duration = Duration::from_secs(60 * 60);

/// When a message's time is over: after 24 hours, or when the caller says so.
pub fn expires_at(message: &Message) -> Timestamp {
    let end = message.timestamp.after(LIFETIME);
    message.valid_until.map_or(end, |until| until.min(end))
}

/// How long to wait after the `failures`th failure in a row (from 1): doubling from two seconds up to five minutes, with
/// full jitter, so that many messages that failed at once do not come back at once; for a recipient who was sent too
/// much 4, 16, 64 … seconds, as Meta asks. Never shorter than WhatsApp's own `Retry-After`.
pub fn backoff(class: ErrorClass, failures: u32, retry_after: Option<Duration>, random: Uuid) -> Duration {
    let wait = if class == ErrorClass::RecipientLimit {
        Duration::from_secs(4_u64.saturating_pow(failures.min(8))).min(MAX_RECIPIENT_WAIT)
    } else {
        let ceiling = Duration::from_secs(1 << failures.min(16)).min(MAX_BACKOFF);
        // At least a quarter of a second, so that a retry is never a hammering.
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
        fn waits_stay_within_their_bounds(failures in 1u32..100, random in any::<u128>(), asked in proptest::option::of(0u64..3_600)) {
            let asked = asked.map(Duration::from_secs);
            let wait = backoff(ErrorClass::NotSent, failures, asked, Uuid::from_u128(random));
            prop_assert!(wait >= asked.unwrap_or_default() && wait >= Duration::from_millis(250));
            prop_assert!(wait <= MAX_BACKOFF.max(asked.unwrap_or_default()));
        }
    }

    #[test]
    fn a_recipient_is_left_alone_for_powers_of_four() {
        let wait = |failures| backoff(ErrorClass::RecipientLimit, failures, None, Uuid::nil()).as_secs();
        assert_eq!([wait(1), wait(2), wait(3), wait(50)], [4, 16, 64, 3_600]);
    }
}
