//! Images, videos, audio, documents, and stickers, as messages and as headers of messages.

use serde_json::Value;

use super::{
    ContentError, link,
    object::{NO_LIMIT, Object},
};
use crate::domain::id::MediaId;

/// The maximum length of a caption, in characters (Meta, *Image messages*, *Video messages*, *Document messages*).
const CAPTION_LIMIT: usize = 1024;
/// The maximum length of a file name, in characters. WhatsApp displays longer names truncated.
const FILENAME_LIMIT: usize = 240;

/// Members of received media, which WhatsApp derives from the file.
const RECEIVED: [&str; 3] = ["mime_type", "sha256", "url"];

/// Reads `image` or `video`.
pub(super) fn captioned(mut object: Object<'_>) -> Result<Value, ContentError> {
    asset_or_upload(&mut object)?;
    object.filled_text("caption", CAPTION_LIMIT)?;
    object.finish()
}

/// Reads `document`.
pub(super) fn document(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.filled_text("caption", CAPTION_LIMIT)?;
    asset_or_upload(&mut object)?;
    named(object)
}

/// Reads `audio`.
pub(super) fn audio(mut object: Object<'_>) -> Result<Value, ContentError> {
    asset_or_upload(&mut object)?;
    object.optional_flag("voice")?;
    object.finish()
}

/// Reads `sticker`.
pub(super) fn sticker(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.drop_received(&["animated"]);
    asset_or_upload(&mut object)?;
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

/// Reads the source of a file: the ID of an upload to WhatsApp or of a received file, or a link.
fn asset(object: &mut Object<'_>) -> Result<(), ContentError> {
    source(object, &["id", "link"])
}

/// Reads the source of a file: one of [`asset`], or the ID of an upload to Qasid.
fn asset_or_upload(object: &mut Object<'_>) -> Result<(), ContentError> {
    source(object, &["id", "link", "media"])
}

fn source(object: &mut Object<'_>, members: &[&'static str]) -> Result<(), ContentError> {
    object.drop_received(&RECEIVED);
    let mut found = None;
    for member in members {
        let Some(text) = object.filled_text(member, NO_LIMIT)? else { continue };
        if let Some((other, _)) = found.replace((*member, text)) {
            return Err(ContentError::Excluded { field: object.path(other), other: object.path(member) });
        }
    }
    match found {
        Some(("link", link)) => link::check_public(link).map_err(|expected| object.invalid("link", expected)),
        Some(("media", id)) if id.parse::<MediaId>().is_err() => {
            Err(object.invalid("media", "the ID of a file that POST /api/media returned"))
        }
        Some(_) => Ok(()),
        None if object.has("media") => {
            let hint = "a header takes no uploaded file: give id or link".to_owned();
            Err(ContentError::Unknown { field: object.path("media"), hint })
        }
        None => {
            let paths: Vec<String> = members.iter().map(|member| object.path(member)).collect();
            Err(ContentError::Missing { field: paths.join(" or ") })
        }
    }
}
