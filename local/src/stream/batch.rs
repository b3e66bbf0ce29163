//! The outcome of a batch after its invocation. Pure functions, so that tests need neither a database nor a process.

use axum::body::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::record::Record;
use crate::template::StreamMapping;

/// Maximum size of the event of a synchronous invocation (*Lambda quotas*).
const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;
/// Size of `{"Records":[]}`. Each record adds a comma.
const ENVELOPE_BYTES: usize = 14;

/// Records of one invocation, in stream order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Batch {
    pub(super) records: Vec<Record>,
    /// Number of failed invocations that count against `MaximumRetryAttempts`.
    pub(super) failures: u32,
    /// Number of invocations that included the first record.
    pub(super) invocations: u32,
}

/// The result of the invocation of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BatchOutcome {
    Success,
    /// Index of the first failed record. The records before it succeeded.
    FailedFrom(usize),
    /// The response names a record outside of the batch, or Lambda cannot parse it.
    BadResponse,
    /// The function failed, timed out, or crashed.
    FunctionError,
}

/// Why Lambda discarded records, named like `condition` of the on-failure destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    RetryAttemptsExhausted,
    RecordAgeExceeded,
}

/// A batch after its invocation. `done`, followed by either `discarded` or `retry`, covers its records in order.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Settled {
    pub(super) done: Vec<Record>,
    pub(super) discarded: Option<Batch>,
    /// Batches to invoke next, in order.
    pub(super) retry: Vec<Batch>,
}

impl Batch {
    pub(super) fn new(records: Vec<Record>) -> Batch {
        Batch { records, failures: 0, invocations: 0 }
    }

    /// Splits off the records that exceed the mapping's maximum age. They are the oldest and therefore come first.
    pub(super) fn split_expired(mut self, mapping: &StreamMapping, now: Timestamp) -> (Option<Batch>, Option<Batch>) {
        let expired = mapping.maximum_record_age.map_or(0, |age| {
            let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
            self.records.iter().take_while(|record| now.duration_since(record.created) > age).count()
        });
        let rest = self.records.split_off(expired);
        let some = |records: Vec<Record>| (!records.is_empty()).then_some(Batch { records, ..self });
        (some(self.records), some(rest))
    }

    /// Determines the next step for each record.
    ///
    /// - A failure counts against `MaximumRetryAttempts`. Once the attempts are exhausted, the rest of the batch is
    ///   discarded.
    /// - With `BisectBatchOnFunctionError`, a batch of several records is split instead, which "doesn't consume the
    ///   retry quota" (Lambda Developer Guide, *Retain discarded records for a DynamoDB event source*). It is split in
    ///   half, or at the first failed record if the function reported one (*Configuring partial batch response with
    ///   DynamoDB and Lambda*).
    /// - Without it, a partial failure counts like any other. The guide does not say that progress resets the quota.
    pub(super) fn settle(mut self, outcome: BatchOutcome, mapping: &StreamMapping) -> Settled {
        self.invocations = self.invocations.saturating_add(1);
        let done_until = match outcome {
            BatchOutcome::Success => self.records.len(),
            BatchOutcome::FailedFrom(index) => index.min(self.records.len()),
            BatchOutcome::BadResponse | BatchOutcome::FunctionError => 0,
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

/// Parses a function's response according to the mapping.
///
/// With `ReportBatchItemFailures`, `null`, an object without `batchItemFailures`, and an empty list mean success. The
/// whole batch fails if an identifier is empty, null, misspelled, or not in the batch (*Configuring partial batch
/// response with DynamoDB and Lambda*). Without the setting, every response means success.
pub(super) fn read_response(response: &[u8], records: &[Record], mapping: &StreamMapping) -> BatchOutcome {
    if !mapping.report_batch_item_failures || response.is_empty() {
        return BatchOutcome::Success;
    }
    let failures = match serde_json::from_slice::<Value>(response) {
        Ok(Value::Null) => return BatchOutcome::Success,
        Ok(Value::Object(mut response)) => match response.remove("batchItemFailures") {
            None | Some(Value::Null) => return BatchOutcome::Success,
            Some(Value::Array(failures)) => failures,
            Some(_) => return BatchOutcome::BadResponse,
        },
        Ok(_) | Err(_) => return BatchOutcome::BadResponse,
    };
    let position = |failure: &Value| {
        let sequence = failure["itemIdentifier"].as_str()?.parse().ok()?;
        records.iter().position(|record| record.sequence == sequence)
    };
    match failures.iter().map(position).collect::<Option<Vec<usize>>>() {
        None => BatchOutcome::BadResponse,
        Some(positions) => positions.into_iter().min().map_or(BatchOutcome::Success, BatchOutcome::FailedFrom),
    }
}

/// Returns the number of `waiting` records in the next batch: limited by `BatchSize` and the event size, but at least
/// one.
pub(super) fn batch_length<'a>(waiting: impl Iterator<Item = &'a Record>, mapping: &StreamMapping) -> usize {
    let mut size = ENVELOPE_BYTES;
    let fitting = waiting
        .take(mapping.batch_size as usize)
        .take_while(|record| {
            size += record.json.len() + 1;
            size <= MAX_EVENT_BYTES
        })
        .count();
    fitting.max(1)
}

/// Builds the event for the batch.
pub(super) fn event(batch: &Batch) -> Bytes {
    super::record::event(&batch.records)
}

#[cfg(test)]
pub(super) mod tests;
