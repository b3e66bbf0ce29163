//! Time and randomness.

use uuid::Uuid;

use super::time::Timestamp;

/// The clock and the random number generator. Only the composition root creates one; everything else receives it.
#[derive(Clone, Copy, Debug)]
pub struct System {
    now: fn() -> Timestamp,
    random_uuid: fn() -> Uuid,
    ordered_uuid: fn() -> Uuid,
}

impl System {
    /// Returns the machine's own clock and random numbers.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the system's randomness")]
    pub fn real() -> Self {
        Self { now: Timestamp::now, random_uuid: Uuid::new_v4, ordered_uuid: Uuid::now_v7 }
    }

    /// Returns the current time.
    pub fn now(self) -> Timestamp {
        (self.now)()
    }

    /// Returns a random UUID (version 4).
    pub fn random_uuid(self) -> Uuid {
        (self.random_uuid)()
    }

    /// Returns a UUID of version 7: random, and later ones sort later.
    pub fn ordered_uuid(self) -> Uuid {
        (self.ordered_uuid)()
    }
}
