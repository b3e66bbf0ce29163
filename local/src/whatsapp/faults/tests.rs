use serde_json::json;

use super::*;

fn changed(faults: &mut Faults, change: serde_json::Value) -> Result<(), String> {
    let change: FaultsUpdate = serde_json::from_value(change).map_err(|error| error.to_string())?;
    faults.change(change)
}

#[test]
fn a_fault_with_a_number_of_times_is_for_messages_only() {
    let mut faults = Faults::default();
    let rejected = SendOutcome::Rejected { code: 131_000, status: None, retry_after: None };
    changed(&mut faults, json!({"sends": {"errorCode": 131000, "times": 1}})).unwrap();
    assert_eq!(faults.next_read_receipt(), SendOutcome::Accepted);
    assert_eq!(faults.next_send(), rejected);

    changed(&mut faults, json!({"sends": {"errorCode": 131000}})).unwrap();
    assert_eq!(faults.next_read_receipt(), rejected);
}

#[test]
fn a_fault_ends_after_its_number_of_times() {
    let mut faults = Faults::default();
    changed(&mut faults, json!({"sends": {"errorCode": 131056, "httpStatus": 429, "retryAfter": 6, "times": 2}}))
        .unwrap();
    let rejected = SendOutcome::Rejected { code: 131_056, status: Some(429), retry_after: Some(6) };
    assert_eq!(faults.next_send(), rejected);
    assert_eq!(json!(faults)["sends"]["times"], 1);
    assert_eq!(faults.next_send(), rejected);
    assert_eq!(faults.next_send(), SendOutcome::Accepted);
}

#[test]
fn a_fault_without_times_lasts_until_replaced() {
    let mut faults = Faults::default();
    changed(&mut faults, json!({"sends": {"dropAfterAcceptance": true}})).unwrap();
    for _ in 0..3 {
        assert_eq!(faults.next_send(), SendOutcome::LostAfterAcceptance(Duration::ZERO));
    }
    changed(&mut faults, json!({"sends": {"timeoutBeforeAcceptance": 20}, "webhooks": {"hold": true}})).unwrap();
    assert_eq!(faults.next_send(), SendOutcome::LostBeforeAcceptance(Duration::from_millis(20)));
    assert!(faults.webhooks.hold);
    changed(&mut faults, json!({"webhooks": {}})).unwrap();
    assert_eq!(faults.webhooks, WebhookFaults::default());
    assert_ne!(faults.sends, None);
    changed(&mut faults, json!({"sends": null})).unwrap();
    assert_eq!(faults, Faults::default());
}

#[test]
fn a_mix_selects_faults_by_percentage_and_is_reproducible() {
    let drawn = || {
        let mut faults = Faults::default();
        let mix = json!([{"percent": 10, "fault": {"errorCode": 4}}, {"percent": 30, "fault": {"dropAfterAcceptance": true}}]);
        changed(&mut faults, json!({"sends": {"mix": {"seed": 7, "faults": mix}}})).unwrap();
        (0..1000).map(|_| faults.next_send()).collect::<Vec<_>>()
    };
    let sends = drawn();
    let count = |wanted: SendOutcome| sends.iter().filter(|outcome| **outcome == wanted).count();
    assert!((50..150).contains(&count(SendOutcome::Rejected { code: 4, status: None, retry_after: None })));
    assert!((240..360).contains(&count(SendOutcome::LostAfterAcceptance(Duration::ZERO))));
    assert!((530..670).contains(&count(SendOutcome::Accepted)));
    assert_eq!(sends, drawn());
}

#[test]
fn each_kind_of_request_for_files_has_its_own_fault() {
    let mut faults = Faults::default();
    let update = json!({"media": {"lookups": {"httpStatus": 500}, "downloads": {"dropAfter": 9, "times": 1}}});
    changed(&mut faults, update).unwrap();
    assert_eq!(faults.media.next(MediaRequest::Download), MediaOutcome::Dropped(9));
    assert_eq!(json!(faults)["media"], json!({"lookups": {"httpStatus": 500, "times": null}}));
    let mut next = |request| faults.media.next(request);
    assert_eq!(
        (next(MediaRequest::Download), next(MediaRequest::Upload)),
        (MediaOutcome::Handled, MediaOutcome::Handled)
    );
    assert_eq!([next(MediaRequest::Lookup), next(MediaRequest::Lookup)], [MediaOutcome::Rejected(500); 2]);

    changed(
        &mut faults,
        json!({"media": {"downloads": {"corrupt": true}, "uploads": {"delay": 20}, "lookups": {"stallAfter": 5}}}),
    )
    .unwrap();
    let mut next = |request| faults.media.next(request);
    assert_eq!(
        (next(MediaRequest::Lookup), next(MediaRequest::Download)),
        (MediaOutcome::Stalled(5), MediaOutcome::Corrupt)
    );
    assert_eq!(next(MediaRequest::Upload), MediaOutcome::Delayed(Duration::from_millis(20)));

    let mix = json!({"seed": 7, "faults": [{"percent": 50, "fault": {"corrupt": true}}]});
    changed(&mut faults, json!({"media": {"downloads": {"mix": mix}}})).unwrap();
    let corrupt = (0..1000).filter(|_| faults.media.next(MediaRequest::Download) == MediaOutcome::Corrupt).count();
    assert!((430..570).contains(&corrupt), "{corrupt}");
}

#[test]
fn an_invalid_change_is_rejected_and_changes_nothing() {
    for (change, named) in [
        (json!({"sends": {}}), "exactly one"),
        (json!({"sends": {"times": 1}}), "exactly one"),
        (json!({"sends": {"errorCode": 1, "failedStatus": 2}}), "exactly one"),
        (json!({"sends": {"errorCode": "1"}}), "string"),
        (json!({"sends": {"errorCode": 1, "httpStatus": 200}}), "httpStatus"),
        (json!({"sends": {"failedStatus": 1, "retryAfter": 2}}), "retryAfter"),
        (json!({"sends": {"errorCode": 1, "times": 0}}), "times"),
        (json!({"sends": {"timeoutAfterAcceptance": 0}}), "timeoutAfterAcceptance"),
        (json!({"sends": {"delay": 0}}), "delay"),
        (json!({"sends": {"delay": 600_001}}), "delay"),
        (json!({"webhooks": {"delay": 600_001}}), "delay"),
        (json!({"sends": {"errorcode": 1}}), "errorcode"),
        (json!({"sends": {"mix": {"seed": 1, "faults": []}}}), "at least one"),
        (json!({"sends": {"mix": {"seed": 1, "faults": [{"percent": 101, "fault": {"errorCode": 1}}]}}}), "percents"),
        (json!({"sends": {"mix": {"seed": 1, "faults": [{"percent": 1, "fault": {}}]}}}), "exactly one"),
        (
            json!({"sends": {"mix": {"seed": 1, "faults": [{"percent": 1, "fault": {"errorCode": 1, "times": 2}}]}}}),
            "times",
        ),
        (json!({"media": {"downloads": {}}}), "media.downloads must have exactly one"),
        (json!({"media": {"downloads": {"corrupt": true, "dropAfter": 1}}}), "media.downloads must have exactly one"),
        (json!({"media": {"lookups": {"httpStatus": 200}}}), "media.lookups.httpStatus"),
        (json!({"media": {"uploads": {"delay": 600_001}}}), "media.uploads.delay"),
        (json!({"media": {"uploads": {"corrupt": true, "times": 0}}}), "media.uploads.times"),
        (json!({"media": {"uploads": {"mix": {"seed": 1, "faults": []}}}}), "media.uploads.mix.faults"),
        (json!({"media": {"files": {"corrupt": true}}}), "files"),
        (json!({"media": null}), "null"),
        (json!({"webhooks": {"duplicates": 101}}), "duplicates"),
        (json!({"webhooks": {"holds": true}}), "holds"),
        (json!({"webhooks": null}), "null"),
        (json!({"webhook": {}}), "webhook"),
    ] {
        let mut faults = Faults::default();
        let sentence = changed(&mut faults, change.clone()).unwrap_err();
        assert!(sentence.contains(named), "{change}: {sentence}");
        assert_eq!(faults, Faults::default());
    }
}
