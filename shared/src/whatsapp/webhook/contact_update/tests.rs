use serde_json::{Value, json, value::RawValue};

use super::*;

fn raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap()
}

fn update_of(message: &Value) -> Option<ContactUpdate> {
    from_message(&Object::parse(&raw(message)).unwrap(), &[])
}

fn linked_addresses(update: Option<ContactUpdate>) -> Option<Vec<Address>> {
    match update {
        Some(ContactUpdate::Linked { addresses, .. }) => Some(addresses),
        _ => None,
    }
}

fn phone(digits: &str) -> Address {
    Address::Phone(digits.to_owned())
}

fn bsuid(id: &str) -> Address {
    Address::Bsuid(id.to_owned())
}

#[test]
fn address_change_in_any_version_is_read() {
    let at = "1749416383";
    for (message, from, to) in [
        (
            json!({"from": "201001234567", "timestamp": at, "system": {"type": "user_changed_number",
                "wa_id": "491511234567", "user_id": "DE.8", "previous_user_id": "EG.7"}}),
            vec![phone("201001234567"), bsuid("EG.7")],
            vec![phone("491511234567"), bsuid("DE.8")],
        ),
        (
            json!({"from": "201001234567", "timestamp": at, "system": {"type": "user_changed_number",
                "new_wa_id": "491511234567"}}),
            vec![phone("201001234567")],
            vec![phone("491511234567")],
        ),
        (
            json!({"timestamp": at, "system": {"type": "customer_changed_number", "customer": "201001234567",
                "wa_id": "491511234567"}}),
            vec![phone("201001234567")],
            vec![phone("491511234567")],
        ),
        (
            json!({"timestamp": at, "system": {"type": "user_changed_user_id", "user_id": "US.2",
                "parent_user_id": "US.ENT.2", "previous_user_id": "US.1", "previous_parent_user_id": "US.ENT.1"}}),
            vec![bsuid("US.1"), bsuid("US.ENT.1")],
            vec![bsuid("US.2"), bsuid("US.ENT.2")],
        ),
        (
            json!({"timestamp": at, "system": {"type": "user_changed_user_id", "user_id": "US.2",
                "body": "User I changed from US.9 to US.8 changed from US.1 to US.2"}}),
            vec![bsuid("US.1")],
            vec![bsuid("US.2")],
        ),
    ] {
        let Some(ContactUpdate::Changed { from: former, to: new, .. }) = update_of(&message) else {
            panic!("{message}")
        };
        assert_eq!((former, new), (from, to), "{message}");
    }
}

#[test]
fn message_without_address_change_has_no_update() {
    for system in [
        json!({"type": "customer_identity_changed", "wa_id": "491511234567", "user_id": "DE.8"}),
        json!({"type": "user_changed_number", "new_wa_id": "NEW_PHONE_NUMBER"}),
        json!({"type": "user_changed_number"}),
        json!({"type": 7, "wa_id": "491511234567"}),
        json!("moved"),
    ] {
        let message = json!({"from": "201001234567", "timestamp": "1", "system": system});
        assert_eq!(update_of(&message), None, "{message}");
    }
    // The contact's name looks like a change, but the new address differs from the message's.
    let body = "User x changed from US.1 to US.3";
    let message =
        json!({"timestamp": "1", "system": {"type": "user_changed_user_id", "user_id": "US.2", "body": body}});
    assert_eq!(update_of(&message), None);
}

#[test]
fn user_id_update_is_read() {
    let update = json!({"wa_id": "16505551234", "timestamp": "1749416383",
        "user_id": {"previous": "US.1", "current": "US.2"},
        "parent_user_id": {"previous": "US.ENT.1", "current": "US.ENT.2"}});
    let raw = raw(&update);
    let Some(ContactUpdate::Changed { from, to, .. }) = from_user_id_update(&Object::parse(&raw).unwrap()) else {
        panic!()
    };
    assert_eq!(from, [bsuid("US.1"), bsuid("US.ENT.1")]);
    assert_eq!(to, [phone("16505551234"), bsuid("US.2"), bsuid("US.ENT.2")]);
}

#[test]
fn status_has_the_addresses_of_the_recipient() {
    let addresses_of = |status: Value, contacts: Value| {
        let (status, contacts) = (raw(&status), raw(&contacts));
        linked_addresses(from_status(&Object::parse(&status).unwrap(), &super::super::contacts::parse(Some(&contacts))))
    };
    let recipient = json!({"timestamp": "1", "recipient_id": "201001234567", "recipient_user_id": "EG.7",
        "parent_recipient_user_id": "EG.ENT.7"});
    assert_eq!(addresses_of(recipient, json!([])), Some(vec![phone("201001234567"), bsuid("EG.7"), bsuid("EG.ENT.7")]));
    let hidden = json!({"timestamp": "1", "recipient_user_id": "EG.7"});
    assert_eq!(addresses_of(hidden.clone(), json!([])), None);
    let contacts = json!([{"user_id": "EG.8", "wa_id": "1"}, {"user_id": "EG.7", "wa_id": "201001234567"}, 7]);
    assert_eq!(addresses_of(hidden, contacts), Some(vec![bsuid("EG.7"), phone("201001234567")]));
    // In a group, the contact is the participant.
    let group = json!({"timestamp": "1", "recipient_id": "12036@g.us", "recipient_type": "group",
        "recipient_participant_id": "201001234567", "recipient_participant_user_id": "EG.7"});
    assert_eq!(addresses_of(group, json!([])), Some(vec![phone("201001234567"), bsuid("EG.7")]));
}

#[test]
fn only_a_requested_contact_card_belongs_to_the_sender() {
    let message = |origin: &str| {
        json!({"timestamp": "1", "from_user_id": "US.1", "type": "contacts",
            "contacts": [{"origin": origin, "phones": [{"phone": "+1 (555) 123-4567"}]}]})
    };
    let addresses_of = |origin: &str| linked_addresses(update_of(&message(origin)));
    assert_eq!(addresses_of("contact_request"), Some(vec![bsuid("US.1"), phone("15551234567")]));
    assert_eq!(addresses_of("other"), None);
}

fn preference(preference: &Value, contacts: &Value) -> Option<ContactUpdate> {
    let raw = serde_json::value::to_raw_value(preference).unwrap();
    let contacts = serde_json::value::to_raw_value(contacts).unwrap();
    from_user_preference(&Object::parse(&raw).unwrap(), &super::super::contacts::parse(Some(&contacts)))
}

#[test]
fn stopped_and_resumed_marketing_messages_are_decisions() {
    let contacts = json!([{"profile": {"name": "Mona"}, "wa_id": "201001234567", "parent_user_id": "EG.ENT.2"}]);
    let both = json!([{"wa_id": "201001234567"}, {"wa_id": "201007654321"}]);
    for (entry, contacts, expected) in [
        (json!({"wa_id": "201001234567"}), &json!(null), Some(vec!["201001234567"])),
        (
            json!({"wa_id": "201001234567", "user_id": "EG.1", "parent_user_id": "EG.ENT.2"}),
            &contacts,
            Some(vec!["201001234567", "EG.1"]),
        ),
        (json!({"user_id": "EG.1"}), &both, Some(vec!["EG.1"])),
        (json!({}), &contacts, Some(vec!["201001234567"])),
        (json!({}), &both, None),
        (json!({"category": "utility_messages", "wa_id": "201001234567"}), &contacts, None),
        (json!({"category": null, "wa_id": "201001234567"}), &contacts, None),
        (json!({"value": "pause", "wa_id": "201001234567"}), &contacts, None),
        (json!({"timestamp": "1731705721", "wa_id": "201001234567"}), &contacts, Some(vec!["201001234567"])),
    ] {
        for (value, marketing) in [("stop", MarketingConsent::Denied), ("resume", MarketingConsent::Granted)] {
            let mut full = json!({"category": "marketing_messages", "value": value, "timestamp": 1_731_705_721});
            full.as_object_mut().unwrap().extend(entry.as_object().unwrap().clone());
            let found = match preference(&full, contacts) {
                Some(ContactUpdate::Consent { addresses, decision }) => {
                    assert_eq!((decision.marketing, decision.since.seconds()), (marketing, 1_731_705_721));
                    let text = |address: &Address| match address {
                        Address::Phone(text) | Address::Bsuid(text) => text.clone(),
                        other => panic!("{other:?}"),
                    };
                    Some(addresses.iter().map(text).collect::<Vec<_>>())
                }
                None => None,
                other => panic!("{other:?}"),
            };
            let expected: Option<Vec<String>> =
                expected.as_ref().map(|texts| texts.iter().map(|text| (*text).to_owned()).collect());
            assert_eq!(found, expected, "{full}");
        }
    }
}

#[test]
fn a_refusal_without_a_usable_time_counts_from_its_receipt() {
    let entry = |value: &str| json!({"category": "marketing_messages", "value": value, "timestamp": "1", "wa_id": "201001234567"});
    for time in [None, Some(json!(null)), Some(json!("soon")), Some(json!("1731705721000")), Some(json!(-1))] {
        let since = |value: &str| {
            let mut entry = entry(value);
            match &time {
                Some(time) => entry["timestamp"] = time.clone(),
                None => drop(entry.as_object_mut().unwrap().remove("timestamp")),
            }
            match preference(&entry, &json!([])) {
                Some(ContactUpdate::Consent { decision, .. }) => Some(decision.since),
                None => None,
                other => panic!("{other:?}"),
            }
        };
        let now = Timestamp::from_seconds(1_800_000_000).unwrap();
        assert_eq!(since("stop").map(|since| since.clamped_to(now)), Some(now), "{time:?}");
        assert_eq!(since("resume"), None, "{time:?}");
    }
}
