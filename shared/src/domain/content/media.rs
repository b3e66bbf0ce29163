//! Image, video, audio, document and sticker, as messages and as headers of messages.

use serde_json::Value;

use super::{ContentError, link, object::Object, object::UNSTATED};

/// The longest caption (Meta: "Image messages", "Video messages", "Document messages").
const CAPTION_LIMIT: usize = 1024;
/// The longest name of a file that WhatsApp shows whole.
const FILENAME_LIMIT: usize = 240;

/// `image` and `video`.
pub(super) fn captioned(mut object: Object<'_>) -> Result<Value, ContentError> {
    asset(&mut object)?;
    object.optional_text("caption", CAPTION_LIMIT)?;
    object.close()
}

/// `document`.
pub(super) fn document(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.optional_text("caption", CAPTION_LIMIT)?;
    file(object)
}

/// `audio`.
pub(super) fn audio(mut object: Object<'_>) -> Result<Value, ContentError> {
    asset(&mut object)?;
    object.optional_flag("voice")?;
    object.close()
}

/// `sticker`, and `image` and `video` in a header.
pub(super) fn bare(mut object: Object<'_>) -> Result<Value, ContentError> {
    asset(&mut object)?;
    object.close()
}

/// `document` in a header.
pub(super) fn file(mut object: Object<'_>) -> Result<Value, ContentError> {
    asset(&mut object)?;
    object.optional_text("filename", FILENAME_LIMIT)?;
    object.close()
}

/// Where the file is: uploaded to WhatsApp before, or on the web.
fn asset(object: &mut Object<'_>) -> Result<(), ContentError> {
    let id = object.optional_text("id", UNSTATED)?.filter(|id| !id.trim().is_empty());
    match (id, object.optional_text("link", UNSTATED)?) {
        (Some(_), None) => Ok(()),
        (None, Some(link)) if link::is_public(link) => Ok(()),
        (None, Some(_)) => Err(object.invalid("link", "a public https address without credentials")),
        (Some(_), Some(_)) => Err(ContentError::Excluded { field: object.at("id"), other: object.at("link") }),
        (None, None) => Err(ContentError::Missing { field: format!("{} or {}", object.at("id"), object.at("link")) }),
    }
}
