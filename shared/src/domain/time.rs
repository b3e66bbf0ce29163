//! Timestamps with millisecond precision.

use std::{fmt, time::Duration};

use jiff::fmt::temporal::Pieces;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The last second of a [`Timestamp`]: 9999-12-30T21:59:59Z. `jiff` supports times until a second later, so that it can
/// print them in every time zone.
const LAST_SECOND: i64 = 253_402_207_199;

/// The last millisecond of a [`Timestamp`].
const LAST_MILLISECOND: i64 = LAST_SECOND * 1000 + 999;

/// The maximum lead of WhatsApp's clock over Qasid's. Times that are further ahead are wrong.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(2);

/// A point in time in UTC, in milliseconds since the Unix epoch, from 1970-01-01T00:00:00.000Z to
/// 9999-12-30T21:59:59.999Z. No other value can exist, so every timestamp can be printed, parsed, compared, and stored.
///
/// Responses and keys contain it as RFC 3339 with three decimals (`2026-11-23T12:00:00.000Z`). The text sorts in the
/// same order as the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    milliseconds: i64,
}

impl Timestamp {
    /// The first timestamp.
    pub const MIN: Self = Self { milliseconds: 0 };

    /// The last timestamp.
    pub const MAX: Self = Self { milliseconds: LAST_MILLISECOND };

    /// Returns the current time. Only [`System`](super::system::System) calls this; other code receives the clock.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    pub fn now() -> Self {
        Self::saturating(jiff::Timestamp::now().as_millisecond())
    }

    /// Creates a timestamp from milliseconds since the Unix epoch. Returns `None` outside of [`Timestamp::MIN`] to
    /// [`Timestamp::MAX`].
    pub fn from_milliseconds(milliseconds: i64) -> Option<Self> {
        (0..=LAST_MILLISECOND).contains(&milliseconds).then_some(Self { milliseconds })
    }

    /// Creates a timestamp from seconds since the Unix epoch. Returns `None` outside of [`Timestamp::MIN`] to
    /// [`Timestamp::MAX`].
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        Self::from_milliseconds(seconds.checked_mul(1000)?)
    }

    /// Parses an RFC 3339 time. A time of the year 9999 after [`Timestamp::MAX`] is [`Timestamp::MAX`]: clients use it for
    /// "never".
    ///
    /// # Errors
    ///
    /// For any other text that [`str::parse`] refuses.
    pub fn parse_saturating(text: &str) -> Result<Self, ParseTimestampError> {
        text.parse().or_else(|error| {
            let pieces = Pieces::parse(text).map_err(|_| ParseTimestampError)?;
            let is_never = pieces.date().year() == 9999 && pieces.time().is_some() && pieces.offset().is_some();
            if is_never { Ok(Self::MAX) } else { Err(error) }
        })
    }

    fn saturating(milliseconds: i64) -> Self {
        Self { milliseconds: milliseconds.clamp(0, LAST_MILLISECOND) }
    }

    /// Returns the milliseconds since the Unix epoch.
    pub fn milliseconds(self) -> i64 {
        self.milliseconds
    }

    /// Returns the seconds since the Unix epoch, rounded down: the unit of DynamoDB's TTL.
    pub fn seconds(self) -> i64 {
        self.milliseconds / 1000
    }

    /// Returns the microseconds since the Unix epoch. Doesn't overflow, because the last timestamp has 18 digits.
    pub fn microseconds(self) -> i64 {
        self.milliseconds * 1000
    }

    /// Returns the last millisecond of the second.
    pub fn end_of_second(self) -> Self {
        Self { milliseconds: self.whole_second().milliseconds + 999 }
    }

    /// Returns the start of the second.
    pub fn whole_second(self) -> Self {
        Self { milliseconds: self.milliseconds - self.milliseconds % 1000 }
    }

    /// Returns the start of the interval of this length that contains the time. Intervals begin at the Unix epoch.
    pub fn start_of(self, interval: Duration) -> Self {
        Self { milliseconds: self.milliseconds - self.milliseconds % milliseconds(interval).max(1) }
    }

    /// Adds `duration`, saturating at [`Timestamp::MAX`].
    pub fn after(self, duration: Duration) -> Self {
        Self::saturating(self.milliseconds.saturating_add(milliseconds(duration)))
    }

    /// Subtracts `duration`, saturating at [`Timestamp::MIN`].
    pub fn before(self, duration: Duration) -> Self {
        Self::saturating(self.milliseconds.saturating_sub(milliseconds(duration)))
    }

    /// Returns the duration since `earlier`, or zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.milliseconds - earlier.milliseconds).unwrap_or(0))
    }

    /// Returns whether this time, which was reported at `now`, is wrong because it is in the future. WhatsApp's clock may
    /// be two seconds ahead of Qasid's.
    pub fn is_ahead_of(self, now: Self) -> bool {
        self > now.after(MAX_CLOCK_SKEW)
    }

    /// Returns this time, or `now` if this time is in the future. A future time would keep a message at the top of its
    /// chat, and a customer service window open, until then.
    pub fn clamped_to(self, now: Self) -> Self {
        if self.is_ahead_of(now) { now } else { self }
    }
}

/// Converts a duration to milliseconds, saturating at `i64::MAX`.
fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Converts a duration to microseconds, saturating at `i64::MAX`.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never fails: `Timestamp::MAX` is within the range of `jiff`.
        let timestamp = jiff::Timestamp::from_millisecond(self.milliseconds).map_err(|_| fmt::Error)?;
        write!(f, "{timestamp:.3}")
    }
}

impl std::str::FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed: jiff::Timestamp = text.parse().map_err(|_| ParseTimestampError)?;
        Self::from_milliseconds(parsed.as_millisecond()).ok_or(ParseTimestampError)
    }
}

/// The text is not an RFC 3339 time from [`Timestamp::MIN`] to [`Timestamp::MAX`].
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

    /// Seconds at which something changes, and any others.
    fn seconds() -> impl Strategy<Value = i64> {
        let edges = [
            i64::MIN,
            i64::MIN / 1000,
            -1,
            0,
            1,
            1_795_000_000,
            LAST_SECOND - 1,
            LAST_SECOND,
            LAST_SECOND + 1,
            253_402_200_000,
            253_402_300_799,
            253_402_300_800,
            i64::MAX / 1000,
            i64::MAX,
        ];
        prop_oneof![2 => prop::sample::select(edges.to_vec()), 1 => 0..=LAST_SECOND, 1 => any::<i64>()]
    }

    fn milliseconds() -> impl Strategy<Value = i64> {
        prop_oneof![
            (seconds(), -1_i64..=1000).prop_map(|(seconds, more)| seconds.saturating_mul(1000).saturating_add(more)),
            any::<i64>(),
        ]
    }

    fn durations() -> impl Strategy<Value = Duration> {
        let edges = [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_secs(24 * 60 * 60),
            Duration::from_secs(u64::MAX),
            Duration::MAX,
        ];
        prop_oneof![prop::sample::select(edges.to_vec()), any::<u64>().prop_map(Duration::from_millis)]
    }

    /// Every way to make a timestamp.
    fn timestamps() -> impl Strategy<Value = Timestamp> {
        let made = prop_oneof![
            Just(Timestamp::MIN),
            Just(Timestamp::MAX),
            seconds().prop_filter_map("outside of the range", Timestamp::from_seconds),
            milliseconds().prop_filter_map("outside of the range", Timestamp::from_milliseconds),
        ];
        (made, durations(), 0..4).prop_map(|(made, duration, change)| match change {
            0 => made.after(duration),
            1 => made.before(duration),
            _ => made,
        })
    }

    proptest! {
        #[test]
        fn every_timestamp_is_printed_with_24_characters_and_parsed_back(a in timestamps()) {
            let text = a.to_string();
            prop_assert_eq!(text.len(), 24);
            prop_assert_eq!(text.parse::<Timestamp>().unwrap(), a);
            let json = serde_json::to_string(&a).unwrap();
            prop_assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), a);
        }

        #[test]
        fn text_sorts_like_the_time(a in timestamps(), b in timestamps()) {
            prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
        }

        #[test]
        fn a_timestamp_from_a_number_has_this_number_or_does_not_exist(seconds in seconds(), milliseconds in milliseconds()) {
            let made = Timestamp::from_seconds(seconds);
            prop_assert_eq!(made.is_some(), (0..=LAST_SECOND).contains(&seconds));
            prop_assert!(made.is_none_or(|made| made.seconds() == seconds));
            let made = Timestamp::from_milliseconds(milliseconds);
            prop_assert!(made.is_none_or(|made| made.milliseconds() == milliseconds && made.microseconds() / 1000 == milliseconds));
        }

        #[test]
        fn sums_and_differences_saturate(a in timestamps(), duration in durations()) {
            prop_assert!((a..=Timestamp::MAX).contains(&a.after(duration)));
            prop_assert!((Timestamp::MIN..=a).contains(&a.before(duration)));
            prop_assert!(a.after(duration).since(a) <= duration);
        }

        #[test]
        fn a_text_is_a_timestamp_only_within_the_range(year in -9999..=9999_i32, rest in "(-0[0-9]-[0-3][0-9]T[0-2][0-9]:00:00(\\.9999)?(Z|[+-]23:59)|.{0,20})") {
            if let Ok(parsed) = format!("{year:04}{rest}").parse::<Timestamp>() {
                prop_assert!((Timestamp::MIN..=Timestamp::MAX).contains(&parsed));
                prop_assert_eq!(parsed.to_string().len(), 24);
            }
        }

        #[test]
        fn a_time_in_the_future_is_clamped(now in timestamps(), reported in timestamps()) {
            let clamped = reported.clamped_to(now);
            prop_assert!(clamped <= now.after(MAX_CLOCK_SKEW));
            prop_assert!(clamped == reported || clamped == now);
            prop_assert_eq!(clamped == reported, !reported.is_ahead_of(now) || reported == now);
        }
    }

    #[test]
    fn the_last_timestamp_is_in_the_range_of_the_time_library() {
        assert_eq!(LAST_SECOND + 1, jiff::Timestamp::MAX.as_second());
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-30T21:59:59.999Z");
        for text in
            ["9999-12-30T22:00:00Z", "9999-12-31T23:59:59.999Z", "10000-01-01T00:00:00Z", "1969-12-31T23:59:59Z"]
        {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_end_of_the_year_9999_is_the_last_timestamp() {
        let parse = |text| Timestamp::parse_saturating(text).ok();
        for text in [
            "9999-12-30T22:00:00Z",
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59.999Z",
            "9999-12-31T23:59:59.9999999Z",
            "9999-12-31T23:59:59+14:00",
            "9999-12-31T23:59:59-12:00",
        ] {
            assert_eq!(parse(text), Some(Timestamp::MAX), "{text}");
        }
        let before = "9999-12-30T21:59:59Z";
        assert_eq!(parse(before), before.parse().ok());
        for text in [
            "",
            "never",
            "9999",
            "9999-12-31",
            "9999-12-31T23:59:59",
            "9999-13-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "-009999-12-31T23:59:59Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
