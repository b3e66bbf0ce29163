//! Messages to send, as requests contain them.

use crate::{
    domain::{
        caller::Caller,
        content,
        identity::{Address, Recipient},
        message::{Category, InvalidReference, MessageType, Priority},
        time::Timestamp,
    },
    http::{ApiError, Body, ErrorCode, JsonObject, read_session_id},
    services::send::{NotStored, SendRequest},
};

/// The fields of a request: Qasid's own, and those of a message of the Cloud API. `messaging_product` and
/// `recipient_type` have one meaningful value here, so that a body that was written for the Cloud API can be sent as it is.
const FIELDS: &[&str] = &[
    "sessionId",
    "to",
    "message",
    "validUntil",
    "reference",
    "category",
    "priority",
    "type",
    "text",
    "image",
    "video",
    "audio",
    "document",
    "sticker",
    "location",
    "contacts",
    "reaction",
    "interactive",
    "template",
    "pin",
    "context",
    "recipient_identity_key_hash",
    "messaging_product",
    "recipient_type",
];

/// Fields that callers expect beside `message`, and where they belong.
const HINTS: [(&str, &str); 10] = [
    ("recipient", "give the business-scoped user ID in to"),
    ("preview_url", PREVIEW),
    ("previewUrl", PREVIEW),
    ("linkPreview", PREVIEW),
    ("replyTo", REPLY),
    ("reply_to", REPLY),
    ("quotedMessageId", REPLY),
    ("message_id", REPLY),
    ("caption", "it belongs in the object of the message's type, such as image.caption"),
    ("biz_opaque_callback_data", "Qasid sets it itself: give your own text in reference"),
];

const PREVIEW: &str = "give it in text, as {\"type\": \"text\", \"text\": {\"body\": …, \"preview_url\": true}}";
const REPLY: &str = "to reply to a message, give {\"context\": {\"message_id\": …}}";

impl SendRequest {
    /// Parses `{"sessionId", "to", "message"}`, or a typed message in the Cloud API's own shape instead of `message`;
    /// with `validUntil`, after which it is not sent, `reference`, the caller's own text, `category`, and `priority`. 404 for
    /// a session of another owner.
    pub fn read(body: &Body, idempotency_key: Option<&str>, caller: &Caller) -> Result<Self, ApiError> {
        let body = body.object_with_hints(FIELDS, &HINTS)?;
        check_cloud_api_fields(&body)?;
        let session_id = body.string("sessionId")?;
        let to = body.string("to")?;
        let content = content::read(body.fields())?;
        let (Some(session_id), Some(to), Some(content)) = (not_blank(session_id), not_blank(to), content) else {
            return Err(ApiError::new(ErrorCode::MissingField, "sessionId, to, and message are required"));
        };
        check_unused_content(&body)?;
        let session_id = caller.session(read_session_id(session_id)?)?;
        let recipient = Recipient::parse(to).map_err(NotStored::Recipient)?;
        if content.kind == MessageType::Pin && !matches!(recipient, Recipient::Address(Address::Group(_))) {
            return Err(ApiError::invalid_field("type must not be pin here: messages can be pinned in groups only"));
        }
        let valid_until = body.string("validUntil")?.map(read_time).transpose()?;
        let reference = body.string("reference")?.map(str::parse).transpose();
        let reference = reference.map_err(|error: InvalidReference| ApiError::invalid_field(error.to_string()))?;
        let category = body.string("category")?.map(read_category).transpose()?;
        let priority = body.string("priority")?.map(read_priority).transpose()?.unwrap_or_default();
        let idempotency_key = idempotency_key.map(read_idempotency_key).transpose()?;
        let to = to.trim().to_owned();
        Ok(Self { session_id, to, recipient, content, valid_until, reference, category, priority, idempotency_key })
    }
}

/// Checks the fields that every message of the Cloud API has with a fixed value.
fn check_cloud_api_fields(body: &JsonObject) -> Result<(), ApiError> {
    if body.string("messaging_product")?.is_some_and(|product| product != "whatsapp") {
        return Err(ApiError::invalid_field("messaging_product must be whatsapp, or left out"));
    }
    if body.string("recipient_type")?.is_some_and(|kind| !matches!(kind, "individual" | "group")) {
        return Err(ApiError::invalid_field("recipient_type must be individual or group, or left out: to decides"));
    }
    Ok(())
}

/// Refuses the content of another type than the message's, which would be dropped silently.
fn check_unused_content(body: &JsonObject) -> Result<(), ApiError> {
    let kind = body.string("type")?;
    let is_unused =
        |field: &str| content::type_names().contains(&field) && Some(field) != kind && body.value(field).is_some();
    let Some(field) = FIELDS.iter().find(|field| is_unused(field)) else { return Ok(()) };
    let message = match kind {
        Some(kind) => format!("{field} is not a field of a message of type {kind}: leave it out"),
        None => format!("{field} can't be combined with message: give \"type\": \"{field}\" instead of message"),
    };
    Err(ApiError::new(ErrorCode::UnknownField, message))
}

fn not_blank(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}

fn read_time(text: &str) -> Result<Timestamp, ApiError> {
    let invalid = |_| ApiError::invalid_field("validUntil must be a time like 2026-11-23T12:00:00Z");
    Timestamp::parse_saturating(text).map_err(invalid)
}

fn read_category(word: &str) -> Result<Category, ApiError> {
    let found = Category::ALL.into_iter().find(|category| category.as_str() == word);
    found.ok_or_else(|| ApiError::invalid_field("category must be marketing, utility, authentication or service"))
}

fn read_priority(word: &str) -> Result<Priority, ApiError> {
    let found = Priority::ALL.into_iter().find(|priority| priority.as_str() == word);
    found.ok_or_else(|| ApiError::invalid_field("priority must be normal or bulk"))
}

fn read_idempotency_key(key: &str) -> Result<String, ApiError> {
    if (1..=255).contains(&key.len()) {
        return Ok(key.to_owned());
    }
    Err(ApiError::new(ErrorCode::InvalidHeader, "Idempotency-Key must have 1 to 255 characters"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(body: &Value) -> Result<SendRequest, ApiError> {
        SendRequest::read(&Body::new(body.to_string().into_bytes()), None, &Caller::admin("k"))
    }

    fn with(fields: Value) -> Result<SendRequest, ApiError> {
        let mut body = json!({"sessionId": "00000000-0000-4000-8000-000000000000", "to": "+201001234567"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        read(&body)
    }

    #[test]
    fn every_message_type_is_a_field() {
        assert!(content::type_names().iter().all(|name| FIELDS.contains(name)));
    }

    #[test]
    fn bodies_for_the_cloud_api_are_accepted() {
        for fields in [
            json!({"message": "hi", "validUntil": null, "image": null}),
            json!({"messaging_product": "whatsapp", "recipient_type": "individual", "type": "text", "text": {"body": "hi"}}),
            json!({"type": "text", "text": {"body": "hi"}, "context": {"message_id": "wamid.1"}}),
            json!({"message": "hi", "recipient_identity_key_hash": "DF2lS5v2W6x="}),
        ] {
            assert!(with(fields.clone()).is_ok(), "{fields}: {:?}", with(fields.clone()));
        }
    }

    #[test]
    fn messages_are_normal_unless_they_are_bulk() {
        for (priority, expected) in [
            (json!(null), Ok(Priority::Normal)),
            (json!("normal"), Ok(Priority::Normal)),
            (json!("bulk"), Ok(Priority::Bulk)),
            (json!("high"), Err("priority must be normal or bulk")),
            (json!("Bulk"), Err("priority must be normal or bulk")),
            (json!(1), Err("priority must be a string")),
        ] {
            let found = with(json!({"message": "hi", "priority": priority})).map(|request| request.priority);
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(found), Err(expected)) => {
                    assert!(format!("{found:?}").contains(expected), "{priority}: {found:?}")
                }
                (found, _) => panic!("{priority}: {found:?}"),
            }
        }
    }

    #[test]
    fn an_idempotency_key_stands_for_the_priority() {
        let hash = |priority: Value| with(json!({"message": "hi", "priority": priority})).unwrap().hash();
        // Requests from before priorities existed keep their hash.
        assert_eq!(hash(json!(null)), "6b03876c6df6de6ccc6038a3174d8bb037d0f99e0429e9a71e839b87f2b4ee0f");
        assert_eq!(hash(json!("normal")), hash(json!(null)));
        assert_ne!(hash(json!("bulk")), hash(json!(null)));
    }

    #[test]
    fn messages_are_pinned_in_groups_only() {
        let pin = json!({"type": "pin", "pin": {"type": "unpin", "message_id": "wamid.1"}});
        let error = format!("{:?}", with(pin.clone()).unwrap_err());
        assert!(error.contains("messages can be pinned in groups only"), "{error}");
        let mut group = pin;
        group["to"] = json!("120363021033254949@g.us");
        assert!(with(group).is_ok());
    }

    #[test]
    fn fields_that_would_be_dropped_are_refused() {
        for (fields, expected) in [
            (
                json!({"message": "hi", "valid_until": 1}),
                "valid_until is not a field of this request: did you mean validUntil?",
            ),
            (
                json!({"message": "hi", "preview_url": true}),
                "preview_url is not a field of this request: give it in text, as",
            ),
            (
                json!({"message": "hi", "replyTo": "x"}),
                "replyTo is not a field of this request: to reply to a message, give",
            ),
            (
                json!({"message": "hi", "recipient": "US.13491208655302741918"}),
                "recipient is not a field of this request: give the business-scoped user ID in to",
            ),
            (json!({"message": "hi", "image": {"id": "1"}}), "image can't be combined with message: give"),
            (
                json!({"type": "text", "text": {"body": "hi"}, "image": {"id": "1"}}),
                "image is not a field of a message of type text: leave it out",
            ),
            (json!({"message": "hi", "messaging_product": "sms"}), "messaging_product must be whatsapp"),
            (json!({"message": "hi", "recipient_type": "all"}), "recipient_type must be individual or group"),
        ] {
            let error = format!("{:?}", with(fields.clone()).unwrap_err());
            assert!(error.contains(expected), "{fields}: {error}");
        }
    }
}
