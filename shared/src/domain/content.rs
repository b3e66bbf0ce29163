//! The content of outbound messages: every message type of the Cloud API, validated against WhatsApp's documented
//! limits before anything is stored. Callers learn immediately what WhatsApp would reject later.

mod contacts;
mod error;
mod interactive;
mod link;
mod location;
mod media;
mod object;
mod payment;
mod pin;
mod product;
mod reaction;
mod template;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use self::object::{NO_LIMIT, Object, Read, one_of};
pub use self::{error::ContentError, media::UploadedFile};
use crate::domain::{
    id::MAX_ID_BYTES,
    message::{MessageType, TEXT_LIMIT, readable_text},
};

/// The maximum length of a message ID, Qasid's or WhatsApp's, in characters.
const MESSAGE_ID_LIMIT: usize = MAX_ID_BYTES;

/// The maximum number of contact cards in a message (Meta, *Contacts messages*).
const CONTACTS_LIMIT: usize = 257;

/// The names of the message types, and the function that reads the object of each.
const TYPES: [(&str, MessageType, Read); 12] = [
    ("text", MessageType::Text, |message| message.object("text", text)),
    ("image", MessageType::Image, |message| message.object("image", media::captioned)),
    ("video", MessageType::Video, |message| message.object("video", media::captioned)),
    ("audio", MessageType::Audio, |message| message.object("audio", media::audio)),
    ("document", MessageType::Document, |message| message.object("document", media::document)),
    ("sticker", MessageType::Sticker, |message| message.object("sticker", media::sticker)),
    ("location", MessageType::Location, |message| message.object("location", location::location)),
    ("contacts", MessageType::Contacts, |message| message.list("contacts", 1..=CONTACTS_LIMIT, contacts::contact)),
    ("reaction", MessageType::Reaction, |message| message.object("reaction", reaction::reaction)),
    ("interactive", MessageType::Interactive, |message| message.object("interactive", interactive::interactive)),
    ("template", MessageType::Template, |message| message.object("template", template::template)),
    ("pin", MessageType::Pin, |message| message.object("pin", pin::pin)),
];

/// Returns the names of the message types, each of which is also the name of the object with the content.
pub fn type_names() -> [&'static str; TYPES.len()] {
    TYPES.map(|(name, ..)| name)
}

/// The validated content of a message to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// The message type.
    pub kind: MessageType,
    /// The readable text. See [`readable_text`].
    pub body: Option<String>,
    /// The Cloud API's message object, `{"type": "image", "image": {…}}`, with documented members only, and without
    /// recipient and context. The `message_id` of a reaction or pin is as given, like [`Content::reply_to`].
    pub json: Value,
    /// The message to reply to, as given in `context.message_id`: Qasid's ID or WhatsApp's.
    pub reply_to: Option<String>,
}

impl Content {
    /// Returns the member of [`Content::json`] with the `message_id` of the message that this one is about.
    pub fn target_member(&self) -> Option<&'static str> {
        match self.kind {
            MessageType::Reaction => Some("reaction"),
            MessageType::Pin => Some("pin"),
            _ => None,
        }
    }

    /// Returns the uploaded file to send, which Qasid has.
    pub fn uploaded_file(&self) -> Option<UploadedFile> {
        uploaded_file(&self.json)
    }
}

/// Returns the uploaded file in the Cloud API's object of a message, which has at most one.
pub fn uploaded_file(message: &Value) -> Option<UploadedFile> {
    media::uploaded_files(message).into_iter().next()
}

/// Reads the message in a request body: `{"message": "…"}`, or the Cloud API's shape `{"type": "image", "image": {…}}`.
/// Both can have `{"context": {"message_id": "…"}}` to reply to a message, and `recipient_identity_key_hash` (Meta, *Phone
/// numbers*, identity change check). Ignores other fields of the request.
///
/// Returns `None` if the body has neither `message` nor `type`.
///
/// # Errors
///
/// Returns the first violation of a documented limit or shape.
pub fn read(body: &Map<String, Value>) -> Result<Option<Content>, ContentError> {
    let mut request = Object::root(body);
    let message = request.optional_text("message", TEXT_LIMIT)?.filter(|text| !text.trim().is_empty());
    let kind = request.optional_text("type", NO_LIMIT)?;
    let (kind, mut json) = match (message, kind) {
        (None, None) if type_names().iter().any(|name| request.has(name)) => return Err(request.missing("type")),
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(excluded("message", "type")),
        (Some(text), None) => (MessageType::Text, json!({"type": "text", "text": {"body": text}})),
        (None, Some(kind)) => typed(body, kind)?,
    };
    let identity_hash = request.filled_text("recipient_identity_key_hash", NO_LIMIT)?;
    if let (Some(hash), Value::Object(members)) = (identity_hash, &mut json) {
        members.insert("recipient_identity_key_hash".to_owned(), hash.into());
    }
    if let [first, second, ..] = &media::uploaded_files(&json)[..] {
        return Err(excluded(&first.path(), &second.path()));
    }
    let reply_to = reply_to(request)?;
    let object = json["type"].as_str().and_then(|name| json.get(name));
    let body = object.and_then(|object| readable_text(kind, object));
    let content = Content { kind, body, json, reply_to };
    match content.target_member() {
        Some(member) if content.reply_to.is_some() => Err(excluded("context.message_id", member)),
        _ => Ok(Some(content)),
    }
}

fn excluded(field: &str, other: &str) -> ContentError {
    ContentError::Excluded { field: field.to_owned(), other: other.to_owned() }
}

fn typed(body: &Map<String, Value>, name: &str) -> Result<(MessageType, Value), ContentError> {
    let mut message = Object::root(body);
    let Some((_, kind, read)) = TYPES.into_iter().find(|(known, ..)| *known == name) else {
        return Err(message.invalid("type", one_of(&type_names())));
    };
    read(&mut message)?;
    let mut json = message.into_output();
    json.insert("type".to_owned(), name.into());
    Ok((kind, Value::Object(json)))
}

/// Reads `text` (Meta, *Text messages*).
fn text(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.text("body", TEXT_LIMIT)?;
    object.optional_flag("preview_url")?;
    object.finish()
}

fn reply_to(mut request: Object<'_>) -> Result<Option<String>, ContentError> {
    let mut reply_to = None;
    request.optional_object("context", |mut context| {
        reply_to = Some(context.text("message_id", MESSAGE_ID_LIMIT)?.to_owned());
        context.finish()
    })?;
    Ok(reply_to)
}
