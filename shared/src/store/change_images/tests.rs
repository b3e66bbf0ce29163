use aws_sdk_dynamodb::types::AttributeValue;

use super::*;
use crate::{
    domain::{
        change::ChangeType,
        change::derive::{Log, StreamRecord, derive},
        id::{ChatId, MessageId},
        identity::Identity,
        message_key::MessageKey,
    },
    store::item::{number, string},
};

fn image(attributes: &[(&str, AttributeValue)]) -> serde_dynamo::Item {
    attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Item>().into()
}

fn kinds(old: serde_dynamo::Item, new: serde_dynamo::Item) -> Vec<(ChangeType, Log)> {
    let write = read_write(old, new).unwrap();
    let changes = derive(&StreamRecord { event_id: "1".to_owned(), at: Timestamp::MIN, write });
    changes.into_iter().map(|derived| (derived.change.kind, derived.log)).collect()
}

/// Returns the image of an outbound message of the owner `ada`, with another attribute.
fn message(status: &str, attribute: (&str, AttributeValue)) -> serde_dynamo::Item {
    let session_id = SessionId::for_owner("ada");
    let chat_id = ChatId::for_identity(session_id, &Identity::Group("1".to_owned()));
    let message_id = MessageId::for_inbound("1", "a");
    let key = Key::message(&MessageKey { chat_id, time: Timestamp::MIN, message_id });
    image(&[
        ("pk", string(&key.pk)),
        ("sk", string(&key.sk)),
        ("entity", string(MESSAGE)),
        ("session_id", string(session_id.to_string())),
        ("type", string("text")),
        ("from_me", AttributeValue::Bool(true)),
        ("status", string(status)),
        attribute,
    ])
}

#[test]
fn images_are_read_by_their_entity() {
    let session_id = SessionId::for_owner("ada");
    let message = |status: &str| message(status, ("status_rank", number(30)));
    let log = Log::Session(session_id);
    let nothing = || serde_dynamo::Item::default();
    assert_eq!(kinds(nothing(), message("pending")), [(ChangeType::MessageCreated, log.clone())]);
    assert_eq!(kinds(message("sending"), message("sent")), [(ChangeType::MessageSent, log)]);
    let event = |inbox_key: &str| {
        let at = Timestamp::MIN.to_string();
        image(&[
            ("entity", string(EVENT)),
            ("event_id", string(MessageId::for_inbound("1", "a").to_string())),
            ("inbox_key", string(inbox_key)),
            ("received_at", string(at)),
        ])
    };
    let number = Log::Number("106".to_owned(), Timestamp::MIN);
    assert_eq!(kinds(nothing(), event("EVENTS#NUMBER#106")), [(ChangeType::AccountEvent, number)]);
    // An event without a known number, and that of an account with several numbers.
    assert_eq!(kinds(nothing(), event("EVENTS#UNKNOWN")), []);
    assert_eq!(kinds(nothing(), event("EVENTS#ACCOUNT#1")), []);
    assert_eq!(kinds(nothing(), image(&[("entity", string("rule"))])), []);
    assert!(read_write(nothing(), image(&[("entity", string(MESSAGE))])).is_err());
}

#[test]
fn value_in_an_unknown_format_that_only_counters_use_loses_no_change() {
    let session_id = SessionId::for_owner("ada");
    let attempt = [("at", string("2026-11-26T12:00:00.000Z")), ("outcome", string("of_a_newer_version"))];
    let attempt = attempt.map(|(name, value)| (name.to_owned(), value));
    for unknown in [
        ("attempts", AttributeValue::L(vec![AttributeValue::M(attempt.into())])),
        ("attempts", string("text")),
        ("errors", number(1)),
        ("channel", string("of_a_newer_version")),
        ("status_rank", number(1_000)),
    ] {
        let message = |status: &str| message(status, unknown.clone());
        let changes = kinds(message("sending"), message("sent"));
        assert_eq!(changes, [(ChangeType::MessageSent, Log::Session(session_id))], "{unknown:?}");
    }
}

#[test]
fn each_request_to_erase_a_chat_is_a_change() {
    let session_id = SessionId::for_owner("ada");
    let chat_id = ChatId::for_identity(session_id, &Identity::Group("1".to_owned()));
    let request = |requested_at: &str| {
        let target = [("chat".to_owned(), string(chat_id.to_string()))];
        image(&[
            ("entity", string(ERASURE)),
            ("target", AttributeValue::M(target.into())),
            ("session_id", string(session_id.to_string())),
            ("requested_at", string(requested_at)),
        ])
    };
    let erased = [(ChangeType::ChatErased, Log::Session(session_id))];
    assert_eq!(kinds(serde_dynamo::Item::default(), request("2026-11-26T12:00:00.000Z")), erased);
    assert_eq!(kinds(request("2026-11-26T12:00:00.000Z"), request("2026-11-26T12:01:00.000Z")), erased);
    // The progress is saved in the same item.
    assert_eq!(kinds(request("2026-11-26T12:00:00.000Z"), request("2026-11-26T12:00:00.000Z")), []);
}
