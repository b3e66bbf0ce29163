use std::collections::BTreeSet;

use serde_json::json;

use super::*;

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
    Record::new(change, "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/1").unwrap()
}

#[test]
fn the_event_parses_as_the_lambda_event_type() {
    let event: aws_lambda_events::event::dynamodb::Event =
        serde_json::from_slice(&event(&[record(7), record(8)])).unwrap();
    assert_eq!(event.records.len(), 2);
    let first = &event.records[0];
    assert_eq!(first.change.sequence_number.as_deref(), Some("100000000000000000007"));
    assert_eq!(first.event_source_arn.as_deref(), Some("arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/1"));
}

#[test]
fn an_item_always_has_the_same_worker_and_a_partition_several() {
    for n in 1..50 {
        let later = Record { sequence: n + 1, ..record(n) };
        assert_eq!(record(n).worker_index(10), later.worker_index(10));
    }
    let workers: BTreeSet<usize> = (1..50).map(|n| record(n).worker_index(10)).collect();
    assert!(workers.len() > 1 && workers.iter().all(|worker| *worker < 10));
    assert_eq!(record(1).worker_index(1), 0);
}
