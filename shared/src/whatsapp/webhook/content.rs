//! What a message says: the types that the Cloud API documents, each as the members that are known of it. What is not
//! understood is `unsupported`, and its JSON is kept.

use serde_json::{Map, Value};

use super::json::Members;
use crate::{domain::message::MessageType, domain::whatsapp_error::WhatsAppError, whatsapp::errors::GraphError};

/// The longest text that becomes a message's body, in bytes: WhatsApp's own limit is 4,096 characters.
const BODY_LIMIT: usize = 64 * 1024;

/// What was understood of a message.
#[derive(Debug)]
pub(super) struct Understood {
    pub(super) kind: MessageType,
    /// Text, caption, or the title that was tapped.
    pub(super) body: Option<String>,
    /// The object that is named like the type; empty for a plain text.
    pub(super) members: Map<String, Value>,
    /// The message that it acts on.
    pub(super) target: Option<String>,
}

impl Understood {
    fn plain(kind: MessageType, body: Option<String>) -> Self {
        Self { kind, body, members: Map::new(), target: None }
    }
}

/// Reads the object that `type` names.
pub(super) fn understand(message: &Members<'_>) -> Understood {
    let word = message.text("type").unwrap_or_default();
    let understood = known(&word, message).unwrap_or_else(|| {
        let mut understood = Understood::plain(MessageType::Unsupported, None);
        if let Some(object @ Value::Object(_)) = message.value("unsupported") {
            understood.members.insert("unsupported".to_owned(), object);
        }
        understood
    });
    match understood.body.as_ref().is_some_and(|body| body.len() > BODY_LIMIT) {
        true => Understood::plain(MessageType::Unsupported, None),
        false => understood,
    }
}

/// `None` for a type that is not known, and for an object that lacks what makes it one.
fn known(word: &str, message: &Members<'_>) -> Option<Understood> {
    let kind = match word {
        "text" => MessageType::Text,
        "image" => MessageType::Image,
        "video" => MessageType::Video,
        // `voice` is how the On-Premises API called what has `"voice": true` now.
        "audio" | "voice" => MessageType::Audio,
        "document" => MessageType::Document,
        "sticker" => MessageType::Sticker,
        "location" => MessageType::Location,
        "contacts" => MessageType::Contacts,
        "button" => MessageType::Button,
        "interactive" => MessageType::Interactive,
        "template" => MessageType::Template,
        "reaction" => MessageType::Reaction,
        "order" => MessageType::Order,
        "system" => MessageType::System,
        "edit" => MessageType::Edit,
        "revoke" => MessageType::Revoke,
        "request_welcome" => return Some(Understood::plain(MessageType::RequestWelcome, None)),
        "media_placeholder" => return Some(Understood::plain(MessageType::MediaPlaceholder, None)),
        _ => return None,
    };
    let mut object = message.value(word)?;
    let text = |names: &[&str]| names.iter().find_map(|name| text_of(&object, name));
    let body = match kind {
        MessageType::Text => return Some(Understood::plain(kind, Some(object.get("body")?.as_str()?.to_owned()))),
        MessageType::Image | MessageType::Video => text(&["caption"]),
        MessageType::Document => text(&["caption", "filename"]),
        MessageType::Location => {
            (is_number(&object, "latitude") && is_number(&object, "longitude")).then_some(())?;
            text(&["name", "address"])
        }
        MessageType::Contacts => Some(contact_names(&object)?).filter(|names| !names.is_empty()),
        MessageType::Button => Some(text(&["text", "payload"])?),
        MessageType::Interactive => tapped(&mut object),
        MessageType::Reaction => text(&["emoji"]),
        MessageType::Order => text(&["text"]),
        MessageType::System => text(&["body"]),
        MessageType::Edit => edited(message),
        _ => None,
    };
    let target = match kind {
        MessageType::Reaction => Some(text_of(&object, "message_id")?),
        MessageType::Edit | MessageType::Revoke => Some(text_of(&object, "original_message_id")?),
        _ => None,
    };
    // Meta's own id of the picture is what a caller needs, and what it needs is an object.
    (kind == MessageType::Contacts || object.is_object()).then_some(())?;
    if word == "voice" {
        object["voice"] = Value::Bool(true);
    }
    let name = if word == "voice" { "audio" } else { word };
    Some(Understood { kind, body, members: Map::from_iter([(name.to_owned(), object)]), target })
}

fn text_of(object: &Value, name: &str) -> Option<String> {
    object.get(name)?.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

/// Webhooks have numbers, send requests may have them as text.
fn is_number(object: &Value, name: &str) -> bool {
    object.get(name).is_some_and(|value| value.is_number() || value.as_str().is_some_and(|s| s.parse::<f64>().is_ok()))
}

/// The names on contact cards; `None` when there is no list of them.
fn contact_names(list: &Value) -> Option<String> {
    let name = |card: &Value| text_of(card.get("name")?, "formatted_name");
    Some(list.as_array()?.iter().filter_map(name).collect::<Vec<_>>().join(", "))
}

/// The title of what was tapped, or the text of what the business sent. A flow's answer is JSON in a text, which is taken
/// out of it.
fn tapped(interactive: &mut Value) -> Option<String> {
    if let Some(reply) = interactive.get_mut("nfm_reply").and_then(Value::as_object_mut)
        && let Some(Value::String(text)) = reply.get("response_json")
        && let Ok(response @ Value::Object(_)) = serde_json::from_str::<Value>(text)
    {
        reply.remove("response_json");
        reply.insert("response".to_owned(), response);
    }
    let kind = interactive.get("type").and_then(Value::as_str).unwrap_or_default();
    let reply = interactive.get(kind);
    reply
        .and_then(|reply| ["title", "body", "response"].iter().find_map(|name| text_of(reply, name)))
        .or_else(|| text_of(interactive.get("body")?, "text"))
}

/// The new text or caption.
fn edited(message: &Members<'_>) -> Option<String> {
    let edit = message.members("edit")?;
    let edited = edit.members("message")?;
    // An edit of an edit is no message: one level is read.
    (edited.text("type").as_deref() != Some("edit")).then(|| understand(&edited).body).flatten()
}

/// What went wrong with a message, as WhatsApp says it.
pub(super) fn errors(message: &Members<'_>) -> Vec<WhatsAppError> {
    let list = message.list("errors").unwrap_or_default();
    let read = |raw: &serde_json::value::RawValue| serde_json::from_str::<GraphError>(raw.get()).ok();
    list.into_iter().filter_map(read).map(|error| WhatsAppError::from(&error)).collect()
}
