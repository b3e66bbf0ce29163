//! The clock and random IDs of the simulated WhatsApp.
#![allow(
    clippy::disallowed_methods,
    reason = "to the functions under test this is the outside world; they own their clock and ids"
)]

use jiff::Timestamp;
use uuid::Uuid;

pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

/// Returns the time in whole Unix seconds, the resolution of webhooks.
pub(super) fn unix_now() -> i64 {
    now().as_second()
}

/// Returns 16 random bytes.
pub(super) fn random() -> Uuid {
    Uuid::new_v4()
}
