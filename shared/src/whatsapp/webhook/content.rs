//! Message content by type, as the Cloud API documents it. Unknown and invalid content has the type `unsupported`, and
//! the message's raw JSON is kept.

use serde_json::{Map, Value};

use super::json::Object;
use crate::domain::{
    id::MAX_ID_BYTES,
    message::{BODY_LIMIT, MessageType, readable_text, shortened},
};

/// The maximum size of a reaction's emoji, in bytes. The longest ones, families with skin tones, have about 40.
const EMOJI_LIMIT: usize = 128;

/// The parsed content of a message.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) kind: MessageType,
    /// The text, the caption, or the title of the selected button or row.
    pub(super) body: Option<String>,
    /// The object that has the type's name. Empty for plain text.
    pub(super) fields: Map<String, Value>,
    /// The wamid of the message that a reaction, edit, or revocation targets.
    pub(super) target: Option<String>,
}

impl Content {
    fn plain(kind: MessageType, body: Option<String>) -> Self {
        Self { kind, body, fields: Map::new(), target: None }
    }
}

/// The form of a message's JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As WhatsApp's webhooks have it.
    Webhook,
    /// As a worker submits it: without `type`, it is a text, and the text can be a string.
    Device,
}

/// Parses the object that `type` names.
pub(super) fn parse(message: &Object<'_>, form: Form) -> Content {
    let default = if form == Form::Device { "text" } else { "" };
    let type_name = message.string("type").unwrap_or_else(|| default.to_owned());
    match message.value("text").filter(|_| form == Form::Device && type_name == "text") {
        Some(Value::String(text)) => text_content(text),
        _ => parse_as(&type_name, message, form),
    }
}

/// Returns the new message that an edit contains, and its content. Returns `None` if it has no content that can replace
/// another one.
pub(super) fn edited<'a>(message: &Object<'a>, form: Form) -> Option<(Object<'a>, Content)> {
    let edit = message.object("edit")?;
    if let (Form::Device, Some(Value::String(text))) = (form, edit.value("message")) {
        return Some((Object::default(), text_content(text)));
    }
    let edited = edit.object("message")?;
    // Doesn't follow nested edits, which would recurse without limit.
    if edited.string("type").as_deref() == Some("edit") {
        return None;
    }
    let content = parse(&edited, form);
    (content.kind.is_user_authored() || content.kind == MessageType::Template).then_some((edited, content))
}

fn text_content(text: String) -> Content {
    Content::plain(MessageType::Text, Some(shortened(text, BODY_LIMIT)))
}

fn parse_as(type_name: &str, message: &Object<'_>, form: Form) -> Content {
    let mut content = parse_known(type_name, message, form).unwrap_or_else(|| {
        let mut content = Content::plain(MessageType::Unsupported, None);
        if let Some(object @ Value::Object(_)) = message.value("unsupported") {
            content.fields.insert("unsupported".to_owned(), object);
        }
        content
    });
    let limit = if content.kind == MessageType::Reaction { EMOJI_LIMIT } else { BODY_LIMIT };
    content.body = content.body.map(|body| shortened(body, limit));
    // An item's key contains the target.
    content.target = content.target.filter(|target| target.len() <= MAX_ID_BYTES);
    content
}

/// Returns `None` for an unknown type, and for an object that lacks a required field.
fn parse_known(type_name: &str, message: &Object<'_>, form: Form) -> Option<Content> {
    let kind = match type_name {
        "text" => MessageType::Text,
        "image" => MessageType::Image,
        "video" => MessageType::Video,
        // `voice` is the On-Premises API's name for audio with `"voice": true`.
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
        "request_welcome" => return Some(Content::plain(MessageType::RequestWelcome, None)),
        "media_placeholder" => return Some(Content::plain(MessageType::MediaPlaceholder, None)),
        _ => return None,
    };
    let mut object = message.value(type_name)?;
    let is_whole = match kind {
        MessageType::Text => return Some(Content::plain(kind, Some(object.get("body")?.as_str()?.to_owned()))),
        MessageType::Location => is_number(&object, "latitude") && is_number(&object, "longitude"),
        MessageType::Contacts => object.is_array(),
        MessageType::Button => readable_text(kind, &object).is_some(),
        _ => object.is_object(),
    };
    is_whole.then_some(())?;
    if kind == MessageType::Interactive {
        parse_flow_response(&mut object);
    }
    let body = match kind {
        MessageType::Edit => edited(message, form)?.1.body,
        _ => readable_text(kind, &object),
    };
    let target = match kind {
        MessageType::Reaction => Some(nonblank(&object, "message_id")?),
        MessageType::Edit | MessageType::Revoke => Some(nonblank(&object, "original_message_id")?),
        _ => None,
    };
    if type_name == "voice" {
        object["voice"] = Value::Bool(true);
    }
    let key = if type_name == "voice" { "audio" } else { type_name };
    Some(Content { kind, body, fields: Map::from_iter([(key.to_owned(), object)]), target })
}

fn nonblank(object: &Value, key: &str) -> Option<String> {
    object.get(key)?.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

/// Accepts strings too, because send requests, which echoes contain, can have them.
fn is_number(object: &Value, key: &str) -> bool {
    object.get(key).is_some_and(|value| value.is_number() || value.as_str().is_some_and(|s| s.parse::<f64>().is_ok()))
}

/// Replaces a flow's `response_json`, a string, by the object `response`.
fn parse_flow_response(interactive: &mut Value) {
    if let Some(reply) = interactive.get_mut("nfm_reply").and_then(Value::as_object_mut)
        && let Some(Value::String(text)) = reply.get("response_json")
        && let Ok(response @ Value::Object(_)) = serde_json::from_str::<Value>(text)
    {
        reply.remove("response_json");
        reply.insert("response".to_owned(), response);
    }
}
