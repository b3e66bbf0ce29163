//! What becomes of a batch after an invocation. Pure, so that every path can be tested without a database or a process.

use axum::body::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::record::Record;
use crate::template::StreamMapping;

/// The largest event of an invocation ("Lambda quotas": 6 MB, synchronous).
const MAX_EVENT: usize = 6 * 1024 * 1024;
/// `{"Records":[]}`; each record has a comma as well.
const ENVELOPE: usize = 14;

/// Records that are invoked together, in stream order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Batch {
    pub(super) records: Vec<Record>,
    /// Failed invocations that count against `MaximumRetryAttempts`.
    pub(super) failures: u32,
    /// Invocations that its first record has seen.
    pub(super) invocations: u32,
}

/// What an invocation said of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Success,
    /// The first record that failed; those before it are done.
    FailedFrom(usize),
    /// The response names no record of the batch, or is none that Lambda reads.
    BadResponse,
    /// The function failed, timed out or crashed.
    FunctionError,
}

/// Why Lambda gives up on records, in the words of the on-failure destination's `condition`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    RetryAttemptsExhausted,
    RecordAgeExceeded,
}

/// A batch after its invocation: `done`, then either `discarded` or `retry`, cover its records in order.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Settled {
    pub(super) done: Vec<Record>,
    pub(super) discarded: Option<Batch>,
    /// Batches to be invoked next, in this order.
    pub(super) retry: Vec<Batch>,
}

impl Batch {
    pub(super) fn new(records: Vec<Record>) -> Batch {
        Batch { records, failures: 0, invocations: 0 }
    }

    /// Splits off the records that are older than the mapping allows; being the oldest, they come first.
    pub(super) fn expire(mut self, mapping: &StreamMapping, now: Timestamp) -> (Option<Batch>, Option<Batch>) {
        let expired = mapping.maximum_record_age.map_or(0, |age| {
            let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
            self.records.iter().take_while(|record| now.duration_since(record.created) > age).count()
        });
        let rest = self.records.split_off(expired);
        let some = |records: Vec<Record>| (!records.is_empty()).then_some(Batch { records, ..self });
        (some(self.records), some(rest))
    }

    /// Decides what happens next.
    ///
    /// - A failure counts against `MaximumRetryAttempts`; when that is used up, what is left of the batch is discarded.
    /// - With `BisectBatchOnFunctionError` a batch of more than one is split instead, which "doesn't consume the retry
    ///   quota" (Lambda Developer Guide, "Retain discarded records for a DynamoDB event source"): in halves, or where the
    ///   function said that the failure begins ("Configuring partial batch response with DynamoDB and Lambda").
    /// - Without it, a partial failure counts like any other; the guide does not say that progress renews the quota.
    pub(super) fn settle(mut self, outcome: Outcome, mapping: &StreamMapping) -> Settled {
        self.invocations = self.invocations.saturating_add(1);
        let done_until = match outcome {
            Outcome::Success => self.records.len(),
            Outcome::FailedFrom(index) => index.min(self.records.len()),
            Outcome::BadResponse | Outcome::FunctionError => 0,
        };
        let rest = self.records.split_off(done_until);
        let done = self.records;
        if rest.is_empty() {
            return Settled { done, ..Settled::default() };
        }
        let mut rest = Batch { records: rest, ..self };
        if mapping.bisect_on_error && !done.is_empty() {
            return Settled { done, discarded: None, retry: vec![rest] };
        }
        if mapping.bisect_on_error && rest.records.len() > 1 {
            let second = rest.records.split_off(rest.records.len() / 2);
            let second = Batch { records: second, ..rest };
            return Settled { done, discarded: None, retry: vec![rest, second] };
        }
        rest.failures = rest.failures.saturating_add(1);
        if mapping.maximum_retry_attempts.is_some_and(|most| rest.failures > most) {
            return Settled { done, discarded: Some(rest), retry: Vec::new() };
        }
        Settled { done, discarded: None, retry: vec![rest] }
    }
}

/// Reads a function's answer as the mapping asks for.
///
/// With `ReportBatchItemFailures`: success is `null`, an object without failures, or with an empty list of them; a failure
/// whose identifier is empty, null, misspelt or not of this batch fails all ("Configuring partial batch response with
/// DynamoDB and Lambda"). Without it every answer is a success.
pub(super) fn outcome(answer: &[u8], records: &[Record], mapping: &StreamMapping) -> Outcome {
    if !mapping.report_batch_item_failures || answer.is_empty() {
        return Outcome::Success;
    }
    let failures = match serde_json::from_slice::<Value>(answer) {
        Ok(Value::Null) => return Outcome::Success,
        Ok(Value::Object(mut answer)) => match answer.remove("batchItemFailures") {
            None | Some(Value::Null) => return Outcome::Success,
            Some(Value::Array(failures)) => failures,
            Some(_) => return Outcome::BadResponse,
        },
        Ok(_) | Err(_) => return Outcome::BadResponse,
    };
    let position = |failure: &Value| {
        let sequence = failure["itemIdentifier"].as_str()?.parse().ok()?;
        records.iter().position(|record| record.sequence == sequence)
    };
    match failures.iter().map(position).collect::<Option<Vec<usize>>>() {
        None => Outcome::BadResponse,
        Some(positions) => positions.into_iter().min().map_or(Outcome::Success, Outcome::FailedFrom),
    }
}

/// How many of `waiting` make the next batch: as many as `BatchSize` and the size of an event allow, and one at least.
pub(super) fn batch_length<'a>(waiting: impl Iterator<Item = &'a Record>, mapping: &StreamMapping) -> usize {
    let mut size = ENVELOPE;
    let fitting = waiting
        .take(mapping.batch_size as usize)
        .take_while(|record| {
            size += record.json.len() + 1;
            size <= MAX_EVENT
        })
        .count();
    fitting.max(1)
}

/// The event of the batch's invocation.
pub(super) fn event(batch: &Batch) -> Bytes {
    super::record::event(&batch.records)
}

#[cfg(test)]
pub(super) mod tests;
