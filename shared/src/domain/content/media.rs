//! Images, videos, audio, documents, and stickers, as messages and as headers of messages.

use serde_json::{Map, Value};

use super::{
    ContentError, link,
    object::{NO_LIMIT, Object},
};
use crate::domain::{id::MediaId, message::MessageType};

/// The maximum length of a caption, in characters (Meta, *Image messages*, *Video messages*, *Document messages*).
const CAPTION_LIMIT: usize = 1024;
/// The maximum length of a file name, in characters. WhatsApp displays longer names truncated.
const FILENAME_LIMIT: usize = 240;

/// The members of which one says where a file is.
const SOURCES: [&str; 3] = ["id", "link", "media"];

/// Members of received media, which WhatsApp derives from the file.
const RECEIVED: [&str; 3] = ["mime_type", "sha256", "url"];

/// The objects with a file, and the type of message that delivers such a file.
const FILES: [(&str, MessageType); 6] = [
    ("image", MessageType::Image),
    ("video", MessageType::Video),
    ("gif", MessageType::Video),
    ("audio", MessageType::Audio),
    ("document", MessageType::Document),
    ("sticker", MessageType::Sticker),
];

/// The members that lead from a message to the files in it.
const TO_FILES: [&str; 7] = ["interactive", "template", "header", "action", "cards", "components", "parameters"];

/// A file that was uploaded to Qasid, in the content of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedFile {
    /// The ID of the file.
    pub id: MediaId,
    /// The type of message that delivers such a file.
    pub kind: MessageType,
    /// The JSON pointer of the object that has the ID in `media`, such as `/interactive/header/image`.
    pub pointer: String,
}

impl UploadedFile {
    /// Returns the path of the ID in a request, such as `template.components[0].parameters[0].image.media`.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for name in self.pointer.split('/').skip(1).chain(["media"]) {
            match (name.parse::<usize>(), path.is_empty()) {
                (Ok(index), _) => path.push_str(&format!("[{index}]")),
                (Err(_), true) => path.push_str(name),
                (Err(_), false) => path.push_str(&format!(".{name}")),
            }
        }
        path
    }
}

/// Returns the uploaded files in a Cloud API message object, in order.
pub(super) fn uploaded_files(message: &Value) -> Vec<UploadedFile> {
    let mut found = Vec::new();
    collect(message, String::new(), &mut found);
    found
}

fn collect(value: &Value, pointer: String, found: &mut Vec<UploadedFile>) {
    match value {
        Value::Array(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                collect(entry, format!("{pointer}/{index}"), found);
            }
        }
        Value::Object(object) => {
            if let Some((name, kind, id)) = uploaded_file(object) {
                found.push(UploadedFile { id, kind, pointer: format!("{pointer}/{name}") });
            }
            for name in TO_FILES {
                if let Some(member) = object.get(name) {
                    collect(member, format!("{pointer}/{name}"), found);
                }
            }
        }
        _ => {}
    }
}

/// Reads `{"type": "image", "image": {"media": "…"}}`.
fn uploaded_file(object: &Map<String, Value>) -> Option<(&'static str, MessageType, MediaId)> {
    let name = object.get("type")?.as_str()?;
    let (name, kind) = FILES.into_iter().find(|(known, _)| *known == name)?;
    Some((name, kind, object.get(name)?.get("media")?.as_str()?.parse().ok()?))
}

/// Reads `image` or `video`.
pub(super) fn captioned(mut object: Object<'_>) -> Result<Value, ContentError> {
    asset(&mut object)?;
    object.filled_text("caption", CAPTION_LIMIT)?;
    object.finish()
}

/// Reads `document`.
pub(super) fn document(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.filled_text("caption", CAPTION_LIMIT)?;
    asset(&mut object)?;
    named(object)
}

/// Reads `audio`.
pub(super) fn audio(mut object: Object<'_>) -> Result<Value, ContentError> {
    asset(&mut object)?;
    object.optional_flag("voice")?;
    object.finish()
}

/// Reads `sticker`.
pub(super) fn sticker(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.drop_received(&["animated"]);
    asset(&mut object)?;
    object.finish()
}

/// Reads `image`, `video`, or `gif` in a header.
pub(super) fn header(mut object: Object<'_>) -> Result<Value, ContentError> {
    asset(&mut object)?;
    provider(&mut object)?;
    object.finish()
}

/// Reads `document` in a header.
pub(super) fn header_document(mut object: Object<'_>) -> Result<Value, ContentError> {
    provider(&mut object)?;
    asset(&mut object)?;
    named(object)
}

fn named(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.filled_text("filename", FILENAME_LIMIT)?;
    object.finish()
}

/// Reads the media provider of a link, an object in India and a string in Brazil (Meta, *Payments API*).
fn provider(object: &mut Object<'_>) -> Result<(), ContentError> {
    let is_name = |name: &Value| name.as_str().is_some_and(|name| !name.trim().is_empty());
    let is_provider = |value: &Value| match value {
        Value::Object(provider) => provider.len() == 1 && provider.get("name").is_some_and(is_name),
        value => is_name(value),
    };
    object.optional_value("provider", "a name, as a string or in an object with the field name", is_provider).map(drop)
}

/// Reads the source of a file: the ID of an upload to WhatsApp or of a received file, a link, or the ID of an upload to
/// Qasid.
fn asset(object: &mut Object<'_>) -> Result<(), ContentError> {
    object.drop_received(&RECEIVED);
    let mut found = None;
    for member in SOURCES {
        let Some(text) = object.filled_text(member, NO_LIMIT)? else { continue };
        if let Some((other, _)) = found.replace((member, text)) {
            return Err(ContentError::Excluded { field: object.path(other), other: object.path(member) });
        }
    }
    match found {
        Some(("link", link)) => link::check_public(link).map_err(|expected| object.invalid("link", expected)),
        Some(("media", id)) if id.parse::<MediaId>().is_err() => {
            Err(object.invalid("media", "the ID of a file that POST /api/media returned"))
        }
        Some(_) => Ok(()),
        None => Err(ContentError::Missing { field: SOURCES.map(|member| object.path(member)).join(" or ") }),
    }
}
