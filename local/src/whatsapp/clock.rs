//! The clock and the chance of the simulated world.
#![allow(
    clippy::disallowed_methods,
    reason = "to the functions under test this is the outside world; they own their clock and ids"
)]

use jiff::Timestamp;
use uuid::Uuid;

pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

/// The time in whole Unix seconds, which is all that webhooks carry.
pub(super) fn unix_now() -> i64 {
    now().as_second()
}

/// 16 bytes that never come twice.
pub(super) fn random() -> Uuid {
    Uuid::new_v4()
}
