//! Messages with what was received of them.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    domain::message::Message,
    services::{export::Received, media::MediaLinks, resources::MessageDetailResponse},
    store::MessageMetadata,
};

/// A message with what was received of it.
#[derive(Serialize)]
struct ExportedMessage {
    #[serde(flatten)]
    details: MessageDetailResponse,
    /// The JSON with which WhatsApp described the writer.
    contact: Option<Box<RawValue>>,
    /// Whether `raw` is left out because of its length.
    raw_is_too_long: bool,
}

/// Writes a message with what was received of it as JSON: for an export, or on request. `raw` is `null` for a message of
/// the business, whose `content` is what was sent, and for one that is too long for a response.
///
/// # Errors
///
/// Fails if a stored attribute that contains JSON doesn't parse.
pub fn exported_message(
    message: Message,
    metadata: MessageMetadata,
    received: Received,
    links: &MediaLinks,
) -> Result<Box<RawValue>, serde_json::Error> {
    let contact = message.writer.as_ref().and_then(|writer| writer.contact.clone());
    let contact = contact.map(RawValue::from_string).transpose()?;
    let raw_is_too_long = matches!(received, Received::TooLong);
    let raw = match received {
        Received::Json(raw) => Some(raw),
        Received::Nothing | Received::TooLong => None,
    };
    let details = MessageDetailResponse::new(message, metadata, links)?.with_raw(raw);
    to_raw_value(&ExportedMessage { details, contact, raw_is_too_long })
}
