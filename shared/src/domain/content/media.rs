//! Images, videos, audio, documents, and stickers, as messages and as headers of messages.

use serde_json::Value;

use super::{
    ContentError, link,
    object::{NO_LIMIT, Object},
};

/// The maximum length of a caption, in characters (Meta, *Image messages*, *Video messages*, *Document messages*).
const CAPTION_LIMIT: usize = 1024;
/// The maximum length of a file name, in characters. WhatsApp displays longer names truncated.
const FILENAME_LIMIT: usize = 240;

/// Reads `image` or `video`.
pub(super) fn captioned(mut object: Object<'_>) -> Result<Value, ContentError> {
    asset(&mut object)?;
    object.optional_text("caption", CAPTION_LIMIT)?;
    object.finish()
}

/// Reads `document`.
pub(super) fn document(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.optional_text("caption", CAPTION_LIMIT)?;
    file(object)
}

/// Reads `audio`.
pub(super) fn audio(mut object: Object<'_>) -> Result<Value, ContentError> {
    asset(&mut object)?;
    object.optional_flag("voice")?;
    object.finish()
}

/// Reads `sticker`, or `image` or `video` in a header.
pub(super) fn without_caption(mut object: Object<'_>) -> Result<Value, ContentError> {
    asset(&mut object)?;
    object.finish()
}

/// Reads `document` in a header.
pub(super) fn file(mut object: Object<'_>) -> Result<Value, ContentError> {
    asset(&mut object)?;
    object.optional_text("filename", FILENAME_LIMIT)?;
    object.finish()
}

/// Reads the source of a file: the ID of an upload to WhatsApp, or a link.
fn asset(object: &mut Object<'_>) -> Result<(), ContentError> {
    let id = object.optional_text("id", NO_LIMIT)?.filter(|id| !id.trim().is_empty());
    match (id, object.optional_text("link", NO_LIMIT)?) {
        (Some(_), None) => Ok(()),
        (None, Some(link)) if link::is_public(link) => Ok(()),
        (None, Some(_)) => Err(object.invalid("link", "a public https URL without credentials")),
        (Some(_), Some(_)) => Err(ContentError::Excluded { field: object.path("id"), other: object.path("link") }),
        (None, None) => {
            Err(ContentError::Missing { field: format!("{} or {}", object.path("id"), object.path("link")) })
        }
    }
}
