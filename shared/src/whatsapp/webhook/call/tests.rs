use serde_json::{Value, json};

use crate::{
    domain::{
        call::CallStatus,
        identity::Address,
        message::{MessageStatus, MessageType},
    },
    whatsapp::{ReceivedMessage, Update, updates},
};

const USER: &str = "16315553602";
const BUSINESS: &str = "16315553601";

fn change(value: Value) -> Vec<Update> {
    let mut value = value;
    value["metadata"] = json!({"display_phone_number": BUSINESS, "phone_number_id": "1065"});
    let body = json!({"entry": [{"id": "77", "changes": [{"field": "calls", "value": value}]}]});
    updates(body.to_string().as_bytes()).unwrap()
}

fn call(event: &str, fields: &Value) -> Value {
    let mut call = json!({"id": "wacid.1", "from": USER, "to": BUSINESS, "event": event, "timestamp": "1671644824",
        "direction": "USER_INITIATED"});
    call.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    call
}

fn received(call: Value) -> ReceivedMessage {
    let contacts = json!([{"profile": {"name": "Ada"}, "wa_id": USER, "user_id": "US.1"}]);
    let updates = change(json!({"contacts": contacts, "calls": [call]}));
    let [Update::Message(received)] = <[Update; 1]>::try_from(updates).unwrap() else { panic!("no message") };
    *received
}

fn content(received: &ReceivedMessage) -> Value {
    serde_json::from_str(received.message.content.as_ref().unwrap()).unwrap()
}

#[test]
fn a_contacts_call_is_a_message_that_opens_the_window() {
    let sdp = json!({"session": {"sdp_type": "offer", "sdp": "v=0"}, "cta_payload": "x"});
    let received = received(call("connect", &sdp));
    assert_eq!(received.peer.addresses[0], Address::Phone(USER.to_owned()));
    assert_eq!((received.peer.profile.name.as_deref(), received.source), (Some("Ada"), None));
    let message = &received.message;
    assert_eq!((message.kind, message.from_me, message.opens_window), (MessageType::Call, false, true));
    assert_eq!((message.call, message.status), (Some(CallStatus::Started), MessageStatus::Received));
    assert!(!message.counts_as_unread(), "it still rings");
    assert_eq!(message.preview(), "[call]");
    let expected = json!({"direction": "USER_INITIATED", "status": "started", "cta_payload": "x"});
    assert_eq!(content(&received), json!({"type": "call", "call": expected}));
    assert!(message.raw.contains("sdp_type"));
}

#[test]
fn a_call_without_a_duration_was_missed() {
    for status in [json!("COMPLETED"), json!("FAILED"), json!(["Failed", "Completed"]), json!(null)] {
        let received = received(call("terminate", &json!({"status": status})));
        assert_eq!(received.message.call, Some(CallStatus::Missed), "{status}");
        assert!(received.message.counts_as_unread() && received.message.opens_window);
        assert_eq!(received.message.preview(), "[missed call]");
    }
}

/// Some senders write the members of an unanswered call without a value.
#[test]
fn an_unset_start_and_duration_are_no_acceptance() {
    for start in [json!(null), json!(0), json!("0"), json!("")] {
        let end = json!({"status": "COMPLETED", "start_time": start, "end_time": null, "duration": null});
        let received = received(call("terminate", &end));
        assert_eq!(received.message.call, Some(CallStatus::Missed), "{start}");
        assert_eq!(received.message.timestamp.seconds(), 1_671_644_824, "{start}");
        let answered = json!({"status": "COMPLETED", "start_time": start, "end_time": start, "duration": 4});
        let answered = self::received(call("terminate", &answered));
        assert_eq!(answered.message.call, Some(CallStatus::Completed), "{start}");
        assert_eq!(answered.message.timestamp.seconds(), 1_671_644_824, "{start}");
        assert!(!answered.message.content.unwrap().contains("1970"), "{start}");
    }
}

#[test]
fn an_accepted_call_has_its_times_and_duration() {
    let end = json!({"status": "FAILED", "start_time": "1671644800", "end_time": 1_671_644_820, "duration": 20,
        "errors": [{"code": 138_021, "title": "No media"}]});
    let received = received(call("terminate", &end));
    assert_eq!(received.message.call, Some(CallStatus::Completed));
    assert_eq!(received.message.timestamp.seconds(), 1_671_644_800);
    assert!(!received.message.counts_as_unread());
    let content = content(&received);
    let expected = json!({"direction": "USER_INITIATED", "status": "completed", "duration": 20,
        "started_at": "2022-12-21T17:46:40.000Z", "ended_at": "2022-12-21T17:47:00.000Z"});
    assert_eq!(content["call"], expected);
    assert_eq!(content["errors"][0]["code"], 138_021);
}

#[test]
fn a_call_by_the_business_opens_the_window_if_the_contact_accepts_it() {
    let fields = json!({"from": BUSINESS, "to": USER, "direction": "BUSINESS_INITIATED"});
    for event in ["connect", "terminate"] {
        let received = received(call(event, &fields));
        assert_eq!(received.peer.addresses[0], Address::Phone(USER.to_owned()));
        let message = &received.message;
        assert_eq!((message.from_me, message.opens_window, message.status), (true, false, MessageStatus::Sent));
        assert!(!message.counts_as_unread());
    }
    assert_eq!(received(call("terminate", &fields)).message.preview(), "[unanswered call]");
    let mut accepted = fields;
    accepted["start_time"] = json!("1671644800");
    let accepted = received(call("terminate", &accepted)).message;
    assert_eq!((accepted.from_me, accepted.opens_window, accepted.timestamp.seconds()), (true, true, 1_671_644_800));
    assert!(!accepted.counts_as_unread());
}

/// Some of Meta's examples have no direction, or the two sides interchanged.
#[test]
fn the_business_number_is_never_the_contact() {
    for (from, to, direction, from_me) in [
        (USER, BUSINESS, json!(null), false),
        (BUSINESS, USER, json!(null), true),
        (BUSINESS, USER, json!("USER_INITIATED"), false),
        (USER, BUSINESS, json!("BUSINESS_INITIATED"), true),
        ("+16315553602", "+1 631 555-3601", json!("USER_INITIATED"), false),
    ] {
        let received = received(call("connect", &json!({"from": from, "to": to, "direction": direction})));
        assert_eq!(received.peer.addresses[0], Address::Phone(USER.to_owned()), "{from} {to} {direction}");
        assert_eq!(received.message.from_me, from_me, "{from} {to} {direction}");
    }
}

#[test]
fn a_contact_with_only_a_user_id_can_call() {
    let by_id = json!({"from": null, "from_user_id": "US.1"});
    assert_eq!(received(call("connect", &by_id)).peer.addresses.len(), 2);
    let unnamed = json!({"from": null});
    assert_eq!(received(call("connect", &unnamed)).peer.addresses[0], Address::Phone(USER.to_owned()));
}

#[test]
fn other_call_payloads_are_events() {
    let status = json!({"id": "wacid.1", "type": "call", "status": "RINGING", "timestamp": "1", "recipient_id": USER});
    let permission = json!({"response": "accept"});
    let updates = change(json!({
        "calls": [call("media_update", &json!({})), call("connect", &json!({"id": null})), 7,
            call("connect", &json!({"timestamp": "253402300799"})), call("connect", &json!({"from": null, "to": "x"}))],
        "statuses": [status],
        "call_permission_reply": permission,
        "errors": [{"code": 138_000}],
    }));
    let events: Vec<_> = updates
        .iter()
        .map(|update| match update {
            Update::Event(event) => (event.field.as_str(), event.reason),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        ("calls.call_permission_reply", None),
        ("calls", None),
        ("calls", Some("missing id")),
        ("calls", Some("the call isn't an object")),
        ("calls", Some("invalid timestamp")),
        ("calls", Some("no usable contact")),
        ("errors", None),
        ("calls.statuses", None),
    ];
    assert_eq!(events, expected);
}
