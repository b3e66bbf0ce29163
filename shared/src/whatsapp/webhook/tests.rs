mod content;
mod properties;
mod sources;

use serde_json::{Value, json};

use super::*;
use crate::domain::message::{MessageType, Receipt};

fn is_invalid(update: &Update) -> bool {
    matches!(update, Update::Event(WebhookEvent { reason: Some(_), .. }))
}

fn only_message(mut updates: Vec<Update>) -> ReceivedMessage {
    updates.retain(|update| !matches!(update, Update::Contact { .. }));
    let [Update::Message(received)] = <[Update; 1]>::try_from(updates).unwrap() else { panic!("no message") };
    *received
}

fn body(messages: &Value) -> Vec<u8> {
    let value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": "1065"},
        "contacts": [{"profile": {"name": "Ada"}, "wa_id": "201001234567", "user_id": "EG.1"}],
        "messages": messages,
    });
    let change = json!({"field": "messages", "value": value});
    json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}).to_string().into_bytes()
}

fn text(id: &str) -> Value {
    json!({"from": "201001234567", "id": id, "timestamp": "1749416383", "type": "text", "text": {"body": "hi"}})
}

fn change(field: &str, value: &Value) -> Vec<Update> {
    let mut value = value.clone();
    value["metadata"] = json!({"display_phone_number": "+1 555-078-3881", "phone_number_id": "1065"});
    let change = json!({"field": field, "value": value});
    updates(json!({"entry": [{"id": "77", "changes": [change]}]}).to_string().as_bytes()).unwrap()
}

#[test]
fn invalid_message_does_not_affect_others() {
    let invalid =
        [json!(null), json!([]), json!({}), json!({"id": 7}), json!({"id": "x", "timestamp": "soon", "from": "1"})];
    for message in invalid {
        let updates = updates(&body(&json!([text("a"), message, text("b")]))).unwrap();
        assert!(matches!(updates[0], Update::Message(_)));
        assert!(is_invalid(&updates[1]), "{message}");
        assert!(matches!(updates[2], Update::Message(_)));
    }
}

#[test]
fn unknown_type_keeps_the_raw_json() {
    for fields in [
        json!({"type": "hologram", "hologram": {"id": "9"}}),
        json!({"type": "unsupported", "errors": [{"code": 131_051}], "unsupported": {"type": "poll_creation"}}),
        json!({"type": "image", "image": "no object"}),
        json!({"type": "image"}),
        json!({"type": 7}),
        json!({}),
    ] {
        let mut message = json!({"from": "201001234567", "id": "a", "timestamp": 1_749_416_383});
        message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let received = only_message(updates(&body(&json!([message]))).unwrap());
        assert_eq!(received.message.kind, MessageType::Unsupported, "{fields}");
        assert_eq!(serde_json::from_str::<Value>(&received.message.raw).unwrap(), message);
    }
}

#[test]
fn group_status_is_for_one_participant() {
    let status = json!({
        "id": "w", "status": "read", "timestamp": "9", "recipient_type": "group",
        "participant_recipient_id": "201001234567",
        "conversation": {"id": "c", "pricing": {"billable": true}},
    });
    let updates = change("messages", &json!({"statuses": [status]}));
    let [Update::Status(update, None)] = &updates[..] else { panic!("{updates:?}") };
    assert_eq!((update.participant.as_deref(), update.receipt), (Some("201001234567"), Receipt::Read));
    assert_eq!(update.pricing.as_deref(), Some(r#"{"billable":true}"#));
}

#[test]
fn failed_status_has_an_error() {
    let error = json!({"code": 131047, "title": "Re-engagement message", "error_data": {"details": "over 24 hours"}});
    let status = json!({"id": "w", "status": "failed", "timestamp": "1", "errors": [error]});
    let value = json!({"metadata": {"phone_number_id": "1"}, "statuses": [status]});
    let body = json!({"entry": [{"changes": [{"field": "messages", "value": value}]}]});
    let updates = updates(body.to_string().as_bytes()).unwrap();
    let [Update::Status(update, None)] = &updates[..] else { panic!("{updates:?}") };
    assert_eq!(update.error.as_deref(), Some("Re-engagement message (131047): over 24 hours"));
}

#[test]
fn updates_without_a_number_are_events() {
    let status = json!({"id": "w", "status": "read", "timestamp": "1"});
    let value = json!({"messages": [text("a"), text("b")], "statuses": [status], "user_actions": [1]});
    let body = json!({"entry": [{"id": "7", "changes": [{"value": value}]}]});
    let updates = updates(body.to_string().as_bytes()).unwrap();
    let wamids: Vec<_> = updates
        .iter()
        .map(|update| match update {
            Update::Event(event) => (event.wamid.as_deref(), event.reason.is_some()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(wamids, [(Some("a"), true), (Some("b"), true), (Some("w"), true), (None, false)]);
}

#[test]
fn sender_has_all_addresses_of_the_contact() {
    let updates = updates(&body(&json!([text("a"), {"id": "b", "timestamp": "1", "from_user_id": "EG.1"}]))).unwrap();
    for update in updates {
        let Update::Message(received) = update else { panic!("{update:?}") };
        assert_eq!(received.peer.addresses[0], Address::Phone("201001234567".to_owned()));
        assert_eq!(received.peer.addresses[1], Address::Bsuid("EG.1".to_owned()));
        assert_eq!(received.peer.name.as_deref(), Some("Ada"));
    }
}

#[test]
fn lone_surrogate_is_replaced() {
    let webhook = String::from_utf8(body(&json!([text("a")])))
        .unwrap()
        .replace("\"hi\"", r#""\ud83d \ude00 \ud83d\ude00 \\ud83d""#);
    let updates = updates(webhook.as_bytes()).unwrap();
    let [Update::Message(received)] = &updates[..] else { panic!("{updates:?}") };
    assert_eq!(received.message.body.as_deref(), Some("\u{fffd} \u{fffd} \u{1f600} \\ud83d"));
}

#[test]
fn other_fields_and_invalid_structures_are_events() {
    for invalid in [
        json!({}),
        json!([]),
        json!({"entry": {}}),
        json!({"entry": [{}]}),
        json!({"entry": [{"changes": [1]}]}),
        json!(7),
    ] {
        let updates = updates(invalid.to_string().as_bytes()).unwrap();
        assert!(updates.len() == 1 && is_invalid(&updates[0]), "{invalid}");
    }
    let other = json!({"entry": [{"changes": [{"field": "account_update", "value": {"event": "X"}}]}]});
    let updates = updates(other.to_string().as_bytes()).unwrap();
    assert!(
        matches!(&updates[..], [Update::Event(event)] if event.field == "account_update" && event.reason.is_none())
    );
}
