use super::*;

#[test]
fn an_injection_affects_its_operation_and_function_a_limited_number_of_times() {
    let faults = Faults::default();
    faults.inject(Injection {
        operation: "PutItem".into(),
        function: Some("deliver".into()),
        times: 2,
        fault: Fault::Throttled,
    });
    assert_eq!(faults.next("GetItem", "deliver.1"), None);
    assert_eq!(faults.next("PutItem", "deliver-late.1"), None);
    assert_eq!(faults.next("PutItem", "deliver.1"), Some(Fault::Throttled));
    assert_eq!(faults.next("PutItem", "deliver.2"), Some(Fault::Throttled));
    assert_eq!(faults.next("PutItem", "deliver.1"), None);
}

#[test]
fn the_oldest_injection_applies_first_and_clear_removes_all() {
    let faults = Faults::default();
    for fault in [Fault::InternalServerError, Fault::TransactionConflict, Fault::Throttled] {
        faults.inject(Injection { operation: "Query".into(), function: None, times: 1, fault });
    }
    assert_eq!(faults.next("Query", "anyone"), Some(Fault::InternalServerError));
    assert_eq!(faults.next("Query", ""), Some(Fault::TransactionConflict));
    faults.clear();
    assert_eq!(faults.next("Query", "anyone"), None);
}

#[test]
fn random_faults_affect_their_percentage_of_requests() {
    let drawn = || {
        let faults = Faults::default();
        let (functions, kinds) = (vec!["deliver".to_owned()], vec![Fault::Throttled, Fault::TransactionConflict]);
        faults.inject_random(RandomFaults { seed: 7, percent: 20, functions, faults: kinds });
        assert!((0..100).all(|_| faults.next("PutItem", "webhook.1").is_none()));
        let writes: Vec<_> = (0..1000).map(|_| faults.next("PutItem", "deliver.1")).collect();
        let reads: Vec<_> = (0..1000).map(|_| faults.next("Query", "deliver.2")).collect();
        faults.clear();
        assert!((0..100).all(|_| faults.next("PutItem", "deliver.1").is_none()));
        (writes, reads)
    };
    let (writes, reads) = drawn();
    let count = |of: &[Option<Fault>], wanted| of.iter().filter(|fault| **fault == wanted).count();
    assert!((60..140).contains(&count(&writes, Some(Fault::Throttled))));
    assert!((60..140).contains(&count(&writes, Some(Fault::TransactionConflict))));
    assert!((60..140).contains(&count(&reads, Some(Fault::Throttled))));
    assert_eq!(count(&reads, Some(Fault::TransactionConflict)), 0);
    assert_eq!((writes, reads), drawn());
}

#[test]
fn a_canceled_transaction_has_a_reason_for_each_action() {
    let (status, body) = Fault::TransactionConflict.error("TransactWriteItems", br#"{"TransactItems":[{},{},{}]}"#);
    assert_eq!(status, 400);
    assert_eq!(
        body["Message"],
        "Transaction cancelled, please refer cancellation reasons for specific reasons [TransactionConflict, None, None]"
    );
    assert_eq!(body["CancellationReasons"].as_array().map(Vec::len), Some(3));
}
