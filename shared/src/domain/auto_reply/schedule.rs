//! Weekly hours in a time zone.

use jiff::{civil::Weekday, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::domain::time::Timestamp;

const MINUTES_PER_DAY: u16 = 24 * 60;

/// The hours in which a business is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The IANA name of the time zone, such as `Africa/Cairo`.
    pub time_zone: String,
    /// The hours of each day in local time, which includes daylight saving time.
    pub hours: Week,
}

/// The ranges of each day. A day without ranges is closed.
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

/// A range of hours. If `to` is not after `from`, the range continues into the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The first minute, up to 23:59.
    pub from: Clock,
    /// The end, exclusive, up to 24:00.
    pub to: Clock,
}

/// A time of day in minutes, serialized as `09:30`. `24:00` is the end of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clock(u16);

impl Schedule {
    /// Returns whether the business is open at this time, or `None` if the time zone is unknown.
    pub fn is_open(&self, at: Timestamp) -> Option<bool> {
        let zone = zone(&self.time_zone)?;
        let local = zone.to_datetime(jiff::Timestamp::from_second(at.seconds()).ok()?);
        let minute = Clock((local.hour() as u16) * 60 + local.minute() as u16);
        let today = local.weekday();
        let is_open_today = self.hours.day(today).iter().any(|range| range.covers(minute));
        let is_open_overnight = self.hours.day(today.previous()).iter().any(|range| range.covers_next_day(minute));
        Some(is_open_today || is_open_overnight)
    }
}

/// Returns a time zone of the bundled database.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

impl Week {
    /// Returns the ranges of a day.
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
    /// Parses `HH:MM`, from `00:00` to `24:00`.
    pub fn parse(text: &str) -> Option<Self> {
        let (hours, minutes) = text.split_once(':')?;
        let number = |digits: &str| {
            let is_plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_plain.then(|| digits.parse::<u16>().ok()).flatten()
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        let clock = hours * 60 + minutes;
        (minutes < 60 && clock <= MINUTES_PER_DAY).then_some(Self(clock))
    }

    /// Returns whether this is the end of the day, at which no range can start.
    pub fn is_midnight_after(self) -> bool {
        self.0 == MINUTES_PER_DAY
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
        Self::parse(&text).ok_or_else(|| de::Error::custom("not a time of day such as 09:30"))
    }
}
