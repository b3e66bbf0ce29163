//! Messages as they were received, and exports of chats, which have them.

use serde_json::value::{RawValue, to_raw_value};

use crate::{
    domain::{chat::Chat, cursor::MessagePosition, inbox::MessageList, message::Message, page::Page},
    store::{MessageMetadata, Store, StoreError},
};

/// The maximum size of the messages on a page, in bytes. A Lambda response has up to 6 MB, and escaping doubles each
/// quotation mark.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// A message's JSON as WhatsApp or a worker sent it.
#[derive(Debug)]
pub enum Received {
    /// Nothing: the business sent the message, and its `content` has the JSON.
    Nothing,
    /// The received JSON.
    Json(Box<RawValue>),
    /// More than fits on a page.
    TooLong,
}

/// A chat could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A DynamoDB request failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored message could not be written as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// Returns a page of an export, with each message serialized by `render`. A page has fewer messages than the list asks
/// for if they are long, but at least one.
///
/// # Errors
///
/// [`ExportError::Store`] if a message can't be read, [`ExportError::Json`] if one can't be serialized.
pub async fn export(
    store: &Store,
    chat: &Chat,
    list: &MessageList,
    render: impl Fn(Message, MessageMetadata, Received) -> Result<Box<RawValue>, serde_json::Error>,
) -> Result<Page<Box<RawValue>, MessagePosition>, ExportError> {
    let page = store.messages().list(chat, list).await?;
    let mut next = page.next;
    let mut items = Vec::with_capacity(page.items.len());
    let (mut bytes, mut last) = (0, None);
    for (message, metadata) in page.items {
        let position = message.position();
        let received = received(store, &message).await?;
        let item = render(message, metadata, received)?;
        bytes += item.get().len();
        if bytes > MAX_BYTES && last.is_some() {
            next = last;
            break;
        }
        items.push(item);
        last = Some(position);
    }
    Ok(Page { items, next })
}

/// Returns a message's JSON as WhatsApp or a worker sent it.
///
/// # Errors
///
/// [`ExportError::Store`] if it can't be read.
pub async fn received(store: &Store, message: &Message) -> Result<Received, ExportError> {
    Ok(match store.messages().full_raw(message).await? {
        None => Received::Nothing,
        Some(raw) if raw.len() > MAX_BYTES => Received::TooLong,
        Some(raw) => Received::Json(as_json(&raw)?),
    })
}

/// Returns the text as JSON: as it is, or as a string if it isn't JSON.
fn as_json(raw: &str) -> Result<Box<RawValue>, serde_json::Error> {
    serde_json::from_str::<&RawValue>(raw).map(RawValue::to_owned).or_else(|_| to_raw_value(raw))
}
