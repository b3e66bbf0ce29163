//! A record of the stream.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

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
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn record(sequence: u128) -> Record {
        let change = json!({
            "eventID": "1", "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": {
                "ApproximateCreationDateTime": 1_700_000_000.0,
                "Keys": {"pk": {"S": "a"}, "sk": {"S": sequence.to_string()}},
                "SequenceNumber": (100_000_000_000_000_000_000 + sequence).to_string(),
                "SizeBytes": 3,
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
        });
        Record::new(change, "pk", "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/1").unwrap()
    }

    #[test]
    fn the_event_is_what_the_lambda_event_types_read() {
        let event: aws_lambda_events::event::dynamodb::Event =
            serde_json::from_slice(&event(&[record(7), record(8)])).unwrap();
        assert_eq!(event.records.len(), 2);
        let first = &event.records[0];
        assert_eq!(first.change.sequence_number.as_deref(), Some("100000000000000000007"));
        assert_eq!(first.event_source_arn.as_deref(), Some("arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/1"));
    }

    #[test]
    fn one_partition_key_is_always_in_one_lane() {
        let lanes: Vec<usize> = (1..50).map(|n| record(n).lane(10)).collect();
        assert!(lanes.iter().all(|lane| *lane == lanes[0] && *lane < 10));
        assert_eq!(record(1).lane(1), 0);
    }
}
