//! Messages of another system, as requests contain them.

use serde_json::Value;

use crate::{
    domain::{
        caller::Caller,
        contact_name::clean_name,
        id::MAX_ID_BYTES,
        identity::Recipient,
        message::{MessageStatus, MessageType},
        time::Timestamp,
    },
    http::{ApiError, Body, ErrorCode, JsonObject},
    services::import::{ImportRequest, ImportedMessage},
};

/// The maximum size of a request, in bytes: a kilobyte for each message.
const BODY_LIMIT: usize = 1024 * 1024;

/// The maximum number of messages of a request.
const MAX_MESSAGES: usize = 1000;

/// The longest text that WhatsApp's apps allow, in characters.
const TEXT_LIMIT: usize = 65_536;

/// The fields of a message.
const FIELDS: &[&str] = &["id", "contact", "name", "fromMe", "type", "body", "timestamp", "status", "wamid"];

/// The types that a message can have. The others are about another message.
const TYPES: [(&str, MessageType); 13] = [
    ("text", MessageType::Text),
    ("image", MessageType::Image),
    ("video", MessageType::Video),
    ("audio", MessageType::Audio),
    ("document", MessageType::Document),
    ("sticker", MessageType::Sticker),
    ("location", MessageType::Location),
    ("contacts", MessageType::Contacts),
    ("interactive", MessageType::Interactive),
    ("template", MessageType::Template),
    ("button", MessageType::Button),
    ("order", MessageType::Order),
    ("unsupported", MessageType::Unsupported),
];

impl ImportRequest {
    /// Parses `{"sessionId", "messages": [{"id", "contact", "name"?, "fromMe", "type"?, "body"?, "timestamp", "status"?,
    /// "wamid"?}, …]}`. 404 for a session of another owner.
    pub fn read(body: &Body, caller: &Caller) -> Result<Self, ApiError> {
        let body = body.object_within(BODY_LIMIT, &["sessionId", "messages"])?;
        let session_id = caller.session(body.session_id()?)?;
        let messages = match body.value("messages") {
            None => return Err(body.missing("messages")),
            Some(Value::Array(messages)) if (1..=MAX_MESSAGES).contains(&messages.len()) => messages,
            Some(_) => return Err(body.invalid("messages", "must be a list of 1 to 1000 messages")),
        };
        let messages = messages.iter().enumerate().map(|(index, message)| read_message(index, message));
        Ok(Self { session_id, messages: messages.collect::<Result<_, _>>()? })
    }
}

fn read_message(index: usize, value: &Value) -> Result<ImportedMessage, ApiError> {
    let message = JsonObject::nested(value, format!("messages[{index}]"), FIELDS)?;
    let id = read_id(&message, "id")?.ok_or_else(|| message.missing("id"))?;
    let contact = message.required("contact")?;
    let recipient = Recipient::parse(contact).map_err(|error| message.invalid("contact", &error.to_string()))?;
    let from_me = message.boolean("fromMe")?.ok_or_else(|| message.missing("fromMe"))?;
    let kind = read_type(&message)?;
    let body = message.string("body")?;
    let length = body.map_or(0, |body| body.chars().count());
    if length > TEXT_LIMIT {
        let message = format!("{} has {length} characters: WhatsApp allows up to {TEXT_LIMIT}", message.path("body"));
        return Err(ApiError::new(ErrorCode::TextTooLong, message));
    }
    if kind == MessageType::Text {
        message.required("body")?;
    }
    let timestamp = message.required("timestamp")?.parse::<Timestamp>();
    let timestamp =
        timestamp.map_err(|_| message.invalid("timestamp", "must be an RFC 3339 time such as 2026-11-23T12:00:00Z"))?;
    let wamid = read_id(&message, "wamid")?;
    Ok(ImportedMessage {
        status: read_status(&message, from_me, wamid.is_some())?,
        id,
        wamid,
        contact: contact.to_owned(),
        recipient,
        name: message.string("name")?.and_then(clean_name),
        from_me,
        kind,
        body: body.map(str::to_owned),
        timestamp,
        raw: value.to_string(),
    })
}

/// Reads an ID of 1 to [`MAX_ID_BYTES`].
fn read_id(message: &JsonObject, field: &str) -> Result<Option<String>, ApiError> {
    let Some(id) = message.string(field)? else { return Ok(None) };
    if id.trim().is_empty() || id.len() > MAX_ID_BYTES {
        return Err(message.invalid(field, "must have 1 to 1024 bytes and not be blank"));
    }
    Ok(Some(id.to_owned()))
}

fn read_type(message: &JsonObject) -> Result<MessageType, ApiError> {
    let Some(name) = message.string("type")? else { return Ok(MessageType::Text) };
    let found = TYPES.iter().find(|(known, _)| *known == name);
    found.map(|(_, kind)| *kind).ok_or_else(|| {
        let names: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
        message.invalid("type", &format!("must be one of {}", names.join(", ")))
    })
}

fn read_status(message: &JsonObject, from_me: bool, has_wamid: bool) -> Result<MessageStatus, ApiError> {
    match (message.string("status")?, from_me) {
        (None, false) => Ok(MessageStatus::Received),
        (Some(_), false) => Err(message.invalid("status", "is for messages with fromMe: leave it out")),
        (None | Some("sent"), true) => Ok(MessageStatus::Sent),
        (Some("delivered"), true) => Ok(MessageStatus::Delivered),
        (Some("read"), true) => Ok(MessageStatus::Read),
        // WhatsApp has accepted a message with a wamid.
        (Some("failed"), true) if has_wamid => Ok(MessageStatus::Undelivered),
        (Some("failed"), true) => Ok(MessageStatus::Failed),
        (Some(_), true) => Err(message.invalid("status", "must be sent, delivered, read, or failed")),
    }
}

#[cfg(test)]
mod tests;
