use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    domain::message::{MessageStatus, MessageType, Receipt},
    domain::message_action::ActionKind,
};

fn is_refused(update: &Update) -> bool {
    matches!(update, Update::Event(WebhookEvent { reason: Some(_), .. }))
}

fn only_message(mut updates: Vec<Update>) -> Received {
    updates.retain(|update| !matches!(update, Update::Person { .. }));
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

#[test]
fn a_broken_message_never_costs_its_neighbours() {
    let broken =
        [json!(null), json!([]), json!({}), json!({"id": 7}), json!({"id": "x", "timestamp": "soon", "from": "1"})];
    for broken in broken {
        let updates = updates(&body(&json!([text("a"), broken, text("b")]))).unwrap();
        assert!(matches!(updates[0], Update::Message(_)));
        assert!(is_refused(&updates[1]), "{broken}");
        assert!(matches!(updates[2], Update::Message(_)));
    }
}

#[test]
fn an_unknown_type_is_kept_as_it_came() {
    for odd in [
        json!({"type": "hologram", "hologram": {"id": "9"}}),
        json!({"type": "unsupported", "errors": [{"code": 131_051}], "unsupported": {"type": "poll_creation"}}),
        json!({"type": "image", "image": "no object"}),
        json!({"type": "image"}),
        json!({"type": 7}),
        json!({}),
    ] {
        let mut message = json!({"from": "201001234567", "id": "a", "timestamp": 1_749_416_383});
        message.as_object_mut().unwrap().extend(odd.as_object().unwrap().clone());
        let received = only_message(updates(&body(&json!([message]))).unwrap());
        assert_eq!(received.message.kind, MessageType::Unsupported, "{odd}");
        assert_eq!(serde_json::from_str::<Value>(&received.message.raw).unwrap(), message);
    }
}

/// Each documented type: what of it becomes the body, and what its content keeps.
#[test]
fn every_type_is_understood() {
    let media = |extra: Value| {
        let mut media = json!({"id": "7", "mime_type": "x/y", "sha256": "c2hh"});
        media.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        media
    };
    let tap = |kind: &str, reply: Value| json!({"type": kind, kind: reply});
    for (kind, object, expected, text) in [
        ("image", media(json!({"caption": "a cat"})), MessageType::Image, Some("a cat")),
        ("video", media(json!({})), MessageType::Video, None),
        ("audio", media(json!({"voice": true})), MessageType::Audio, None),
        ("document", media(json!({"filename": "bill.pdf"})), MessageType::Document, Some("bill.pdf")),
        (
            "document",
            media(json!({"filename": "bill.pdf", "caption": "the bill"})),
            MessageType::Document,
            Some("the bill"),
        ),
        ("sticker", media(json!({"animated": true})), MessageType::Sticker, None),
        (
            "location",
            json!({"latitude": 30.04, "longitude": 31.2, "name": "Tahrir"}),
            MessageType::Location,
            Some("Tahrir"),
        ),
        (
            "contacts",
            json!([{"name": {"formatted_name": "Mona"}, "phones": [{"phone": "+20"}]}, {"name": {"formatted_name": "Ali"}}]),
            MessageType::Contacts,
            Some("Mona, Ali"),
        ),
        ("button", json!({"payload": "yes-1", "text": "Yes"}), MessageType::Button, Some("Yes")),
        ("interactive", tap("button_reply", json!({"id": "1", "title": "Yes"})), MessageType::Interactive, Some("Yes")),
        (
            "interactive",
            tap("list_reply", json!({"id": "1", "title": "Red", "description": "x"})),
            MessageType::Interactive,
            Some("Red"),
        ),
        (
            "interactive",
            tap("call_permission_reply", json!({"response": "accept"})),
            MessageType::Interactive,
            Some("accept"),
        ),
        ("interactive", tap("something_new", json!({"a": 1})), MessageType::Interactive, None),
        (
            "order",
            json!({"catalog_id": "1", "text": "please", "product_items": []}),
            MessageType::Order,
            Some("please"),
        ),
        (
            "system",
            json!({"type": "user_changed_number", "body": "moved", "wa_id": "2"}),
            MessageType::System,
            Some("moved"),
        ),
        ("request_welcome", Value::Null, MessageType::RequestWelcome, None),
    ] {
        let message = json!({"from": "201001234567", "id": "a", "timestamp": "1", "type": kind, kind: object});
        let received = only_message(updates(&body(&json!([message]))).unwrap()).message;
        assert_eq!((received.kind, received.body.as_deref()), (expected, text), "{object}");
        let content = received.content.map(|content| serde_json::from_str::<Value>(&content).unwrap());
        let expected = (!object.is_null()).then(|| json!({"type": kind, kind: object}));
        assert_eq!(content, expected);
        assert!(received.action.is_none());
    }
}

#[test]
fn a_flows_answer_is_taken_out_of_its_text() {
    let reply = json!({"name": "flow", "body": "Sent", "response_json": "{\"rating\": 5}"});
    let interactive = json!({"type": "nfm_reply", "nfm_reply": reply});
    let message =
        json!({"from": "201001234567", "id": "a", "timestamp": "1", "type": "interactive", "interactive": interactive});
    let received = only_message(updates(&body(&json!([message]))).unwrap()).message;
    let content: Value = serde_json::from_str(&received.content.unwrap()).unwrap();
    let expected = json!({"name": "flow", "body": "Sent", "response": {"rating": 5}});
    assert_eq!((&content["interactive"]["nfm_reply"], received.body.as_deref()), (&expected, Some("Sent")));
}

#[test]
fn what_surrounds_a_message_is_kept_with_it() {
    let mut message = text("a");
    message["context"] = json!({"from": "1", "id": "wamid.q", "forwarded": true});
    message["referral"] = json!({"source_type": "ad", "source_id": "7"});
    message["errors"] = json!([{"code": 400, "title": "Media download failed", "details": "throttled"}]);
    let received = only_message(updates(&body(&json!([message]))).unwrap()).message;
    let content: Value = serde_json::from_str(&received.content.unwrap()).unwrap();
    assert_eq!(content["context"], message["context"]);
    assert_eq!(content["referral"], message["referral"]);
    assert_eq!(content["errors"], message["errors"]);
    assert!(received.has_referral);

    let mut message = text("a");
    message["group_id"] = json!("120363@g.us");
    let received = only_message(updates(&body(&json!([message]))).unwrap());
    assert_eq!(received.sender.addresses, [Address::Group("120363".to_owned())]);
    let content: Value = serde_json::from_str(&received.message.content.unwrap()).unwrap();
    assert_eq!(content["author"], json!({"name": "Ada", "phone": "201001234567", "user_id": "EG.1"}));
}

#[test]
fn reactions_edits_and_deletions_name_their_message() {
    let new = json!({"type": "text", "text": {"body": "better"}});
    for (kind, object, act) in [
        ("reaction", json!({"message_id": "t", "emoji": "👍"}), ActionKind::React(Some("👍".to_owned()))),
        ("reaction", json!({"message_id": "t", "emoji": ""}), ActionKind::React(None)),
        ("reaction", json!({"message_id": "t"}), ActionKind::React(None)),
        (
            "edit",
            json!({"original_message_id": "t", "message": new}),
            ActionKind::Edit { body: Some("better".to_owned()), content: None },
        ),
        ("revoke", json!({"original_message_id": "t"}), ActionKind::Revoke),
    ] {
        let message = json!({"from": "201001234567", "id": "a", "timestamp": "9", "type": kind, kind: object});
        let action = only_message(updates(&body(&json!([message]))).unwrap()).message.action.unwrap();
        assert_eq!((action.target.as_str(), action.by.as_str(), action.act), ("t", "contact", act));
        assert_eq!((action.wamid.as_str(), action.at.seconds(), action.from_me), ("a", 9, false));
    }
    let lost =
        json!({"from": "201001234567", "id": "a", "timestamp": "9", "type": "reaction", "reaction": {"emoji": "x"}});
    assert_eq!(only_message(updates(&body(&json!([lost]))).unwrap()).message.kind, MessageType::Unsupported);
}

fn change(field: &str, value: &Value) -> Vec<Update> {
    let mut value = value.clone();
    value["metadata"] = json!({"display_phone_number": "+1 555-078-3881", "phone_number_id": "1065"});
    let change = json!({"field": field, "value": value});
    updates(json!({"entry": [{"id": "77", "changes": [change]}]}).to_string().as_bytes()).unwrap()
}

#[test]
fn an_echo_is_what_the_business_sent_from_its_phone() {
    let echo = json!({"from": "15550783881", "to": "201001234567", "id": "e", "timestamp": "9", "type": "text", "text": {"body": "hello"}});
    let received = only_message(change("smb_message_echoes", &json!({"message_echoes": [echo]})));
    assert_eq!(received.sender.addresses, [Address::Phone("201001234567".to_owned())]);
    assert_eq!((received.source, received.waba_id.as_deref()), (Some(Source::Echo), Some("77")));
    let message = received.message;
    assert_eq!((message.from_me, message.status, message.body.as_deref()), (true, MessageStatus::Sent, Some("hello")));
    assert!(!message.opens_window);
}

#[test]
fn standby_holds_the_usual_lists_and_echoes_as_they_were_sent() {
    let request =
        json!({"to": "201001234567", "type": "text", "text": {"body": "hello"}, "context": {"message_id": "q"}});
    let standby = json!({
        "messages": [text("a")],
        "message_echoes": [{"id": "e", "timestamp": "9", "message": request}],
        "statuses": [{"id": "w", "status": "read", "timestamp": "9"}],
    });
    let updates = change("standby", &json!({"standby": standby}));
    let [Update::Message(echo), Update::Message(message), Update::Status(..)] = &updates[..] else {
        panic!("{updates:?}")
    };
    assert!([echo, message].iter().all(|one| one.source == Some(Source::Standby)));
    assert_eq!((echo.message.from_me, message.message.from_me), (true, false));
    let content: Value = serde_json::from_str(echo.message.content.as_ref().unwrap()).unwrap();
    assert_eq!(content["context"], json!({"id": "q"}));
}

#[test]
fn history_has_both_sides() {
    let threads = json!([{"id": "201001234567", "messages": [
        {"from": "15550783881", "id": "a", "timestamp": "1", "type": "text", "text": {"body": "hi"}, "history_context": {"status": "READ"}},
        {"from": "15550783881", "id": "b", "timestamp": "2", "type": "media_placeholder", "history_context": {"status": "PENDING"}},
        {"from": "201001234567", "id": "c", "timestamp": "3", "type": "text", "text": {"body": "yes"}, "history_context": {"status": "READ"}},
        7,
    ]}]);
    let refusal = json!({"errors": [{"code": 2_593_109, "title": "History sync is turned off"}]});
    let updates = change("history", &json!({"history": [{"metadata": {"phase": 0}, "threads": threads}, refusal]}));
    let found: Vec<_> = updates
        .iter()
        .filter_map(|update| match update {
            Update::Message(one) => Some((one.message.from_me, one.message.status, one.source)),
            _ => None,
        })
        .collect();
    let past = Some(Source::History);
    let (read, unknown, received) = (MessageStatus::Read, MessageStatus::Unknown, MessageStatus::Received);
    assert_eq!(found, [(true, read, past), (true, unknown, past), (false, received, past)]);
    assert!(is_refused(&updates[3]));
    assert!(matches!(&updates[4], Update::Event(event) if event.field == "history" && event.reason.is_none()));
}

#[test]
fn a_groups_status_is_of_one_participant() {
    let status = json!({
        "id": "w", "status": "read", "timestamp": "9", "recipient_type": "group", "participant_recipient_id": "201001234567",
        "conversation": {"id": "c", "pricing": {"billable": true}},
    });
    let updates = change("messages", &json!({"statuses": [status]}));
    let [Update::Status(update, None)] = &updates[..] else { panic!("{updates:?}") };
    assert_eq!((update.participant.as_deref(), update.receipt), (Some("201001234567"), Receipt::Read));
    assert_eq!(update.pricing.as_deref(), Some(r#"{"billable":true}"#));
}

#[test]
fn without_a_number_each_piece_is_kept_by_itself() {
    let value = json!({"messages": [text("a"), text("b")], "statuses": [{"id": "w", "status": "read", "timestamp": "1"}], "user_actions": [1]});
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
        assert!(updates.len() == 1 && is_refused(&updates[0]), "{odd}");
    }
    let other = json!({"entry": [{"changes": [{"field": "account_update", "value": {"event": "X"}}]}]});
    let updates = updates(other.to_string().as_bytes()).unwrap();
    assert!(
        matches!(&updates[..], [Update::Event(event)] if event.field == "account_update" && event.reason.is_none())
    );
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

/// Valid messages of every type, as the start of near misses.
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

/// Every place in a value.
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

/// A body with all that is read, for changes anywhere in it.
fn whole() -> Value {
    let metadata = json!({"display_phone_number": "1555", "phone_number_id": "1065"});
    let status = json!({"id": "w", "status": "failed", "timestamp": "1", "recipient_type": "group", "recipient_participant_id": "2",
        "pricing": {"billable": true}, "errors": [{"code": 1, "error_data": {"details": "x"}}]});
    let echo = json!({"id": "e", "to": "201001234567", "timestamp": "1", "type": "text", "text": {"body": "x"}});
    let change = |field: &str, value: Value| json!({"field": field, "value": value});
    json!({"entry": [{"id": "1", "time": 1, "changes": [
        change("messages", json!({"metadata": metadata, "contacts": [{"wa_id": "1", "profile": {"name": "x"}}], "messages": [text("a")], "statuses": [status], "errors": []})),
        change("smb_message_echoes", json!({"metadata": metadata, "message_echoes": [echo]})),
        change("standby", json!({"metadata": metadata, "standby": {"message_echoes": [{"id": "s", "timestamp": "1", "message": echo}]}})),
        change("history", json!({"metadata": metadata, "history": [{"threads": [{"id": "201001234567", "messages": [text("h")]}]}]})),
        change("account_update", json!({"event": "X"})),
    ]}]})
}

proptest! {
    /// A message with one thing changed is still there, as a message or as an event that has all of its JSON.
    #[test]
    fn near_misses_are_accounted_for(valid in valid_message(), place in any::<prop::sample::Index>(), odd in any_json()) {
        let near = changed(valid, place, odd);
        let mut updates = updates(&body(&json!([text("a"), near, text("b")]))).unwrap();
        // What it tells of a person comes beside it.
        updates.retain(|update| !matches!(update, Update::Person { .. }));
        prop_assert_eq!(updates.len(), 3);
        prop_assert!(matches!(updates[0], Update::Message(_)) && matches!(updates[2], Update::Message(_)));
        let raw = match &updates[1] {
            Update::Message(received) => &received.message.raw,
            Update::Event(event) => &event.raw,
            other => return Err(TestCaseError::fail(format!("a message became {other:?}"))),
        };
        prop_assert_eq!(raw, &near.to_string());
    }

    /// A change anywhere in a body costs at most the piece that it is in: the other changes are read as before.
    #[test]
    fn a_change_costs_its_own_piece_alone(place in any::<prop::sample::Index>(), odd in any_json()) {
        let mut whole = whole();
        let changes = whole["entry"][0]["changes"].as_array().unwrap().len();
        let which = place.index(changes);
        let piece = whole["entry"][0]["changes"][which].take();
        whole["entry"][0]["changes"][which] = changed(piece, place, odd);
        let updates = updates(whole.to_string().as_bytes()).unwrap();
        let has = |wamid: &str| updates.iter().any(|update| matches!(update, Update::Message(one) if one.message.wamid == wamid));
        for (at, wamid) in ["a", "e", "s", "h"].into_iter().enumerate() {
            prop_assert!(at == which || has(wamid), "{} is lost", wamid);
        }
        prop_assert!(!updates.is_empty());
    }
}
