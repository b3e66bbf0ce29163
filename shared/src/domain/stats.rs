//! Hourly counters of a session: how many messages it received, sent, and failed to send, and how long sending took.
//!
//! `relay` derives them from the records of the table's stream. A record counts in the hour in which the table was
//! changed, by Qasid's clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use uuid::Uuid;

use crate::domain::{
    change::derive::{MessageState, StreamRecord, Write},
    id::{SessionId, content_id},
    message::{AttemptOutcome, Channel, MessageStatus, MessageType, Source},
    message_key::MessageKey,
    time::Timestamp,
};

/// The interval of the counters.
pub const HOUR: Duration = Duration::from_secs(60 * 60);

/// How long counters are kept.
pub const LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The maximum number of different error codes in an hour. Failures with further codes count as failures without a code.
pub const MAX_CODES: usize = 16;

/// The largest code that is counted. Meta's codes have up to 7 digits, and an item's size must have a limit.
const MAX_CODE: u32 = 9_999_999;

/// The length of a range without a start.
const DEFAULT_RANGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The maximum length of a range.
const MAX_RANGE: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// The number of buckets of a histogram.
pub const BUCKETS: usize = 20;

/// The upper bounds of the buckets, inclusive, in milliseconds: from 50 ms to 30 days, for which WhatsApp keeps messages
/// of phones that are offline (Meta, *Templates*, time-to-live). Longer times are in the last bucket.
const UPPER_BOUNDS: [u64; BUCKETS] = [
    50,
    100,
    200,
    300,
    500,
    750,
    1_000,
    1_500,
    2_000,
    3_000,
    5_000,
    10_000,
    30_000,
    60_000,
    300_000,
    1_800_000,
    7_200_000,
    86_400_000,
    604_800_000,
    2_592_000_000,
];

/// WhatsApp's times are whole seconds, so the difference to one of Qasid's can be a second too low.
const DELIVERY_PRECISION: Duration = Duration::from_secs(1);

/// A distribution of times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// The number of times in each bucket. See [`Histogram::buckets`] for the bounds.
    pub counts: [u64; BUCKETS],
    /// The sum of the times, in milliseconds.
    pub sum_ms: u64,
}

impl Histogram {
    /// Adds a time that is exact up to `precision`. It is in the bucket of the longest time that it can stand for.
    fn add(&mut self, time: Duration, precision: Duration) {
        let longest = UPPER_BOUNDS[BUCKETS - 1];
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX).min(longest);
        let upper = milliseconds(time.saturating_add(precision));
        let bucket = UPPER_BOUNDS.partition_point(|bound| *bound < upper);
        self.counts[bucket] = self.counts[bucket].saturating_add(1);
        self.sum_ms = self.sum_ms.saturating_add(milliseconds(time));
    }

    /// Adds the times of another distribution.
    fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
    }

    /// Returns the number of times.
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Returns the mean in milliseconds; `None` without times.
    pub fn mean_ms(&self) -> Option<u64> {
        self.sum_ms.checked_div(self.count())
    }

    /// Returns a time in milliseconds that at least `percent` percent of the times don't exceed: the upper bound of a
    /// bucket. `None` without times.
    pub fn percentile_ms(&self, percent: u64) -> Option<u64> {
        let rank = self.count().saturating_mul(percent).div_ceil(100).max(1);
        let mut reached = 0_u64;
        self.buckets().find_map(|(bound, count)| {
            reached = reached.saturating_add(count);
            (reached >= rank).then_some(bound)
        })
    }

    /// Returns the buckets that aren't empty: their upper bounds in milliseconds, and the numbers of times.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        UPPER_BOUNDS.into_iter().zip(self.counts).filter(|(_, count)| *count > 0)
    }
}

/// The counters of an hour, or of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages of contacts.
    pub received: u64,
    /// Messages that WhatsApp accepted.
    pub sent: u64,
    /// Messages that reached the contact's device.
    pub delivered: u64,
    /// Messages that the contact read.
    pub read: u64,
    /// Messages that failed.
    pub failed: u64,
    /// The number of failures by WhatsApp's code. The sum is lower than [`Self::failed`] if failures have no code.
    pub codes: BTreeMap<u32, u64>,
    /// The time from storing a message to WhatsApp's acceptance.
    pub accept_latency: Histogram,
    /// The time from WhatsApp's acceptance to the delivery.
    pub delivery_latency: Histogram,
    /// When content of a webhook was last stored.
    pub last_webhook_at: Option<Timestamp>,
}

impl Counters {
    /// Adds other counters.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in [
            (&mut self.received, other.received),
            (&mut self.sent, other.sent),
            (&mut self.delivered, other.delivered),
            (&mut self.read, other.read),
            (&mut self.failed, other.failed),
        ] {
            *count = count.saturating_add(more);
        }
        for (code, more) in &other.codes {
            let count = self.codes.entry(*code).or_default();
            *count = count.saturating_add(*more);
        }
        self.accept_latency.merge(&other.accept_latency);
        self.delivery_latency.merge(&other.delivery_latency);
        self.last_webhook_at = self.last_webhook_at.max(other.last_webhook_at);
    }

    /// Returns whether nothing is counted. The time of a webhook alone isn't worth a write.
    fn is_empty(&self) -> bool {
        let times = self.accept_latency.count().saturating_add(self.delivery_latency.count());
        [self.received, self.sent, self.delivered, self.read, self.failed, times].iter().all(|count| *count == 0)
    }

    /// Returns the failures by code, most frequent first. Those without a code are last.
    pub fn failures(&self) -> Vec<(Option<u32>, u64)> {
        let mut failures: Vec<_> = self.codes.iter().map(|(code, count)| (Some(*code), *count)).collect();
        failures.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let with_code = failures.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        let without_code = self.failed.saturating_sub(with_code);
        failures.extend((without_code > 0).then_some((None, without_code)));
        failures
    }

    /// Drops codes so that an hour that has the `known` ones doesn't get more than [`MAX_CODES`]: the least frequent of the
    /// new codes. Their failures count as failures without a code.
    #[must_use]
    pub fn limited(mut self, known: &BTreeSet<u32>) -> Self {
        let mut new: Vec<u32> = self.codes.keys().filter(|code| !known.contains(code)).copied().collect();
        new.sort_by_key(|code| std::cmp::Reverse(self.codes[code]));
        for code in new.into_iter().skip(MAX_CODES.saturating_sub(known.len())) {
            self.codes.remove(&code);
        }
        self
    }

    /// Adds what a new message counts.
    fn add_new(&mut self, after: &MessageState) {
        // A call isn't a message, and neither is the opening of a chat.
        let is_counted =
            after.kind.is_shown_in_inbox() && !matches!(after.kind, MessageType::Call | MessageType::RequestWelcome);
        self.received += u64::from(!after.from_me && is_counted);
    }

    /// Adds what an update of a message counts. Statuses can be skipped, and a later one implies the earlier ones.
    fn add_update(&mut self, key: &MessageKey, before: &MessageState, after: &MessageState) {
        // WhatsApp doesn't report every status of messages that another device sent.
        if !after.from_me || !matches!(after.source, None | Some(Source::AutoReply)) {
            return;
        }
        let reaches = |status: MessageStatus| before.status_rank < status.rank() && after.status_rank >= status.rank();
        self.sent += u64::from(reaches(MessageStatus::Sent));
        self.delivered += u64::from(reaches(MessageStatus::Delivered));
        self.read += u64::from(reaches(MessageStatus::Read));
        if !before.has_failed() && after.has_failed() {
            self.failed += 1;
            if let Some(code) = after.failure_code() {
                *self.codes.entry(code).or_default() += 1;
            }
        }
        if let (None, Some(accepted_at)) = (before.accepted_at, after.accepted_at) {
            self.accept_latency.add(accepted_at.since(key.time), Duration::ZERO);
        }
        if let (Some(accepted_at), Some(delivered_at)) = (after.accepted_at, after.delivered_at)
            && (before.accepted_at.is_none() || before.delivered_at.is_none())
        {
            let latency = delivered_at.whole_second().since(accepted_at.whole_second());
            self.delivery_latency.add(latency, DELIVERY_PRECISION);
        }
    }
}

impl MessageState {
    fn has_failed(&self) -> bool {
        [MessageStatus::Failed.rank(), MessageStatus::Undelivered.rank()].contains(&self.status_rank)
    }

    /// Returns WhatsApp's code for the failure: that of the status, or of the response to the send. Qasid's own reasons
    /// have none, such as a message that expired while WhatsApp throttled.
    fn failure_code(&self) -> Option<u32> {
        let code = if self.status_rank == MessageStatus::Undelivered.rank() {
            self.errors.first()?.code
        } else {
            self.attempts.last().filter(|attempt| attempt.outcome == AttemptOutcome::Rejected)?.code
        };
        u32::try_from(code?).ok().filter(|code| *code <= MAX_CODE)
    }

    /// Returns whether a webhook brought a new message.
    fn is_from_webhook(&self) -> bool {
        match self.source {
            None => !self.from_me,
            Some(Source::Echo | Source::Standby) => true,
            Some(Source::History | Source::Device | Source::AutoReply) => false,
        }
    }
}

/// What a batch of records adds to the counters of an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// The session.
    pub session_id: SessionId,
    /// The start of the hour.
    pub hour: Timestamp,
    /// Identifies the records that are counted. The same records have the same ID.
    pub id: Uuid,
    /// The counters to add.
    pub counters: Counters,
}

/// Returns what records of the stream add to the counters: one addition for each session and hour.
pub fn additions(records: &[StreamRecord]) -> Vec<Addition> {
    let mut hours: BTreeMap<(SessionId, Timestamp), (String, Counters)> = BTreeMap::new();
    for record in records {
        let (session_id, counted) = match &record.write {
            Write::NewMessage { after, .. } => (after.session_id, counted(record, None, after)),
            Write::Message { key, before, after } => (after.session_id, counted(record, Some((key, before)), after)),
            _ => continue,
        };
        if counted == Counters::default() {
            continue;
        }
        let (events, counters) = hours.entry((session_id, record.at.start_of(HOUR))).or_default();
        events.push_str(&record.event_id);
        events.push(' ');
        counters.merge(&counted);
    }
    let additions = hours.into_iter().map(|((session_id, hour), (events, counters))| Addition {
        session_id,
        hour,
        id: content_id(&events),
        counters,
    });
    additions.filter(|addition| !addition.counters.is_empty()).collect()
}

/// Returns what the write of a message counts: that of a new one, or an update of `before`.
fn counted(record: &StreamRecord, before: Option<(&MessageKey, &MessageState)>, after: &MessageState) -> Counters {
    let mut counters = Counters::default();
    if after.source == Some(Source::History) {
        return counters;
    }
    let is_from_webhook = match before {
        None => {
            counters.add_new(after);
            after.is_from_webhook()
        }
        Some((key, before)) => {
            counters.add_update(key, before, after);
            // Other statuses can be Qasid's own, and a worker reports those of its session.
            let is_receipt = after.status_rank >= MessageStatus::Undelivered.rank();
            is_receipt && after.status_rank != before.status_rank && after.channel == Channel::CloudApi
        }
    };
    counters.last_webhook_at = is_from_webhook.then_some(record.at);
    counters
}

/// Full hours in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The start of the first hour.
    pub from: Timestamp,
    /// The end of the last hour, which isn't part of the range.
    pub to: Timestamp,
}

/// Why there is no such range.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// It ends before it begins.
    #[error("from must be before to, which is the current time if it isn't given")]
    Empty,
    /// It is too long.
    #[error("from and to must be up to 31 days apart: request a longer range in parts")]
    TooLong,
}

impl Range {
    /// Returns the hours that have a time between `from` and `to`. Without `to`, the current hour is the last. Without
    /// `from`, they are 24 hours.
    ///
    /// # Errors
    ///
    /// See [`RangeError`].
    pub fn new(from: Option<Timestamp>, to: Option<Timestamp>, now: Timestamp) -> Result<Self, RangeError> {
        let to = to.unwrap_or(now);
        let (first, last) = (from.unwrap_or(to).start_of(HOUR), end_of_hour(to));
        match from {
            None => Ok(Self { from: last.before(DEFAULT_RANGE), to: last }),
            Some(from) if from >= to => Err(RangeError::Empty),
            Some(from) if to.since(from) > MAX_RANGE => Err(RangeError::TooLong),
            Some(_) => Ok(Self { from: first, to: last }),
        }
    }
}

/// Returns the end of the hour before a time, if that is the time itself, or the end of the hour that contains it.
fn end_of_hour(time: Timestamp) -> Timestamp {
    let start = time.start_of(HOUR);
    if start == time { start } else { start.after(HOUR) }
}

#[cfg(test)]
mod tests;
