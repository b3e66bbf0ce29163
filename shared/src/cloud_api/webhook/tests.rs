use proptest::prelude::*;
use serde_json::json;

use super::*;

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

#[test]
fn a_broken_message_never_costs_its_neighbours() {
    let broken =
        [json!(null), json!([]), json!({}), json!({"id": 7}), json!({"id": "x", "timestamp": "soon", "from": "1"})];
    for broken in broken {
        let updates = updates(&body(&json!([text("a"), broken, text("b")]))).unwrap();
        assert!(matches!(updates[0], Update::Message(_)));
        assert!(matches!(updates[1], Update::Event { reason: Some(_), .. }), "{broken}");
        assert!(matches!(updates[2], Update::Message(_)));
    }
}

#[test]
fn an_unknown_type_is_kept_as_it_came() {
    let image =
        json!({"from": "201001234567", "id": "a", "timestamp": 1749416383, "type": "image", "image": {"id": "9"}});
    let updates = updates(&body(&json!([image]))).unwrap();
    let [Update::Message(received)] = &updates[..] else { panic!("{updates:?}") };
    assert_eq!(received.message.kind, MessageType::Unsupported);
    assert_eq!(serde_json::from_str::<Value>(&received.message.raw).unwrap(), image);
}

#[test]
fn a_sender_is_known_by_every_form_he_is_named_by() {
    let updates = updates(&body(&json!([text("a"), {"id": "b", "timestamp": "1", "from_user_id": "EG.1"}]))).unwrap();
    for update in updates {
        let Update::Message(received) = update else { panic!("{update:?}") };
        assert_eq!(received.sender.addresses[0], Address::Phone("201001234567".to_owned()));
        assert_eq!(received.sender.addresses[1], Address::Bsuid("EG.1".to_owned()));
        assert_eq!(received.sender.name.as_deref(), Some("Ada"));
    }
}

#[test]
fn half_an_emoji_does_not_lose_the_message() {
    let whole = String::from_utf8(body(&json!([text("a")])))
        .unwrap()
        .replace("\"hi\"", r#""\ud83d \ude00 \ud83d\ude00 \\ud83d""#);
    let updates = updates(whole.as_bytes()).unwrap();
    let [Update::Message(received)] = &updates[..] else { panic!("{updates:?}") };
    assert_eq!(received.message.body.as_deref(), Some("\u{fffd} \u{fffd} \u{1f600} \\ud83d"));
}

#[test]
fn other_fields_and_odd_shapes_are_events() {
    for odd in [
        json!({}),
        json!([]),
        json!({"entry": {}}),
        json!({"entry": [{}]}),
        json!({"entry": [{"changes": [1]}]}),
        json!(7),
    ] {
        let updates = updates(odd.to_string().as_bytes()).unwrap();
        assert!(matches!(updates[..], [Update::Event { reason: Some(_), .. }]), "{odd}");
    }
    let other = json!({"entry": [{"changes": [{"field": "account_update", "value": {"event": "X"}}]}]});
    let updates = updates(other.to_string().as_bytes()).unwrap();
    assert!(matches!(&updates[..], [Update::Event { field, reason: None, .. }] if field == "account_update"));
}

#[test]
fn a_failed_status_says_why() {
    let status = json!({"id": "w", "status": "failed", "timestamp": "1", "errors": [{"code": 131047, "title": "Re-engagement message", "error_data": {"details": "over 24 hours"}}]});
    let value = json!({"metadata": {"phone_number_id": "1"}, "statuses": [status]});
    let body = json!({"entry": [{"changes": [{"field": "messages", "value": value}]}]});
    let updates = updates(body.to_string().as_bytes()).unwrap();
    let [Update::Status(update, None)] = &updates[..] else { panic!("{updates:?}") };
    assert_eq!(update.error.as_deref(), Some("Re-engagement message (131047): over 24 hours"));
}

/// Any JSON, with the names that webhooks use and some that they do not.
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
    fn no_json_panics_and_nothing_is_dropped(value in any_json()) {
        prop_assert!(updates(value.to_string().as_bytes()).is_ok());
    }

    #[test]
    fn arbitrary_members_never_cost_their_neighbours(odd in any_json()) {
        let updates = updates(&body(&json!([text("a"), odd, text("b")]))).unwrap();
        prop_assert_eq!(updates.len(), 3);
        prop_assert!(matches!(updates[0], Update::Message(_)) && matches!(updates[2], Update::Message(_)));
    }

    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>(), tail in r#"(\\u?[dD]?[89a-f]?[0-9a-f]{0,4}|")*"#) {
        let _ = updates(&bytes);
        let _ = updates(format!("\"{tail}\"").as_bytes());
    }
}
