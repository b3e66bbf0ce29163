use super::*;

fn user() -> User {
    User {
        wa_id: Some("201001234567".to_owned()),
        user_id: "EG.7".to_owned(),
        name: Some("Mona".to_owned()),
        username: None,
    }
}

fn webhook(state: CallState, shared_number: Option<&str>) -> Value {
    let business = BusinessNumber {
        waba_id: "1".to_owned(),
        phone_number_id: "2".to_owned(),
        display_phone_number: "15550783881".to_owned(),
    };
    let shared_number = shared_number.map(str::to_owned);
    let call = Call { state, shared_number, callback_data: Some("key".to_owned()) };
    let members = call.webhook("wacid.1", &user(), &business, 1_749_416_383);
    members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[test]
fn a_call_has_the_webhooks_of_meta() {
    assert_eq!(
        webhook(CallState::Ringing, Some("201001234567")),
        json!({
            "contacts": [{"profile": {"name": "Mona"}, "wa_id": "201001234567", "user_id": "EG.7"}],
            "calls": [{"id": "wacid.1", "from": "201001234567", "from_user_id": "EG.7", "to": "15550783881",
                "event": "connect", "timestamp": "1749416383", "direction": "USER_INITIATED",
                "session": {"sdp_type": "offer", "sdp": SDP_OFFER}}],
        })
    );
    let completed = webhook(CallState::Completed { started_at: 100, ended_at: 160 }, None);
    assert_eq!(
        completed,
        json!({
            "contacts": [{"profile": {"name": "Mona"}, "user_id": "EG.7"}],
            "calls": [{"id": "wacid.1", "from_user_id": "EG.7", "to": "15550783881", "event": "terminate",
                "timestamp": "1749416383", "direction": "USER_INITIATED", "status": "COMPLETED", "start_time": "100",
                "end_time": "160", "duration": 60, "biz_opaque_callback_data": "key"}],
        })
    );
    let failed = &webhook(CallState::Failed, None)["calls"][0];
    assert_eq!((&failed["status"], failed.get("start_time")), (&json!("FAILED"), None));
}

#[test]
fn actions_change_the_state_of_a_call() {
    use CallAction::{Accept, PreAccept, Reject, Terminate};
    let (ringing, accepted) = (CallState::Ringing, CallState::Accepted { started_at: 1 });
    let completed = CallState::Completed { started_at: 1, ended_at: 5 };
    for (state, action, after) in [
        (ringing, PreAccept, Some(ringing)),
        (ringing, Accept, Some(CallState::Accepted { started_at: 5 })),
        (ringing, Reject, Some(CallState::Failed)),
        (ringing, Terminate, Some(CallState::Failed)),
        (accepted, Terminate, Some(completed)),
        (accepted, Accept, None),
        (accepted, PreAccept, None),
        (accepted, Reject, None),
        (completed, Terminate, None),
        (CallState::Failed, Accept, None),
        (CallState::Failed, Terminate, None),
    ] {
        assert_eq!(state.after(action, 5), after, "{state:?} {action:?}");
    }
}

#[test]
fn a_call_survives_in_the_content_of_an_entry() {
    let call = Call {
        state: CallState::Completed { started_at: 1, ended_at: 5 },
        shared_number: Some("201001234567".to_owned()),
        callback_data: None,
    };
    assert_eq!(
        json!(call.content()),
        json!({"call": {"status": "completed", "startedAt": 1, "endedAt": 5, "sharedNumber": "201001234567"}})
    );
    assert_eq!(Call::of(&call.content()), Some(call));
    assert_eq!(Call::of(&Map::new()), None);
}

#[test]
fn requests_are_parsed_as_meta_parses_them() {
    let parsed = |body: Value| parse(&Parameters(body.as_object().unwrap().clone()));
    let answer = json!({"sdp_type": "answer", "sdp": "v=0"});
    let body = json!({"messaging_product": "whatsapp", "call_id": "wacid.1", "action": "accept", "session": answer,
        "biz_opaque_callback_data": "x".repeat(512)});
    let expected =
        CallRequest { call_id: "wacid.1".to_owned(), action: CallAction::Accept, callback_data: Some("x".repeat(512)) };
    assert_eq!(parsed(body.clone()).unwrap(), expected);
    for (change, code) in [
        (json!({"messaging_product": "sms"}), 100),
        (json!({"messaging_product": null}), 100),
        (json!({"action": "hold"}), 100),
        (json!({"action": null}), 100),
        (json!({"action": "connect", "call_id": null}), 138_006),
        (json!({"call_id": null}), 100),
        (json!({"session": {"sdp_type": "offer", "sdp": "v=0"}}), 100),
        (json!({"session": {"sdp_type": "answer"}}), 100),
        (json!({"session": "v=0"}), 100),
        (json!({"biz_opaque_callback_data": "x".repeat(513)}), 100),
    ] {
        let mut body = body.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(parsed(body).unwrap_err().code, code, "{change}");
    }
}
