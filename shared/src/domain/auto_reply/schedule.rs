//! Weekly hours in the time zone of whoever keeps them.

use jiff::{civil::Weekday, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::domain::time::Timestamp;

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// When a business is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The IANA name of the zone, such as `Africa/Cairo`.
    pub time_zone: String,
    /// The hours of each day, by the clock on the wall: a change to or from summer time moves them along.
    pub hours: Week,
}

/// The ranges of each day; a day without any is closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Week {
    pub monday: Vec<Range>,
    pub tuesday: Vec<Range>,
    pub wednesday: Vec<Range>,
    pub thursday: Vec<Range>,
    pub friday: Vec<Range>,
    pub saturday: Vec<Range>,
    pub sunday: Vec<Range>,
}

/// From one time of the day until just before another. One that ends at or before its start goes on into the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The first minute, up to 23:59.
    pub from: Clock,
    /// The minute after the last, up to 24:00.
    pub to: Clock,
}

/// A time of the day to the minute, written `09:30`; `24:00` is the end of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clock(u16);

impl Schedule {
    /// Whether it is open at this time; `None` when the zone is not known.
    pub fn is_open(&self, at: Timestamp) -> Option<bool> {
        let zone = zone(&self.time_zone)?;
        let local = zone.to_datetime(jiff::Timestamp::from_second(at.seconds()).ok()?);
        let minute = Clock((local.hour() as u16) * 60 + local.minute() as u16);
        let today = local.weekday();
        let now = self.hours.day(today).iter().any(|range| range.covers(minute));
        let since_yesterday = self.hours.day(today.previous()).iter().any(|range| range.covers_next_day(minute));
        Some(now || since_yesterday)
    }
}

/// A zone of the database that is part of this program.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

impl Week {
    /// The ranges of a day.
    pub fn day(&self, day: Weekday) -> &[Range] {
        match day {
            Weekday::Monday => &self.monday,
            Weekday::Tuesday => &self.tuesday,
            Weekday::Wednesday => &self.wednesday,
            Weekday::Thursday => &self.thursday,
            Weekday::Friday => &self.friday,
            Weekday::Saturday => &self.saturday,
            Weekday::Sunday => &self.sunday,
        }
    }
}

impl Range {
    fn is_overnight(self) -> bool {
        self.to <= self.from
    }

    fn covers(self, minute: Clock) -> bool {
        self.from <= minute && (self.is_overnight() || minute < self.to)
    }

    fn covers_next_day(self, minute: Clock) -> bool {
        self.is_overnight() && minute < self.to
    }
}

impl Clock {
    /// Reads `HH:MM`, from `00:00` to `24:00`.
    pub fn parse(text: &str) -> Option<Self> {
        let (hours, minutes) = text.split_once(':')?;
        let number = |digits: &str| {
            let is_plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_plain.then(|| digits.parse::<u16>().ok()).flatten()
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        let clock = hours * 60 + minutes;
        (minutes < 60 && clock <= DAY).then_some(Self(clock))
    }

    /// Whether it is the end of the day, which no range can start at.
    pub fn is_midnight_after(self) -> bool {
        self.0 == DAY
    }
}

impl Serialize for Clock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:02}:{:02}", self.0 / 60, self.0 % 60))
    }
}

impl<'de> Deserialize<'de> for Clock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not a time of the day like 09:30"))
    }
}
