use axum::body::Bytes;
use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{batch::tests::mapping, *};
use crate::{
    database::{Storage, usage::UsageMeter},
    lambda::InvokeError,
};

/// The sort keys of the records in an event.
type Seen = Vec<String>;

struct Harness {
    database: Database,
    checkpoints: Checkpoints,
    failures: FailureQueue,
}

impl Harness {
    async fn new() -> Harness {
        let (database, _) = crate::database::tests::start(Storage::Memory, UsageMeter::default()).await;
        Harness { database, checkpoints: Checkpoints::memory(), failures: FailureQueue::default() }
    }

    fn put(&self, pk: &str, sk: &str) {
        let item = json!({"TableName": "qasid", "Item": {"pk": {"S": pk}, "sk": {"S": sk}}});
        self.database.embedded().put_item(serde_json::from_value(item).unwrap()).unwrap();
    }

    async fn open(&self, mapping: StreamMapping, lambda: Lambda) -> EventSourceMapping {
        EventSourceMapping::open(
            mapping,
            "deliver".to_owned(),
            &self.database,
            lambda,
            self.checkpoints.clone(),
            self.failures.clone(),
            Output::captured(),
        )
        .await
        .unwrap()
    }

    fn checkpoint(&self) -> Option<u128> {
        self.checkpoints.get("deliver/Stream")
    }
}

/// Creates a function that responds based on its records, and a channel of its invocations.
fn function(
    response: impl Fn(&[Value]) -> Result<Value, InvokeError> + Send + Sync + 'static,
) -> (Lambda, UnboundedReceiver<Seen>) {
    let (seen, invocations) = mpsc::unbounded_channel();
    let lambda = Lambda::fake(move |name, event: Bytes| {
        assert_eq!(name, "deliver");
        let event: Value = serde_json::from_slice(&event).unwrap();
        let records = event["Records"].as_array().unwrap();
        let response = response(records).map(|response| Bytes::from(response.to_string()));
        seen.send(records.iter().map(sort_key).collect()).unwrap();
        async move { response }.boxed()
    });
    (lambda, invocations)
}

fn sort_key(record: &Value) -> String {
    record["dynamodb"]["Keys"]["sk"]["S"].as_str().unwrap().to_owned()
}

fn crash() -> InvokeError {
    InvokeError::Crashed { status: "exit status: 1".to_owned() }
}

/// Runs the mapping until `done` completes.
async fn run_until(mapping: EventSourceMapping, done: impl Future<Output = ()>) {
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(mapping.run(shutdown.clone()));
    done.await;
    shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_restarted_mapping_resumes_from_its_checkpoint() {
    let h = Harness::new().await;
    let filtered = || StreamMapping {
        filters: vec![json!({"eventName": ["INSERT"], "dynamodb": {"Keys": {"sk": {"S": [{"prefix": "m"}]}}}})],
        ..mapping()
    };
    h.put("a", "m1");
    h.put("a", "other");
    h.put("a", "m2");
    let (lambda, mut invocations) = function(|_| Ok(Value::Null));
    run_until(h.open(filtered(), lambda).await, async {
        assert_eq!(invocations.recv().await.unwrap(), ["m1", "m2"]);
    })
    .await;
    let checkpoint = h.checkpoint().unwrap();

    h.put("a", "m3");
    let (lambda, mut invocations) = function(|_| Ok(Value::Null));
    run_until(h.open(filtered(), lambda).await, async {
        assert_eq!(invocations.recv().await.unwrap(), ["m3"]);
    })
    .await;
    assert!(h.checkpoint().unwrap() > checkpoint);
    assert!(invocations.try_recv().is_err());
}

#[tokio::test]
async fn latest_starts_after_the_mapping_is_opened() {
    for earlier in [0, 2] {
        let h = Harness::new().await;
        (0..earlier).for_each(|n| h.put("a", &format!("before{n}")));
        let (lambda, mut invocations) = function(|_| Ok(Value::Null));
        let latest = StreamMapping { starting_position: StartingPosition::Latest, ..mapping() };
        let opened = h.open(latest, lambda).await;
        h.put("a", "after");
        run_until(opened, async {
            assert_eq!(invocations.recv().await.unwrap(), ["after"]);
        })
        .await;
    }
}

#[tokio::test]
async fn a_poison_record_is_isolated_and_discarded() {
    let h = Harness::new().await;
    (1..=4).for_each(|n| h.put("a", &format!("{n}")));
    let (lambda, mut invocations) =
        function(
            |records| {
                if records.iter().any(|record| sort_key(record) == "3") { Err(crash()) } else { Ok(json!({})) }
            },
        );
    let mapping = StreamMapping {
        bisect_on_error: true,
        maximum_retry_attempts: Some(1),
        on_failure: Some("DeliverFailures".to_owned()),
        ..mapping()
    };
    let mut seen = Vec::new();
    run_until(h.open(mapping, lambda).await, async {
        while seen.last().is_none_or(|last| *last != ["4"]) {
            seen.push(invocations.recv().await.unwrap());
        }
    })
    .await;
    let expected: [&[&str]; 6] = [&["1", "2", "3", "4"], &["1", "2"], &["3", "4"], &["3"], &["3"], &["4"]];
    assert_eq!(seen, expected);

    let messages = h.failures.messages();
    let [message] = messages.as_slice() else { unreachable!("one message: {messages:?}") };
    assert_eq!(message["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert_eq!(message["requestContext"]["approximateInvokeCount"], 4);
    assert_eq!(message["responseContext"]["functionError"], "Unhandled");
    let info = &message["DDBStreamBatchInfo"];
    assert_eq!(info["batchSize"], 1);
    assert_eq!(info["startSequenceNumber"], info["endSequenceNumber"]);
    assert!(info["shardId"].as_str().unwrap().starts_with("shardId-"));
    let arrival = info["approximateArrivalOfFirstRecord"].as_str().unwrap();
    assert_eq!((arrival.len(), arrival.as_bytes()[19]), (20, b'Z'), "{arrival}");
}

#[tokio::test]
async fn a_partial_failure_is_retried_from_the_record_that_failed() {
    let h = Harness::new().await;
    (1..=3).for_each(|n| h.put("a", &format!("{n}")));
    let (lambda, mut invocations) = function(|records| {
        let failed = records.iter().find(|record| records.len() == 3 && sort_key(record) == "2");
        let id = failed.map(|record| json!({"itemIdentifier": record["dynamodb"]["SequenceNumber"]}));
        Ok(json!({"batchItemFailures": id.into_iter().collect::<Vec<_>>()}))
    });
    run_until(h.open(mapping(), lambda).await, async {
        assert_eq!(invocations.recv().await.unwrap(), ["1", "2", "3"]);
        assert_eq!(invocations.recv().await.unwrap(), ["2", "3"]);
    })
    .await;
    assert!(h.failures.messages().is_empty());
}

#[tokio::test]
async fn a_stuck_item_blocks_only_its_worker_and_the_checkpoint() {
    let h = Harness::new().await;
    let (stuck, free) = keys_of_two_workers(["stuck", "free"]);
    h.put(&stuck, "stuck");
    h.put(&free, "free");
    let (lambda, mut invocations) =
        function(|records| if sort_key(&records[0]) == "stuck" { Err(crash()) } else { Ok(Value::Null) });
    let mapping = StreamMapping { parallelization_factor: 2, maximum_retry_attempts: None, ..mapping() };
    run_until(h.open(mapping, lambda).await, async {
        let mut seen = Vec::new();
        while !(seen.contains(&"free".to_owned()) && seen.iter().filter(|sk| *sk == "stuck").count() == 2) {
            seen.extend(invocations.recv().await.unwrap());
        }
    })
    .await;
    assert_eq!(h.checkpoint(), None);
}

/// Returns the partition keys of items with these sort keys that belong to different workers.
fn keys_of_two_workers(sort_keys: [&str; 2]) -> (String, String) {
    let worker_of = |pk: &str, sk: &str| {
        let key = [("pk", pk), ("sk", sk)].map(|(name, value)| (name.to_owned(), json!({"S": value}).to_string()));
        Record { key: key.into(), ..record::tests::record(1) }.worker_index(2)
    };
    let [first, second] = sort_keys;
    let other = (0..100).map(|n| n.to_string()).find(|pk| worker_of(pk, second) != worker_of("a", first)).unwrap();
    ("a".to_owned(), other)
}

#[tokio::test]
async fn records_past_the_maximum_age_are_discarded() {
    let h = Harness::new().await;
    h.put("a", "old");
    // The function fails, so that a record that is not yet too old returns later.
    let (lambda, _invocations) = function(|_| Err(crash()));
    let mapping = StreamMapping {
        maximum_retry_attempts: None,
        maximum_record_age: Some(Duration::ZERO),
        on_failure: Some("Failures".to_owned()),
        ..mapping()
    };
    run_until(h.open(mapping, lambda).await, async {
        while h.failures.messages().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(h.failures.messages()[0]["requestContext"]["condition"], "RecordAgeExceeded");
    assert!(h.checkpoint().is_some());
}

#[tokio::test]
async fn an_unsupported_filter_is_an_error_at_startup() {
    let h = Harness::new().await;
    let (lambda, _) = function(|_| Ok(Value::Null));
    let mapping = StreamMapping { filters: vec![json!({"eventName": [{"wildcard": "I*"}]})], ..mapping() };
    let opened = EventSourceMapping::open(
        mapping,
        "deliver".to_owned(),
        &h.database,
        lambda,
        Checkpoints::memory(),
        FailureQueue::default(),
        Output::captured(),
    )
    .await;
    assert!(matches!(opened, Err(StreamError::Filter { function, .. }) if function == "deliver"));
}
