use super::*;

fn documents_of(added: &[(Metric, u64)]) -> Vec<Value> {
    let metrics = Metrics::default();
    for (metric, value) in added {
        metrics.clone().add(*metric, *value);
    }
    let values = metrics.values.lock().unwrap();
    let deliver = FunctionInfo { name: "deliver".to_owned(), level: "WARN".to_owned() };
    documents(&values, &deliver, Timestamp::from_seconds(60).unwrap())
}

#[test]
fn invocation_writes_one_document() {
    let documents = documents_of(&[
        (Metric::MessagesSent, 2),
        (Metric::AcceptedToSentMilliseconds, 70),
        (Metric::AcceptedToSentMilliseconds, 900),
        (Metric::MessagesSent, 1),
        (Metric::OldestPendingSeconds, 0),
    ]);
    let expected = json!({
        "timestamp": "1970-01-01T00:01:00.000Z",
        "level": "WARN",
        "_aws": {
            "Timestamp": 60_000,
            "CloudWatchMetrics": [{
                "Namespace": "Qasid",
                "Dimensions": [["FunctionName"]],
                "Metrics": [
                    {"Name": "MessagesSent", "Unit": "Count"},
                    {"Name": "OldestPendingSeconds", "Unit": "Seconds"},
                    {"Name": "AcceptedToSentMilliseconds", "Unit": "Milliseconds"},
                ],
            }],
        },
        "FunctionName": "deliver",
        "MessagesSent": 3,
        "OldestPendingSeconds": 0,
        "AcceptedToSentMilliseconds": [70, 900],
    });
    assert_eq!(documents, [expected]);
    assert_eq!(documents_of(&[]), Vec::<Value>::new());
}

#[test]
fn failure_counts_in_its_class_and_in_the_total() {
    let documents =
        documents_of(&[(Metric::FailedExpired, 1), (Metric::FailedRejected, 2), (Metric::FailedExpired, 4)]);
    let value = |name: &str| documents[0][name].as_u64();
    assert_eq!((value("FailedExpired"), value("FailedRejected")), (Some(5), Some(2)));
    assert_eq!((value("MessagesFailed"), value("FailedUnconfirmed")), (Some(7), None));
}

#[test]
fn document_has_at_most_100_values() {
    let mut added: Vec<_> = (0..201).map(|value| (Metric::AcceptedToSentMilliseconds, value)).collect();
    added.extend((0..201).map(|_| (Metric::MessagesSent, 1)));
    let documents = documents_of(&added);
    let lengths: Vec<_> =
        documents.iter().map(|one| one["AcceptedToSentMilliseconds"].as_array().map(Vec::len)).collect();
    assert_eq!(lengths, [Some(100), Some(100), None]);
    assert_eq!(documents[2]["AcceptedToSentMilliseconds"], 200);
    // Only the first document has the sum, because CloudWatch would add it up.
    let sums: Vec<_> = documents.iter().map(|one| one.get("MessagesSent").and_then(Value::as_u64)).collect();
    assert_eq!(sums, [Some(201), None, None]);
    let metrics = |index: usize| documents[index]["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().map(Vec::len);
    assert_eq!((metrics(0), metrics(2)), (Some(2), Some(1)));
}

#[test]
fn values_are_written_once() {
    let metrics = Metrics::default();
    metrics.add(Metric::UnownedMessages, 1);
    metrics.write(Timestamp::from_seconds(60).unwrap());
    assert!(metrics.values.lock().unwrap().is_empty());
}

#[test]
fn chain_contains_each_cause_once() {
    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::fmt::Error);
    assert_eq!(chain(&Outer(std::fmt::Error)), format!("outer: {}", std::fmt::Error));
}
