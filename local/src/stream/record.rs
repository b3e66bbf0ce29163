//! A stream record.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};

use axum::body::Bytes;
use jiff::Timestamp;
use serde_json::Value;

/// The position of a record in the stream. DynamoDB writes it with at least 21 digits.
pub(super) type SequenceNumber = u128;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    pub(super) sequence: SequenceNumber,
    /// `ApproximateCreationDateTime`.
    pub(super) created: Timestamp,
    /// The typed values of the item's key, by the name of their attribute, as JSON.
    pub(super) key: BTreeMap<String, String>,
    /// The record in Lambda's event format as JSON.
    pub(super) json: String,
}

impl Record {
    /// Converts a record of the database. Returns `None` if it has no sequence number or time.
    pub(super) fn new(mut record: Value, stream_arn: &str) -> Option<Record> {
        record["eventSourceARN"] = stream_arn.into();
        let change = &record["dynamodb"];
        let seconds = change["ApproximateCreationDateTime"].as_f64()?;
        Some(Record {
            sequence: change["SequenceNumber"].as_str()?.parse().ok()?,
            created: Timestamp::from_millisecond((seconds * 1000.0) as i64).ok()?,
            key: change["Keys"].as_object()?.iter().map(|(name, value)| (name.clone(), value.to_string())).collect(),
            json: record.to_string(),
        })
    }

    /// Returns the worker for this record. All records of an item share a worker, which keeps them in order. Lambda promises
    /// no more (Lambda Developer Guide, *Process Amazon DynamoDB records with Lambda*).
    pub(super) fn worker_index(&self, workers: usize) -> usize {
        let mut hasher = DefaultHasher::new();
        self.key.hash(&mut hasher);
        (hasher.finish() % workers.max(1) as u64) as usize
    }
}

/// Builds the event of an invocation.
pub(super) fn event(records: &[Record]) -> Bytes {
    let records: Vec<&str> = records.iter().map(|record| record.json.as_str()).collect();
    Bytes::from(format!(r#"{{"Records":[{}]}}"#, records.join(",")))
}

#[cfg(test)]
pub(super) mod tests;
