use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::{content, message::preview};

#[test]
fn each_type_has_its_text() {
    let body = json!({"text": "Choose"});
    for (kind, object, expected) in [
        (MessageType::Text, json!({"body": "hi"}), Some("hi")),
        (MessageType::Image, json!({"id": "1", "caption": "a cat"}), Some("a cat")),
        (MessageType::Video, json!({"id": "1", "caption": " "}), None),
        (MessageType::Document, json!({"caption": "the bill", "filename": "bill.pdf"}), Some("the bill")),
        (MessageType::Document, json!({"caption": " ", "filename": "bill.pdf"}), Some("bill.pdf")),
        (MessageType::Document, json!({"link": "https://example.org/bill.pdf"}), None),
        (MessageType::Location, json!({"name": "Bibliotheca", "address": "Corniche"}), Some("Bibliotheca")),
        (MessageType::Location, json!({"address": "Corniche"}), Some("Corniche")),
        (MessageType::Location, json!({"latitude": 1, "longitude": 2}), None),
        (
            MessageType::Contacts,
            json!([{"name": {"formatted_name": "Ada"}}, {"name": {"formatted_name": "Bob"}}]),
            Some("Ada, Bob"),
        ),
        (MessageType::Contacts, json!([{"name": {"first_name": "Ada", "last_name": "King"}}]), Some("Ada King")),
        (MessageType::Contacts, json!([{"name": {}, "phones": [{"phone": "+20 100"}]}]), Some("+20 100")),
        (MessageType::Contacts, json!([]), None),
        (MessageType::Button, json!({"payload": "yes-1", "text": "Yes"}), Some("Yes")),
        (
            MessageType::Interactive,
            json!({"type": "button_reply", "button_reply": {"id": "1", "title": "Yes"}}),
            Some("Yes"),
        ),
        (MessageType::Interactive, json!({"type": "list", "body": body, "header": {"text": "Menu"}}), Some("Choose")),
        (MessageType::Interactive, json!({"type": "product", "header": {"text": "Menu"}}), Some("Menu")),
        (MessageType::Interactive, json!({"type": "product", "action": {}}), None),
        (MessageType::Reaction, json!({"message_id": "wamid.1", "emoji": "👍"}), Some("👍")),
        (MessageType::Reaction, json!({"message_id": "wamid.1", "emoji": ""}), None),
        (MessageType::Order, json!({"text": "by noon"}), Some("by noon")),
        (MessageType::System, json!({"body": "changed number"}), Some("changed number")),
        (MessageType::Template, json!({"name": "order_ready", "language": {"code": "en"}}), Some("order_ready")),
        (
            MessageType::Template,
            json!({"name": "order_ready", "components": [{"type": "BODY", "text": "Ready"}]}),
            Some("Ready"),
        ),
        (MessageType::Audio, json!({"id": "1"}), None),
        (MessageType::Sticker, json!({"id": "1"}), None),
    ] {
        assert_eq!(readable_text(kind, &object).as_deref(), expected, "{kind:?} {object}");
    }
}

#[test]
fn sent_content_has_the_text_that_the_inbox_shows() {
    for (request, expected) in [
        (json!({"message": "hi"}), "hi"),
        (json!({"type": "document", "document": {"id": "1", "filename": "bill.pdf"}}), "bill.pdf"),
        (
            json!({"type": "location", "location": {"latitude": 31.2, "longitude": 29.9, "name": "Bibliotheca"}}),
            "Bibliotheca",
        ),
        (json!({"type": "location", "location": {"latitude": 31.2, "longitude": 29.9}}), "[location]"),
        (json!({"type": "contacts", "contacts": [{"name": {"formatted_name": "Ada", "first_name": "Ada"}}]}), "Ada"),
        (json!({"type": "template", "template": {"name": "order_ready", "language": {"code": "en"}}}), "order_ready"),
        (json!({"type": "image", "image": {"id": "1"}}), "[image]"),
        (json!({"type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": "👍"}}), "👍"),
    ] {
        let content = content::read(request.as_object().unwrap()).unwrap().unwrap();
        assert_eq!(preview(content.kind, content.body.as_deref()), expected, "{request}");
    }
}

#[test]
fn a_preview_is_never_blank() {
    assert_eq!(preview(MessageType::Text, Some(" \n")), "[text]");
    assert_eq!(preview(MessageType::Text, Some(&format!("{}Hi", "\n".repeat(200)))), "Hi");
    assert_eq!(preview(MessageType::Unsupported, None), "[unsupported message]");
    assert_eq!(preview(MessageType::Text, Some(&"é".repeat(5000))).chars().count(), 50);
}

const KINDS: [MessageType; 19] = [
    MessageType::Text,
    MessageType::Image,
    MessageType::Video,
    MessageType::Audio,
    MessageType::Document,
    MessageType::Sticker,
    MessageType::Location,
    MessageType::Contacts,
    MessageType::Reaction,
    MessageType::Interactive,
    MessageType::Template,
    MessageType::Button,
    MessageType::Order,
    MessageType::System,
    MessageType::Edit,
    MessageType::Revoke,
    MessageType::RequestWelcome,
    MessageType::MediaPlaceholder,
    MessageType::Unsupported,
];

fn any_object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec!["", " ", "type", "body", "button_reply", "\u{200b}"]).prop_map(Value::from),
        ".*".prop_map(Value::from),
        Just(Value::from("é".repeat(TEXT_LIMIT + 1))),
    ];
    let names = vec![
        "type",
        "body",
        "text",
        "caption",
        "filename",
        "name",
        "formatted_name",
        "button_reply",
        "title",
        "emoji",
        "components",
        "phones",
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(names.clone()).prop_map(str::to_owned), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_content_has_a_short_text_or_none(kind in prop::sample::select(&KINDS[..]), object in any_object()) {
        if let Some(text) = readable_text(kind, &object) {
            prop_assert!(!text.trim().is_empty() && text.chars().count() <= TEXT_LIMIT);
        }
    }
}
