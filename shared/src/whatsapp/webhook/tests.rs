mod account_events;
mod content;
mod limits;
mod properties;
mod sources;
mod statuses;

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
        assert_eq!(received.peer.profile.name.as_deref(), Some("Ada"));
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

/// Returns the messages of a webhook with these `contacts` and one message.
fn with_contacts(contacts: &Value, message: &Value) -> Vec<Update> {
    change("messages", &json!({"contacts": contacts, "messages": [message]}))
}

#[test]
fn contact_json_username_and_user_id_are_kept() {
    let contact = json!({"profile": {"name": "Ada", "username": "@ada"}, "wa_id": "201001234567", "user_id": "EG.1",
        "parent_user_id": "EG.ENT.1", "identity_key_hash": "a2V5", "new_in_2027": {"a": [1, "x"]}});
    let received = only_message(with_contacts(&json!([contact]), &text("a")));
    let profile = &received.peer.profile;
    assert_eq!((profile.name.as_deref(), profile.username.as_deref()), (Some("Ada"), Some("@ada")));
    let kept: Value = serde_json::from_str(received.peer.contact.as_deref().unwrap()).unwrap();
    assert_eq!(kept, contact);
    let writer = received.message.writer.unwrap();
    assert_eq!((writer.user_id.as_deref(), writer.username.as_deref()), (Some("EG.1"), Some("@ada")));
    assert_eq!(writer.contact, received.peer.contact);
}

#[test]
fn large_contact_json_keeps_its_small_members() {
    let mut contact = json!({"profile": {"name": "Ada"}, "wa_id": "201001234567", "identity_key_hash": "a2V5",
        "photo": "x".repeat(1_000_000)});
    let kept = |contact: &Value| {
        let received = only_message(with_contacts(&json!([contact]), &text("a")));
        assert_eq!(received.peer.profile.name.as_deref(), Some("Ada"));
        received.peer.contact.map(|json| serde_json::from_str::<Value>(&json).unwrap())
    };
    let small = json!({"profile": {"name": "Ada"}, "wa_id": "201001234567", "identity_key_hash": "a2V5"});
    assert_eq!(kept(&contact), Some(small));
    for n in 0..100 {
        contact[format!("member {n}")] = json!("x".repeat(100));
    }
    assert_eq!(kept(&contact), None);
}

#[test]
fn name_that_shows_nothing_is_ignored_and_direction_controls_are_removed() {
    let named = |name: &str| {
        let contact = json!({"profile": {"name": name, "username": "\u{202e}ada"}, "wa_id": "201001234567"});
        only_message(with_contacts(&json!([contact]), &text("a"))).peer.profile
    };
    for nothing in ["", " \n", "\u{200b}", "\u{3164}", "\u{2800}", "\u{202e}\u{fe0f}"] {
        let profile = named(nothing);
        assert_eq!((profile.name, profile.username.as_deref()), (None, Some("ada")), "{nothing:?}");
    }
    assert_eq!(named("\u{202e}Ada\n").name.as_deref(), Some("Ada"));
}

#[test]
fn message_without_sender_is_of_the_only_contact() {
    let message = json!({"id": "a", "timestamp": "1749416383", "type": "text", "text": {"body": "hi"}});
    let ada = json!({"profile": {"name": "Ada"}, "wa_id": "201001234567"});
    for contact in [ada.clone(), json!({"profile": {"name": "Ada"}, "user_id": "EG.1"})] {
        let received = only_message(with_contacts(&json!([contact]), &message));
        assert_eq!(received.peer.profile.name.as_deref(), Some("Ada"), "{contact}");
        assert_eq!(received.peer.addresses.len(), 1);
    }
    let by_user_id = json!({"user_id": "EG.1", "wa_id": "201001234567"});
    for (contacts, addresses) in [
        (json!([ada, ada]), 1),
        (json!([null, ada]), 1),
        (json!([{}, ada, 7, {"profile": {}}]), 1),
        (ada.clone(), 1),
        (json!([{"user_id": "EG.1"}, by_user_id]), 2),
        (json!([by_user_id, {"user_id": "EG.1", "profile": {"name": "Ada"}}]), 2),
    ] {
        let received = only_message(with_contacts(&contacts, &message));
        assert_eq!(received.peer.addresses.len(), addresses, "{contacts}");
        assert_eq!(received.peer.addresses[0], Address::Phone("201001234567".to_owned()), "{contacts}");
        let is_named = contacts.to_string().contains("Ada");
        assert_eq!(received.peer.profile.name.is_some(), is_named, "{contacts}");
    }
    for ambiguous in [
        json!([ada, {"wa_id": "201001234568"}]),
        json!([by_user_id, {"user_id": "EG.1", "wa_id": "201001234568"}]),
        json!([by_user_id, {"user_id": "EG.2", "wa_id": "201001234567"}]),
        json!([{"wa_id": "?"}]),
        json!([]),
        json!({}),
        json!("201001234567"),
        json!(null),
    ] {
        assert!(is_invalid(&with_contacts(&ambiguous, &message)[0]), "{ambiguous}");
    }
    // In a group, the contact is the author.
    let mut in_group = message;
    in_group["group_id"] = json!("120363");
    let received = only_message(with_contacts(&json!([ada]), &in_group));
    assert_eq!(
        received.peer,
        Peer { addresses: vec![Address::Group("120363".to_owned())], profile: Profile::default(), contact: None }
    );
    assert_eq!(received.message.action, None);
    assert!(received.message.content.unwrap().contains(r#""phone":"201001234567""#));
}

#[test]
fn the_only_contact_of_the_only_message_needs_no_matching_address() {
    let named = json!({"profile": {"name": "Ada", "username": "ada"}});
    let peer = |contacts: &Value, message: &Value| only_message(with_contacts(contacts, message)).peer;
    for contacts in [json!([named]), named.clone(), json!([{}, named]), json!([null, named])] {
        let peer = peer(&contacts, &text("a"));
        assert_eq!(peer.profile.name.as_deref(), Some("Ada"), "{contacts}");
        assert_eq!(peer.profile.username.as_deref(), Some("ada"), "{contacts}");
        assert_eq!(peer.addresses, [Address::Phone("201001234567".to_owned())], "{contacts}");
    }
    let with_user_id = peer(&json!([{"user_id": "EG.1"}]), &text("a"));
    assert_eq!(with_user_id.addresses.len(), 2);
    let mut from_user_id = text("a");
    from_user_id["from_user_id"] = json!("EG.1");
    for other in [
        (json!([{"profile": {"name": "Ben"}, "wa_id": "201001234568"}]), text("a")),
        (json!([{"profile": {"name": "Ben"}, "user_id": "EG.2"}]), from_user_id),
        (json!([{"profile": {"name": "Ada"}}, {"profile": {"name": "Ben"}}]), text("a")),
        (
            json!([{"profile": {"name": "Ben"}, "user_id": "EG.2"}]),
            json!({"from": "201001234567", "id": "a", "timestamp": "1", "type": "system",
                "system": {"type": "user_changed_number", "wa_id": "201001234568"}}),
        ),
    ] {
        let peer = peer(&other.0, &other.1);
        assert_eq!(peer.profile, Profile::default(), "{other:?}");
        assert!(!peer.addresses.contains(&Address::Bsuid("EG.2".to_owned())), "{other:?}");
    }
    // The contact of two messages can be either sender.
    let mut second = text("b");
    second["from"] = json!("201001234568");
    let updates = change("messages", &json!({"contacts": [{"user_id": "EG.1"}], "messages": [text("a"), second]}));
    for update in updates {
        let Update::Message(received) = update else { panic!("{update:?}") };
        assert_eq!(received.peer.addresses.len(), 1);
    }
}

#[test]
fn group_message_has_its_writer() {
    let mut message = text("a");
    message["group_id"] = json!("120363");
    let contact = json!({"profile": {"name": "Ada", "username": "ada"}, "wa_id": "201001234567", "user_id": "EG.1"});
    let received = only_message(with_contacts(&json!([contact]), &message));
    let writer = received.message.writer.unwrap();
    assert_eq!((writer.user_id.as_deref(), writer.username.as_deref()), (Some("EG.1"), Some("ada")));
    assert!(received.peer.profile.is_empty());
}

#[test]
fn saved_names_are_contact_updates_and_events() {
    let entry = |action: &str, phone: &str| {
        json!({"type": "contact", "action": action, "metadata": {"timestamp": "1738346006"},
            "contact": {"full_name": "Mona", "phone_number": phone}})
    };
    let sync = json!({"state_sync": [entry("add", "201001234567"), entry("remove", "201001234568"), 7]});
    let named = |updates: &[Update]| -> Vec<Option<String>> {
        let name = |update: &Update| match update {
            Update::Contact { update: ContactUpdate::Named { name, .. }, .. } => Some(name.name.clone()),
            _ => None,
        };
        updates.iter().filter_map(name).collect()
    };
    let updates = change("smb_app_state_sync", &sync);
    assert_eq!(named(&updates), [Some("Mona".to_owned()), None]);
    assert!(matches!(updates.last(), Some(Update::Event(event)) if event.reason.is_none()));
    let group = json!({"groups": [{"timestamp": "1738346006", "group_id": "120363", "subject": "Team"}]});
    for field in ["group_lifecycle_update", "group_settings_update"] {
        let updates = change(field, &group);
        assert_eq!(named(&updates), [Some("Team".to_owned())], "{field}");
        assert_eq!(updates.len(), 2, "{field}");
    }
}
