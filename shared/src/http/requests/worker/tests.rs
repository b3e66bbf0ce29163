use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::{
    message::{MessageStatus, MessageType},
    message_action::ActionKind,
};

fn body(members: &Value) -> Body {
    let mut body = json!({"sessionId": "117b233c-fcee-5c30-b5f9-00032fb4b9ea", "id": "3EB0", "timestamp": 1_779_194_040,
        "from": "201001234567@s.whatsapp.net"});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    Body::new(body.to_string().into_bytes())
}

fn read(members: Value) -> Result<ReceiveRequest, ApiError> {
    ReceiveRequest::read(&body(&members), &Caller::admin("k"))
}

fn accepted(members: Value) -> ReceiveRequest {
    read(members.clone()).unwrap_or_else(|error| panic!("{members}: {error:?}"))
}

#[track_caller]
fn refused(members: Value, expected: &str) {
    let error = format!("{:?}", read(members.clone()).unwrap_err());
    assert!(error.contains(expected), "{members}: {error}");
}

fn phone() -> Address {
    Address::from_wa_id("201001234567").unwrap()
}

fn content(request: &ReceiveRequest) -> Value {
    serde_json::from_str(request.message.content.as_deref().unwrap()).unwrap()
}

#[test]
fn short_form_is_a_text() {
    for text in
        [json!({"text": "hi"}), json!({"text": {"body": "hi"}}), json!({"type": "text", "text": {"body": "hi"}})]
    {
        let request = accepted(text);
        assert_eq!(request.addresses, [phone()]);
        let message = request.message;
        assert_eq!((message.kind, message.body.as_deref(), message.content), (MessageType::Text, Some("hi"), None));
        assert_eq!((message.from_me, message.status), (false, MessageStatus::Received));
    }
    assert_eq!(accepted(json!({"name": " Zeina ", "text": ""})).profile.name.as_deref(), Some("Zeina"));
    assert_eq!(accepted(json!({})).message.kind, MessageType::Unsupported);
    refused(json!({"text": 5}), "text must be a string, or an object with a body");
}

#[test]
fn every_type_of_a_webhook_is_read_as_in_a_webhook() {
    for (kind, object, expected, text) in [
        ("image", json!({"url": "https://example.org/a", "caption": "A"}), MessageType::Image, Some("A")),
        ("video", json!({"caption": "V"}), MessageType::Video, Some("V")),
        ("audio", json!({"voice": true}), MessageType::Audio, None),
        ("document", json!({"filename": "a.pdf"}), MessageType::Document, Some("a.pdf")),
        ("sticker", json!({"animated": true}), MessageType::Sticker, None),
        ("location", json!({"latitude": 1.5, "longitude": 2, "name": "N"}), MessageType::Location, Some("N")),
        ("contacts", json!([{"name": {"formatted_name": "C"}}]), MessageType::Contacts, Some("C")),
        (
            "interactive",
            json!({"type": "button_reply", "button_reply": {"id": "1", "title": "Yes"}}),
            MessageType::Interactive,
            Some("Yes"),
        ),
        ("order", json!({"catalog_id": "1", "text": "O"}), MessageType::Order, Some("O")),
    ] {
        let request = accepted(json!({"type": kind, kind: object}));
        assert_eq!((request.message.kind, request.message.body.as_deref()), (expected, text), "{kind}");
        assert_eq!(content(&request), json!({"type": kind, kind: object}));
    }
    let reply = accepted(json!({"text": "hi", "context": {"id": "3EB1", "from": "201001234567"}}));
    assert_eq!(content(&reply)["context"]["id"], "3EB1");
}

#[test]
fn unknown_and_invalid_content_is_unsupported_with_its_json() {
    for members in [
        json!({"type": "poll", "poll": {"name": "Q"}}),
        json!({"type": "image", "image": "x"}),
        json!({"type": "image"}),
        json!({"type": "reaction", "reaction": {"emoji": "👍"}}),
        json!({"type": "location", "location": {"latitude": "north"}}),
        json!({"type": "text"}),
    ] {
        let request = accepted(members.clone());
        assert_eq!(request.message.kind, MessageType::Unsupported, "{members}");
        assert!(request.message.action.is_none());
        let raw: Value = serde_json::from_str(&request.message.raw).unwrap();
        assert_eq!(raw["type"], members["type"]);
    }
}

#[test]
fn reactions_edits_and_deletions_name_their_target() {
    let edited = json!({"type": "text", "text": {"body": "new"}});
    for (kind, object, expected) in [
        ("reaction", json!({"message_id": "3EB1", "emoji": "👍"}), ActionKind::React(Some("👍".to_owned()))),
        ("reaction", json!({"message_id": "3EB1", "emoji": ""}), ActionKind::React(None)),
        ("revoke", json!({"original_message_id": "3EB1"}), ActionKind::Revoke),
        (
            "edit",
            json!({"original_message_id": "3EB1", "message": edited}),
            ActionKind::Edit { body: Some("new".to_owned()), content: None },
        ),
    ] {
        let action = accepted(json!({"type": kind, kind: object})).message.action.unwrap();
        assert_eq!((action.target.as_str(), action.kind, action.by.as_str()), ("3EB1", expected, "contact"), "{kind}");
        let own = accepted(json!({"type": kind, kind: object, "fromMe": true})).message.action.unwrap();
        assert_eq!((own.by.as_str(), own.from_me), ("me", true));
    }
    assert!(read(json!({"id": "w".repeat(1024), "text": "hi"})).is_ok());
    refused(json!({"id": "w".repeat(1025), "text": "hi"}), "id must have 1 to 1024 bytes");
}

#[test]
fn an_edit_has_any_form_of_a_message_or_leaves_the_old_text() {
    let edit = |message: Value| {
        accepted(json!({"type": "edit", "edit": {"original_message_id": "3EB1", "message": message}})).message
    };
    for message in [
        json!("new"),
        json!({"text": "new"}),
        json!({"text": {"body": "new"}}),
        json!({"type": "text", "text": "new"}),
        json!({"type": "image", "image": {"caption": "new"}}),
    ] {
        let message = edit(message);
        assert_eq!((message.kind, message.body.as_deref()), (MessageType::Edit, Some("new")));
        let ActionKind::Edit { body, .. } = message.action.unwrap().kind else { panic!("not an edit") };
        assert_eq!(body.as_deref(), Some("new"));
    }
    for message in [
        Value::Null,
        json!({}),
        json!(5),
        json!({"image": {"caption": "new"}}),
        json!({"type": "reaction", "reaction": {"message_id": "3EB2", "emoji": "👍"}}),
        json!({"type": "revoke", "revoke": {"original_message_id": "3EB2"}}),
        json!({"type": "edit", "edit": {"original_message_id": "3EB2", "message": "new"}}),
    ] {
        let message = edit(message);
        assert_eq!((message.kind, message.action), (MessageType::Unsupported, None), "{}", message.raw);
    }
}

#[test]
fn fields_of_the_wrong_shape_are_refused_with_their_path() {
    for (members, expected) in [
        (json!({"text": "hi", "context": "3EB0"}), "context must be an object"),
        (json!({"text": "hi", "context": 5}), "context must be an object"),
        (json!({"text": "hi", "context": []}), "context must be an object"),
        (json!({"text": "hi", "context": {"id": 5}}), "context.id must be a string"),
        (json!({"text": "hi", "referral": "x"}), "referral must be an object"),
        (json!({"text": "hi", "errors": 5}), "errors must be a list of objects"),
        (json!({"text": "hi", "errors": [5]}), "errors must be a list of objects"),
        (json!({"type": 5, "text": "hi"}), "type must be a string"),
        (json!({"text": {"body": "x", "mentions": []}}), "text.mentions is not a field of text"),
        (json!({"type": "image", "image": {}, "text": "cap"}), "text is for messages of type text"),
    ] {
        refused(members, expected);
    }
    let group = json!({"from": "120363041234567890@g.us", "text": "hi", "participant": "120363041234567891@g.us"});
    refused(group, "participant must be the address of a member");
}

#[test]
fn unix_seconds_can_have_a_fraction() {
    for timestamp in [json!(1_749_416_383), json!(1_749_416_383.0), json!(1_749_416_383.5), json!("1749416383.25")] {
        let at = accepted(json!({"text": "hi", "timestamp": timestamp})).message.timestamp;
        assert_eq!(at.to_string(), "2025-06-08T20:59:43.000Z");
    }
    for timestamp in [json!(1.5e300), json!(1e40), json!("1749416383.x"), json!("1.749e9"), json!(".")] {
        refused(json!({"text": "hi", "timestamp": timestamp}), "timestamp must be in seconds");
    }
}

#[test]
fn the_id_of_a_sent_message_is_not_blank() {
    let settle = |id: &str| {
        let id_of = |_| "0190a5f2-6d4e-7c3b-8a1f-2b3c4d5e6f70";
        let body = json!({"messageId": id_of(0), "lease": id_of(1), "sent": {"id": id}});
        SettleRequest::read(&Body::new(body.to_string().into_bytes()))
    };
    assert!(settle("3EB0").is_ok() && settle(&"w".repeat(1024)).is_ok());
    for id in ["", "  ", &"w".repeat(1025)] {
        assert!(settle(id).is_err(), "{id}");
    }
}

#[test]
fn own_messages_belong_to_the_chat_of_the_contact() {
    for members in [
        json!({"fromMe": true, "text": "hi"}),
        json!({"fromMe": true, "text": "hi", "from": "+41791234567", "to": "+201001234567"}),
        json!({"fromMe": true, "text": "hi", "from": null, "to": "+201001234567"}),
    ] {
        let request = accepted(members);
        assert_eq!((request.addresses, request.message.from_me), (vec![phone()], true));
        assert_eq!(request.message.status, MessageStatus::Sent);
    }
    let named = accepted(json!({"fromMe": true, "text": "hi", "name": "The shop"}));
    assert_eq!(named.profile.name, None, "the name is the business's own");
    refused(json!({"text": "hi", "to": "+201001234567"}), "to is for messages with fromMe");
    refused(json!({"text": "hi", "fromMe": true, "to": " ", "toAlt": "123456789012345@lid"}), "to is required");
    refused(json!({"text": "hi", "fromMe": "yes"}), "fromMe must be true or false");
    refused(json!({"text": "hi", "from_me": true}), "did you mean fromMe?");
    refused(json!({"text": "hi", "from": null}), "from is required");
}

#[test]
fn members_of_groups_are_authors() {
    let group =
        json!({"from": "120363041234567890@g.us", "text": "hi", "participant": "+201001234567", "name": "Zeina"});
    let request = accepted(group.clone());
    assert_eq!(request.addresses, [Address::Group("120363041234567890".to_owned())]);
    assert_eq!(request.profile.name, None, "the group isn't renamed");
    assert_eq!(content(&request)["author"]["name"], "Zeina");
    assert_eq!(content(&request)["author"]["phone"], "201001234567");
    let mut reaction = group.clone();
    reaction.as_object_mut().unwrap().remove("text");
    reaction.as_object_mut().unwrap().extend([
        ("type".to_owned(), json!("reaction")),
        ("reaction".to_owned(), json!({"message_id": "3EB1", "emoji": "👍"})),
    ]);
    assert_eq!(accepted(reaction).message.action.unwrap().by, "phone:201001234567");
    let anonymous = accepted(json!({"from": "120363041234567890@g.us", "text": "hi", "name": "Zeina"}));
    assert_eq!(content(&anonymous)["author"]["name"], "Zeina");
    refused(json!({"text": "hi", "participant": "+201001234567"}), "participant is for messages of groups");
}

#[test]
fn second_addresses_link_the_contact() {
    let lid = Address::from_device("123456789012345@lid").unwrap();
    let linked = accepted(json!({"from": "123456789012345@lid", "fromAlt": "+201001234567", "text": "hi"}));
    assert_eq!(linked.addresses, [phone(), lid.clone()], "the phone number comes first");
    assert_eq!(accepted(json!({"from": "123456789012345@lid", "text": "hi"})).addresses, [lid]);
    let sentence = "fromAlt must be the contact's LID, or their phone number if from is a LID";
    for (from, alt) in [
        ("+201001234567", "+201009999999"),
        ("+201001234567", "+201001234567"),
        ("1@lid", "2@lid"),
        ("120363041234567890@g.us", "123456789012345@lid"),
        ("123456789012345@lid", "120363041234567890@g.us"),
    ] {
        let result = read(json!({"from": from, "fromAlt": alt, "text": "hi"}));
        assert!(format!("{:?}", result.unwrap_err()).contains("fromAlt") || from == "1@lid", "{from} {alt}");
    }
    refused(json!({"fromAlt": "+201009999999", "text": "hi"}), sentence);
    refused(json!({"text": "hi", "fromAlt": "x"}), "fromAlt ");
    refused(json!({"text": "hi", "from": null, "fromAlt": "+201001234567"}), "from is required");
    let group = json!({"from": "120363041234567890@g.us", "text": "hi", "participant": "123456789012345@lid",
        "participantAlt": "+201001234567"});
    let author = &content(&accepted(group))["author"];
    assert_eq!((&author["phone"], &author["lid"]), (&json!("201001234567"), &json!("123456789012345@lid")));
}

#[test]
fn half_an_emoji_is_replaced() {
    let text = r#"{"sessionId":"117b233c-fcee-5c30-b5f9-00032fb4b9ea","id":"1","timestamp":1,"from":"+201001234567","text":"\ud83d"}"#;
    let request = ReceiveRequest::read(&Body::new(text.as_bytes().to_vec()), &Caller::admin("k")).unwrap();
    assert_eq!(request.message.body.as_deref(), Some("\u{fffd}"));
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        prop::sample::select(&["text", "edit", "reaction", "+201001234567", "1@g.us", "US.1", ""][..])
            .prop_map(Value::from),
    ];
    let name = prop::sample::select(
        &["type", "text", "body", "message_id", "original_message_id", "message", "edit", "emoji", "name", "id"][..],
    );
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_message_is_read_or_refused(
        kind in prop::sample::select(&["image", "contacts", "reaction", "edit", "revoke", "interactive", "system", "x"][..]),
        content in json_value(),
        field in prop::sample::select(&[
            "id", "timestamp", "from", "fromAlt", "fromMe", "to", "toAlt", "participant", "participantAlt", "name", "text",
            "context", "referral", "errors",
        ][..]),
        value in json_value(),
    ) {
        if let Ok(request) = read(json!({"type": kind, kind: content, field: value})) {
            prop_assert!(!request.addresses.is_empty());
        }
    }
}
