use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use proptest::prelude::*;
use serde_json::json;

use super::{super::record::tests::record, *};
use crate::template::StartingPosition;

pub(crate) fn mapping() -> StreamMapping {
    StreamMapping {
        logical_id: "Stream".to_owned(),
        batch_size: 10,
        maximum_batching_window: Duration::ZERO,
        starting_position: StartingPosition::TrimHorizon,
        filters: Vec::new(),
        bisect_on_error: false,
        maximum_retry_attempts: Some(2),
        maximum_record_age: None,
        report_batch_item_failures: true,
        parallelization_factor: 1,
        on_failure: None,
    }
}

fn bisecting() -> StreamMapping {
    StreamMapping { bisect_on_error: true, ..mapping() }
}

fn batch(sequences: std::ops::Range<u128>) -> Batch {
    Batch::new(sequences.map(record).collect())
}

fn numbers(records: &[Record]) -> Vec<u128> {
    records.iter().map(|record| record.sequence % 1000).collect()
}

fn retries(settled: &Settled) -> Vec<Vec<u128>> {
    settled.retry.iter().map(|batch| numbers(&batch.records)).collect()
}

#[test]
fn a_successful_batch_is_done() {
    let settled = batch(1..4).settle(BatchOutcome::Success, &mapping());
    assert_eq!((numbers(&settled.done), settled.discarded, settled.retry), (vec![1, 2, 3], None, Vec::new()));
}

#[test]
fn records_before_a_partial_failure_are_done() {
    let settled = batch(1..5).settle(BatchOutcome::FailedFrom(2), &mapping());
    assert_eq!((numbers(&settled.done), retries(&settled)), (vec![1, 2], vec![vec![3, 4]]));
    assert_eq!(settled.retry[0].failures, 1);
    let settled = batch(1..5).settle(BatchOutcome::FailedFrom(2), &bisecting());
    assert_eq!((numbers(&settled.done), retries(&settled)), (vec![1, 2], vec![vec![3, 4]]));
    assert_eq!(settled.retry[0].failures, 0);
}

#[test]
fn a_failed_batch_is_discarded_after_its_retries() {
    let mut batch = batch(1..3);
    for _ in 0..2 {
        let mut settled = batch.settle(BatchOutcome::FunctionError, &mapping());
        batch = settled.retry.pop().unwrap();
        assert_eq!(numbers(&batch.records), [1, 2]);
    }
    let discarded = batch.settle(BatchOutcome::FunctionError, &mapping()).discarded.unwrap();
    assert_eq!((numbers(&discarded.records), discarded.invocations), (vec![1, 2], 3));
}

#[test]
fn bisecting_a_batch_does_not_consume_retries() {
    let settled = batch(1..6).settle(BatchOutcome::FunctionError, &bisecting());
    assert_eq!(retries(&settled), [vec![1, 2], vec![3, 4, 5]]);
    assert!(settled.retry.iter().all(|half| half.failures == 0 && half.invocations == 1));
    let one = batch(1..2).settle(BatchOutcome::BadResponse, &bisecting());
    assert_eq!(one.retry[0].failures, 1);
}

#[test]
fn without_a_limit_a_batch_is_always_retried() {
    let endless = StreamMapping { maximum_retry_attempts: None, ..mapping() };
    let tried = Batch { failures: u32::MAX, ..batch(1..2) };
    assert_eq!(tried.settle(BatchOutcome::FunctionError, &endless).retry.len(), 1);
}

#[test]
fn responses_are_parsed_as_lambda_does() {
    let records = batch(1..4).records;
    let id = |n: u128| json!({"itemIdentifier": (100_000_000_000_000_000_000 + n).to_string()});
    for (response, expected) in [
        (json!(null), BatchOutcome::Success),
        (json!({}), BatchOutcome::Success),
        (json!({"batchItemFailures": null}), BatchOutcome::Success),
        (json!({"batchItemFailures": []}), BatchOutcome::Success),
        (json!({"batchItemFailures": [id(3), id(2)]}), BatchOutcome::FailedFrom(1)),
        (json!({"batchItemFailures": [id(1)]}), BatchOutcome::FailedFrom(0)),
        (json!({"batchItemFailures": [id(4)]}), BatchOutcome::BadResponse),
        (json!({"batchItemFailures": [id(1), {"itemIdentifier": ""}]}), BatchOutcome::BadResponse),
        (json!({"batchItemFailures": [{"itemIdentifier": null}]}), BatchOutcome::BadResponse),
        (json!({"batchItemFailures": [{"itemIdentifer": "1"}]}), BatchOutcome::BadResponse),
        (json!({"batchItemFailures": "1"}), BatchOutcome::BadResponse),
        (json!("done"), BatchOutcome::BadResponse),
    ] {
        assert_eq!(read_response(response.to_string().as_bytes(), &records, &mapping()), expected, "{response}");
    }
    assert_eq!(read_response(b"", &records, &mapping()), BatchOutcome::Success);
    assert_eq!(read_response(b"{", &records, &mapping()), BatchOutcome::BadResponse);
    let without_reports = StreamMapping { report_batch_item_failures: false, ..mapping() };
    let failed = json!({"batchItemFailures": [id(1)]}).to_string();
    assert_eq!(read_response(failed.as_bytes(), &records, &without_reports), BatchOutcome::Success);
}

#[test]
fn expired_records_are_split_off() {
    let aged = StreamMapping { maximum_record_age: Some(Duration::from_secs(60)), ..mapping() };
    let created = record(1).created;
    let mut batch = batch(1..4);
    batch.records[2].created = created + SignedDuration::from_secs(5);
    let (expired, rest) = batch.clone().split_expired(&aged, created + SignedDuration::from_secs(61));
    assert_eq!((numbers(&expired.unwrap().records), numbers(&rest.unwrap().records)), (vec![1, 2], vec![3]));
    let (expired, rest) = batch.clone().split_expired(&aged, created + SignedDuration::from_secs(60));
    assert_eq!((expired, rest), (None, Some(batch.clone())));
    let (expired, rest) = batch.clone().split_expired(&mapping(), Timestamp::MAX);
    assert_eq!((expired, rest), (None, Some(batch)));
}

#[test]
fn a_batch_is_limited_by_count_and_by_event_size() {
    let records = batch(1..30).records;
    assert_eq!(batch_length(records.iter(), &mapping()), 10);
    assert_eq!(batch_length(records[..3].iter(), &mapping()), 3);
    let mut big = batch(1..4).records;
    for record in &mut big {
        record.json = "x".repeat(MAX_EVENT_BYTES / 2 - ENVELOPE_BYTES);
    }
    assert_eq!(batch_length(big.iter(), &mapping()), 2);
    let two = Batch::new(big[..2].to_vec());
    assert!(event(&two).len() <= MAX_EVENT_BYTES);
    big[0].json = "x".repeat(MAX_EVENT_BYTES);
    assert_eq!(batch_length(big.iter(), &mapping()), 1);
}

proptest! {
    /// For any poison records and any way of reporting them, every record completes once and in order. With bisection,
    /// only poison records are discarded.
    #[test]
    fn every_record_completes_once_and_in_order(
        length in 1u128..40,
        poison in proptest::collection::btree_set(1u128..40, 0..6),
        bisect: bool,
        reports: bool,
        retries in 0u32..4,
    ) {
        let mapping = StreamMapping { bisect_on_error: bisect, maximum_retry_attempts: Some(retries), ..mapping() };
        let mut queue = VecDeque::from([batch(1..length + 1)]);
        let (mut ended, mut discarded) = (Vec::new(), BTreeSet::new());
        let mut invocations = 0;
        while let Some(batch) = queue.pop_front() {
            invocations += 1;
            prop_assert!(invocations < 2000, "does not terminate");
            let first_bad = numbers(&batch.records).iter().position(|n| poison.contains(n));
            let outcome = match first_bad {
                None => BatchOutcome::Success,
                Some(index) if reports => BatchOutcome::FailedFrom(index),
                Some(_) => BatchOutcome::FunctionError,
            };
            let settled = batch.settle(outcome, &mapping);
            ended.extend(numbers(&settled.done));
            if let Some(batch) = settled.discarded {
                ended.extend(numbers(&batch.records));
                discarded.extend(numbers(&batch.records));
            }
            for batch in settled.retry.into_iter().rev() {
                queue.push_front(batch);
            }
        }
        prop_assert_eq!(ended, (1..length + 1).collect::<Vec<_>>());
        if bisect {
            let poison: BTreeSet<u128> = poison.into_iter().filter(|n| *n <= length).collect();
            prop_assert_eq!(discarded, poison);
        }
    }
}
