//! Media objects of messages and headers. Whether the media with an ID exists is checked when the message is accepted.

use serde_json::Value;

use super::param::{Param, check_url, invalid, required};
use crate::whatsapp::graph_error::GraphError;

/// Maximum length of a caption (Meta, *Image messages*, *Video messages*, *Document messages*).
const MAX_CAPTION_CHARS: usize = 1024;

/// Checks the media object of a message of type `kind`.
pub(super) fn check(kind: &str, content: &Value) -> Result<(), GraphError> {
    check_at(kind.to_owned(), kind, content)
}

/// Checks the media object at `path`: an ID of uploaded media or a link, with the members of its kind (Meta, *WhatsApp
/// Cloud API - Message API*, and the page of each type).
pub(super) fn check_at(path: String, kind: &str, content: &Value) -> Result<(), GraphError> {
    // `provider` is a relic of another API that Meta's examples of orders still have.
    let known: &[&str] = match kind {
        "audio" => &["id", "link", "provider", "caption", "voice"],
        "document" => &["id", "link", "provider", "caption", "filename"],
        "sticker" => &["id", "link", "provider"],
        _ => &["id", "link", "provider", "caption"],
    };
    let media = Param::new(path, content, known)?;
    let not_empty = |name| Ok::<_, GraphError>(media.text(name)?.filter(|text| !text.is_empty()));
    match (not_empty("id")?, not_empty("link")?) {
        (Some(_), None) => {}
        (None, Some(link)) => check_url(&media.path("link"), &link)?,
        (None, None) => {
            return Err(required(format!("Either {} or {} is required.", media.path("id"), media.path("link"))));
        }
        (Some(_), Some(_)) => {
            return Err(invalid(format!("{} and {} exclude each other.", media.path("id"), media.path("link"))));
        }
    }
    media.short_text("caption", MAX_CAPTION_CHARS)?;
    media.text("filename")?;
    media.flag("voice")
}
