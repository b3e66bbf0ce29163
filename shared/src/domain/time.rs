//! Timestamps with millisecond precision.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The last second of the year 9999. Later times would have a five-digit year, and their text would not sort correctly.
const LAST_SECOND: i64 = 253_402_300_799;

/// A point in time in UTC, in milliseconds since the Unix epoch, from the year 1970 to 9999.
///
/// Responses and keys contain it as RFC 3339 with three decimals (`2026-11-23T12:00:00.000Z`). The text sorts in the
/// same order as the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    milliseconds: i64,
}

impl Timestamp {
    /// Returns the current time. Only [`System`](super::system::System) calls this; other code receives the clock.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    pub fn now() -> Self {
        Self::from_milliseconds(jiff::Timestamp::now().as_millisecond()).unwrap_or(Self { milliseconds: 0 })
    }

    /// Creates a timestamp from milliseconds since the Unix epoch. Returns `None` outside the years 1970 to 9999.
    pub fn from_milliseconds(milliseconds: i64) -> Option<Self> {
        (0..=LAST_SECOND * 1000 + 999).contains(&milliseconds).then_some(Self { milliseconds })
    }

    /// Creates a timestamp from seconds since the Unix epoch. Returns `None` outside the years 1970 to 9999.
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        Self::from_milliseconds(seconds.checked_mul(1000)?)
    }

    /// Returns the milliseconds since the Unix epoch.
    pub fn milliseconds(self) -> i64 {
        self.milliseconds
    }

    /// Returns the seconds since the Unix epoch, rounded down: the unit of DynamoDB's TTL.
    pub fn seconds(self) -> i64 {
        self.milliseconds / 1000
    }

    /// Returns the microseconds since the Unix epoch.
    pub fn microseconds(self) -> i64 {
        self.milliseconds * 1000
    }

    /// Returns the start of the second.
    pub fn whole_second(self) -> Self {
        Self { milliseconds: self.milliseconds - self.milliseconds % 1000 }
    }

    /// Adds `duration`, saturating at the end of the year 9999.
    pub fn after(self, duration: Duration) -> Self {
        let added = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let milliseconds = self.milliseconds.saturating_add(added).min(LAST_SECOND * 1000 + 999);
        Self { milliseconds }
    }

    /// Subtracts `duration`, saturating at the Unix epoch.
    pub fn before(self, duration: Duration) -> Self {
        let taken = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self { milliseconds: self.milliseconds.saturating_sub(taken).max(0) }
    }

    /// Returns the duration since `earlier`, or zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.milliseconds - earlier.milliseconds).unwrap_or(0))
    }
}

/// Converts a duration to microseconds, saturating at `i64::MAX`.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.milliseconds) {
            Ok(timestamp) => write!(f, "{timestamp:.3}"),
            Err(_) => Err(fmt::Error),
        }
    }
}

impl std::str::FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed: jiff::Timestamp = text.parse().map_err(|_| ParseTimestampError)?;
        Self::from_milliseconds(parsed.as_millisecond()).ok_or(ParseTimestampError)
    }
}

/// The text is not an RFC 3339 time from the year 1970 to 9999.
#[derive(Debug, thiserror::Error)]
#[error("not an RFC 3339 time between the years 1970 and 9999")]
pub struct ParseTimestampError;

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_form_round_trips_and_keeps_sort_order(
            a in 0..=LAST_SECOND * 1000 + 999,
            b in 0..=LAST_SECOND * 1000 + 999,
        ) {
            let (a, b) = (Timestamp { milliseconds: a }, Timestamp { milliseconds: b });
            prop_assert_eq!(a.to_string().parse::<Timestamp>().unwrap(), a);
            prop_assert_eq!(a.to_string().len(), 24);
            prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
        }

        #[test]
        fn seconds_round_trip(seconds in any::<i64>()) {
            if let Some(timestamp) = Timestamp::from_seconds(seconds) {
                prop_assert_eq!(timestamp.seconds(), seconds);
            }
        }
    }
}
