//! Exporting a chat: its messages as the lists give them, and as they came.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    domain::chat::Chat, domain::cursor::Position, domain::inbox::MessageList, domain::page::Page, http::ApiError,
    http::responses::MessageDetailResponse, store::Store,
};

/// The most bytes of messages on a page. Lambda answers with up to 6 MB, in which every quotation mark counts twice.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// A message as an export gives it.
#[derive(Serialize)]
struct Exported {
    #[serde(flatten)]
    details: MessageDetailResponse,
    /// What WhatsApp, or a worker, sent: JSON as it came. `null` for a message of the business, whose `content` is what
    /// was sent, and for one that is too long for an answer.
    raw: Option<Box<RawValue>>,
    /// Whether `raw` is left out because of its length.
    raw_is_too_long: bool,
}

/// A page of an export: as many messages as the list asks for, or fewer where they are long; one at least.
pub async fn export(store: &Store, chat: &Chat, list: &MessageList) -> Result<Page<Box<RawValue>>, ApiError> {
    let page = store.messages(chat, list).await?;
    let mut next = page.next;
    let mut items = Vec::with_capacity(page.items.len());
    let (mut bytes, mut last) = (0, None);
    for (message, metadata) in page.items {
        let position = Position { at: message.timestamp, id: message.id.to_uuid() };
        let whole = store.whole_raw(&message).await?;
        let raw_is_too_long = whole.as_ref().is_some_and(|raw| raw.len() > MAX_BYTES);
        let raw = whole.filter(|_| !raw_is_too_long).map(as_json).transpose();
        let details = MessageDetailResponse::new(message, metadata).map_err(|error| ApiError::internal(&error))?;
        let exported = raw.and_then(|raw| to_raw_value(&Exported { details, raw, raw_is_too_long }));
        let exported = exported.map_err(|error| ApiError::internal(&error))?;
        bytes += exported.get().len();
        if bytes > MAX_BYTES && last.is_some() {
            next = last;
            break;
        }
        items.push(exported);
        last = Some(position);
    }
    Ok(Page { items, next })
}

/// As the JSON that it is; what is none goes as a string.
fn as_json(raw: String) -> Result<Box<RawValue>, serde_json::Error> {
    serde_json::from_str::<&RawValue>(&raw).map(RawValue::to_owned).or_else(|_| to_raw_value(&raw))
}
