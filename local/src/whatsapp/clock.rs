//! The clock and random IDs of the simulated WhatsApp.

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
