use proptest::prelude::*;

use super::*;

/// Any JSON, with keys that webhooks use and some that they don't.
fn any_json() -> impl Strategy<Value = Value> {
    let names = [
        "entry",
        "changes",
        "field",
        "value",
        "metadata",
        "phone_number_id",
        "contacts",
        "messages",
        "statuses",
        "id",
        "from",
        "timestamp",
        "type",
        "text",
        "body",
        "status",
        "errors",
        "x",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec!["messages", "text", "sent", "1749416383", "201001234567", "wamid.1", ""])
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(names.to_vec()), inner), 0..6).prop_map(
                |fields| Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            ),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_json_is_parsed(value in any_json()) {
        prop_assert!(updates(value.to_string().as_bytes()).is_ok());
    }

    #[test]
    fn arbitrary_message_does_not_affect_others(odd in any_json()) {
        let updates = updates(&body(&json!([text("a"), odd, text("b")]))).unwrap();
        prop_assert_eq!(updates.len(), 3);
        prop_assert!(matches!(updates[0], Update::Message(_)) && matches!(updates[2], Update::Message(_)));
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in any::<Vec<u8>>(), tail in r#"(\\u?[dD]?[89a-f]?[0-9a-f]{0,4}|")*"#) {
        let _ = updates(&bytes);
        let _ = updates(format!("\"{tail}\"").as_bytes());
    }
}

/// Valid messages of every type.
fn valid_message() -> impl Strategy<Value = Value> {
    let of = |kind: &str, object: Value| {
        let mut message = text("m");
        message.as_object_mut().unwrap().remove("text");
        message["type"] = json!(kind);
        message[kind] = object;
        message
    };
    let mut group = text("m");
    group["group_id"] = json!("120363@g.us");
    let mut reply = text("m");
    reply["context"] = json!({"id": "q", "from": "1", "forwarded": true, "referred_product": {"catalog_id": "1"}});
    reply["referral"] = json!({"source_type": "ad"});
    prop::sample::select(vec![
        text("m"),
        group,
        reply,
        of("image", json!({"id": "7", "caption": "x"})),
        of("audio", json!({"id": "7", "voice": true})),
        of("location", json!({"latitude": 1.5, "longitude": "2", "name": "x"})),
        of("contacts", json!([{"name": {"formatted_name": "x"}}])),
        of("button", json!({"text": "x", "payload": "y"})),
        of("interactive", json!({"type": "list_reply", "list_reply": {"id": "1", "title": "x"}})),
        of("interactive", json!({"type": "nfm_reply", "nfm_reply": {"response_json": "{}", "body": "Sent"}})),
        of("reaction", json!({"message_id": "t", "emoji": "👍"})),
        of(
            "edit",
            json!({"original_message_id": "t", "message": {"type": "edit", "edit": {"message": {"type": "text"}}}}),
        ),
        of("revoke", json!({"original_message_id": "t"})),
        of("order", json!({"catalog_id": "1", "product_items": [{"quantity": 1}]})),
        of("system", json!({"type": "user_changed_number", "body": "x", "wa_id": "2", "previous_user_id": "EG.2"})),
        of("unsupported", json!({"type": "poll_creation"})),
    ])
}

/// The JSON pointers of all values in a value.
fn pointers(value: &Value) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, inner)| (name.clone(), inner)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, inner)| (at.to_string(), inner)).collect(),
        _ => Vec::new(),
    };
    let deeper =
        inner.iter().flat_map(|(name, inner)| pointers(inner).into_iter().map(move |rest| format!("/{name}{rest}")));
    std::iter::once(String::new()).chain(deeper).collect()
}

fn changed(valid: Value, place: prop::sample::Index, odd: Value) -> Value {
    let mut changed = valid;
    let places = pointers(&changed);
    *changed.pointer_mut(&places[place.index(places.len())]).unwrap() = odd;
    changed
}

/// A body with every kind of change.
fn body_of_every_kind() -> Value {
    let metadata = json!({"display_phone_number": "1555", "phone_number_id": "1065"});
    let status = json!({"id": "w", "status": "failed", "timestamp": "1", "recipient_type": "group",
        "recipient_participant_id": "2",
        "pricing": {"billable": true}, "errors": [{"code": 1, "error_data": {"details": "x"}}]});
    let echo = json!({"id": "e", "to": "201001234567", "timestamp": "1", "type": "text", "text": {"body": "x"}});
    let change = |field: &str, value: Value| json!({"field": field, "value": value});
    json!({"entry": [{"id": "1", "time": 1, "changes": [
        change("messages", json!({"metadata": metadata, "contacts": [{"wa_id": "1", "profile": {"name": "x"}}],
            "messages": [text("a")], "statuses": [status], "errors": []})),
        change("smb_message_echoes", json!({"metadata": metadata, "message_echoes": [echo]})),
        change("standby", json!({"metadata": metadata,
            "standby": {"message_echoes": [{"id": "s", "timestamp": "1", "message": echo}]}})),
        change("history", json!({"metadata": metadata,
            "history": [{"threads": [{"id": "201001234567", "messages": [text("h")]}]}]})),
        change("account_update", json!({"event": "X"})),
    ]}]})
}

proptest! {
    /// A message with one changed value is still a message or an event, with all of its JSON.
    #[test]
    fn changed_message_is_a_message_or_event_with_its_json(
        valid in valid_message(),
        place in any::<prop::sample::Index>(),
        odd in any_json(),
    ) {
        let message = changed(valid, place, odd);
        let mut updates = updates(&body(&json!([text("a"), message, text("b")]))).unwrap();
        // A contact update can accompany the message.
        updates.retain(|update| !matches!(update, Update::Contact { .. }));
        prop_assert_eq!(updates.len(), 3);
        prop_assert!(matches!(updates[0], Update::Message(_)) && matches!(updates[2], Update::Message(_)));
        let raw = match &updates[1] {
            Update::Message(received) => &received.message.raw,
            Update::Event(event) => &event.raw,
            other => return Err(TestCaseError::fail(format!("a message became {other:?}"))),
        };
        prop_assert_eq!(raw, &message.to_string());
    }

    /// A changed value affects only the change that contains it: the others are parsed as before.
    #[test]
    fn changed_field_affects_only_its_own_change(place in any::<prop::sample::Index>(), odd in any_json()) {
        let mut body = body_of_every_kind();
        let changes = body["entry"][0]["changes"].as_array().unwrap().len();
        let which = place.index(changes);
        let change = body["entry"][0]["changes"][which].take();
        body["entry"][0]["changes"][which] = changed(change, place, odd);
        let updates = updates(body.to_string().as_bytes()).unwrap();
        let has = |wamid: &str| {
            updates.iter().any(|update| matches!(update, Update::Message(one) if one.message.wamid == wamid))
        };
        for (at, wamid) in ["a", "e", "s", "h"].into_iter().enumerate() {
            prop_assert!(at == which || has(wamid), "{} is lost", wamid);
        }
        prop_assert!(!updates.is_empty());
    }
}
