//! What can be sent: every type of message that the Cloud API takes, checked against the limits that WhatsApp documents
//! before anything is stored, so that a caller learns at once what WhatsApp would refuse later.

mod contacts;
mod error;
mod interactive;
mod link;
mod location;
mod media;
mod object;
mod reaction;
mod template;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

pub use self::error::ContentError;
use self::object::{Object, Read, UNSTATED, one_of};
use crate::domain::message::{MessageType, TEXT_LIMIT};

/// The longest id of a message, ours or WhatsApp's, in characters.
const MESSAGE_ID_LIMIT: usize = 512;

/// The most contact cards of a message (Meta: "Contacts messages").
const CONTACTS_LIMIT: usize = 257;

/// The types by their names, and how the object of each is read.
const TYPES: [(&str, MessageType, Read); 11] = [
    ("text", MessageType::Text, |message| message.object("text", text)),
    ("image", MessageType::Image, |message| message.object("image", media::captioned)),
    ("video", MessageType::Video, |message| message.object("video", media::captioned)),
    ("audio", MessageType::Audio, |message| message.object("audio", media::audio)),
    ("document", MessageType::Document, |message| message.object("document", media::document)),
    ("sticker", MessageType::Sticker, |message| message.object("sticker", media::bare)),
    ("location", MessageType::Location, |message| message.object("location", location::location)),
    ("contacts", MessageType::Contacts, |message| message.list("contacts", 1..=CONTACTS_LIMIT, contacts::contact)),
    ("reaction", MessageType::Reaction, |message| message.object("reaction", reaction::reaction)),
    ("interactive", MessageType::Interactive, |message| message.object("interactive", interactive::interactive)),
    ("template", MessageType::Template, |message| message.object("template", template::template)),
];

/// A message to send that is in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// What it is.
    pub kind: MessageType,
    /// What there is of it to read: the text, the caption, or the body of an interactive message. Never empty.
    pub body: Option<String>,
    /// The Cloud API's object, `{"type": "image", "image": {…}}`: the members that WhatsApp documents and no others,
    /// without address and context. The `message_id` of a reaction is as it was given, like [`Content::reply_to`].
    pub json: Value,
    /// The message that it answers, as `context.message_id` was given: our id or WhatsApp's.
    pub reply_to: Option<String>,
}

/// Reads the message in the body of a request: `{"message": "…"}`, or `{"type": "image", "image": {…}}` in the Cloud
/// API's shape, either with `{"context": {"message_id": "…"}}` to answer a message. `None` when it has neither `message`
/// nor `type`. Other fields of the request are left alone.
pub fn read(body: &Map<String, Value>) -> Result<Option<Content>, ContentError> {
    let mut request = Object::root(body);
    let message = request.optional_text("message", TEXT_LIMIT)?.filter(|text| !text.trim().is_empty());
    let word = request.optional_text("type", UNSTATED)?;
    let (kind, json) = match (message, word) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(ContentError::Excluded { field: "message".to_owned(), other: "type".to_owned() });
        }
        (Some(text), None) => (MessageType::Text, json!({"type": "text", "text": {"body": text}})),
        (None, Some(word)) => typed(body, word)?,
    };
    let reply_to = reply_to(request)?;
    if kind == MessageType::Reaction && reply_to.is_some() {
        let (field, other) = ("context.message_id".to_owned(), "reaction".to_owned());
        return Err(ContentError::Excluded { field, other });
    }
    Ok(Some(Content { kind, body: readable(kind, &json), json, reply_to }))
}

fn typed(body: &Map<String, Value>, word: &str) -> Result<(MessageType, Value), ContentError> {
    let mut message = Object::root(body);
    let Some((_, kind, read)) = TYPES.into_iter().find(|(name, ..)| *name == word) else {
        return Err(message.invalid("type", one_of(&TYPES.map(|(name, ..)| name))));
    };
    read(&mut message)?;
    let mut json = message.kept();
    json.insert("type".to_owned(), word.into());
    Ok((kind, Value::Object(json)))
}

/// Meta: "Text messages".
fn text(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.text("body", TEXT_LIMIT)?;
    object.optional_flag("preview_url")?;
    object.close()
}

fn reply_to(mut request: Object<'_>) -> Result<Option<String>, ContentError> {
    let mut reply_to = None;
    request.optional_object("context", |mut context| {
        reply_to = Some(context.text("message_id", MESSAGE_ID_LIMIT)?.to_owned());
        context.close()
    })?;
    Ok(reply_to)
}

fn readable(kind: MessageType, json: &Value) -> Option<String> {
    let path = match kind {
        MessageType::Text => "/text/body",
        MessageType::Image => "/image/caption",
        MessageType::Video => "/video/caption",
        MessageType::Document => "/document/caption",
        MessageType::Interactive => "/interactive/body/text",
        _ => return None,
    };
    json.pointer(path)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}
