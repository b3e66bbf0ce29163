//! A record of the stream.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
};

use axum::body::Bytes;
use jiff::Timestamp;
use serde_json::Value;

/// Its place in the stream, as a number; DynamoDB writes it with 21 digits or more.
pub(super) type SequenceNumber = u128;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    pub(super) sequence: SequenceNumber,
    /// `ApproximateCreationDateTime`.
    pub(super) created: Timestamp,
    /// The partition key's typed value as JSON.
    pub(super) partition_key: String,
    /// The record as Lambda hands it to a function, as JSON.
    pub(super) json: String,
}

impl Record {
    /// `None` when the database's record has no sequence number, which it always has.
    pub(super) fn new(mut record: Value, hash_key: &str, stream_arn: &str) -> Option<Record> {
        record["eventSourceARN"] = stream_arn.into();
        let change = &record["dynamodb"];
        let seconds = change["ApproximateCreationDateTime"].as_f64()?;
        Some(Record {
            sequence: change["SequenceNumber"].as_str()?.parse().ok()?,
            created: Timestamp::from_millisecond((seconds * 1000.0) as i64).ok()?,
            partition_key: change["Keys"][hash_key].to_string(),
            json: record.to_string(),
        })
    }

    /// Records of one partition key share a lane, which keeps their order.
    pub(super) fn lane(&self, lanes: usize) -> usize {
        let mut hasher = DefaultHasher::new();
        self.partition_key.hash(&mut hasher);
        (hasher.finish() % lanes.max(1) as u64) as usize
    }
}

/// The event of an invocation.
pub(super) fn event(records: &[Record]) -> Bytes {
    let records: Vec<&str> = records.iter().map(|record| record.json.as_str()).collect();
    Bytes::from(format!(r#"{{"Records":[{}]}}"#, records.join(",")))
}

#[cfg(test)]
pub(super) mod tests;
