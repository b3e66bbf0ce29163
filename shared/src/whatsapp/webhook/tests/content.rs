use super::*;
use crate::domain::message_action::ActionKind;

#[test]
fn documented_types_have_body_and_content() {
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
            json!([
                {"name": {"formatted_name": "Mona"}, "phones": [{"phone": "+20"}]},
                {"name": {"formatted_name": "Ali"}},
            ]),
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
fn flow_response_is_parsed() {
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
fn context_referral_errors_and_author_are_content() {
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
    assert_eq!(received.peer.addresses, [Address::Group("120363".to_owned())]);
    let content: Value = serde_json::from_str(&received.message.content.unwrap()).unwrap();
    assert_eq!(content["author"], json!({"name": "Ada", "phone": "201001234567", "user_id": "EG.1"}));
}

#[test]
fn reactions_edits_and_revocations_are_actions() {
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
        assert_eq!((action.target.as_str(), action.by.as_str(), action.kind), ("t", "contact", act));
        assert_eq!((action.wamid.as_str(), action.at.seconds(), action.from_me), ("a", 9, false));
    }
    let without_target =
        json!({"from": "201001234567", "id": "a", "timestamp": "9", "type": "reaction", "reaction": {"emoji": "x"}});
    assert_eq!(only_message(updates(&body(&json!([without_target]))).unwrap()).message.kind, MessageType::Unsupported);
}
