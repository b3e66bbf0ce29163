//! Images of the table's stream as writes from which changes are derived.

use serde::{Deserialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{
    StoreError,
    chat::CHAT,
    erasure::ERASURE,
    event::EVENT,
    item::{self, Item},
    keys::{Key, number_of_events},
    message_item::MESSAGE,
    session::SESSION,
    webhook_endpoint::WEBHOOK_ENDPOINT,
};
use crate::domain::{
    change::derive::Write,
    erasure::Target,
    id::{SessionId, WebhookId},
    time::Timestamp,
};

/// The attributes of a session or a webhook that say which one it is.
#[derive(Deserialize)]
struct Ids<T> {
    id: T,
    #[serde(default)]
    session_id: Option<SessionId>,
}

#[derive(Deserialize)]
struct ErasureIds {
    target: Target,
    session_id: SessionId,
}

#[derive(Deserialize)]
struct EventIds {
    event_id: Uuid,
    inbox_key: String,
    received_at: Timestamp,
}

/// Reads the write that a stream record is about. The old image is empty if the item is new.
///
/// # Errors
///
/// [`StoreError::Item`] if an image isn't the item that its key and `entity` say.
pub fn read_write(old: serde_dynamo::Item, new: serde_dynamo::Item) -> Result<Write, StoreError> {
    let (old, new): (Item, Item) = (old.into(), new.into());
    let entity = new.get("entity").and_then(|entity| entity.as_s().ok()).cloned().unwrap_or_default();
    let key = Key::from_item(&new);
    let is_new = old.is_empty();
    Ok(match (entity.as_str(), is_new) {
        (MESSAGE, true) => Write::NewMessage {
            key: known(MESSAGE, key.and_then(|key| key.message_key()))?,
            after: read(MESSAGE, new)?,
        },
        (MESSAGE, false) => {
            let key = known(MESSAGE, key.and_then(|key| key.message_key()))?;
            Write::Message { key, before: read(MESSAGE, old)?, after: read(MESSAGE, new)? }
        }
        (CHAT, true) => {
            Write::NewChat { chat_id: known(CHAT, key.and_then(|key| key.chat_id()))?, after: read(CHAT, new)? }
        }
        (CHAT, false) => {
            let chat_id = known(CHAT, key.and_then(|key| key.chat_id()))?;
            Write::Chat { chat_id, before: read(CHAT, old)?, after: read(CHAT, new)? }
        }
        (SESSION, false) => {
            let Ids { id: session_id, .. } = read::<Ids<SessionId>>(SESSION, new.clone())?;
            Write::Session { session_id, before: read(SESSION, old)?, after: read(SESSION, new)? }
        }
        // A second request replaces the first. Its progress is saved in the same item.
        (ERASURE, _) if old.get("requested_at") != new.get("requested_at") => {
            let ErasureIds { target, session_id } = read(ERASURE, new)?;
            Write::NewErasure { target, session_id }
        }
        (EVENT, true) => {
            let EventIds { event_id: id, inbox_key, received_at } = read(EVENT, new)?;
            match number_of_events(&inbox_key) {
                Some(number) => Write::NewEvent { id, phone_number_id: number.to_owned(), received_at },
                None => Write::Other,
            }
        }
        (WEBHOOK_ENDPOINT, false) => {
            let Ids { id, session_id } = read::<Ids<WebhookId>>(WEBHOOK_ENDPOINT, new.clone())?;
            Write::Webhook { id, session_id, before: read(WEBHOOK_ENDPOINT, old)?, after: read(WEBHOOK_ENDPOINT, new)? }
        }
        _ => Write::Other,
    })
}

fn read<T: DeserializeOwned>(kind: &'static str, item: Item) -> Result<T, StoreError> {
    item::read(kind, item)
}

fn known<T>(kind: &'static str, id: Option<T>) -> Result<T, StoreError> {
    id.ok_or_else(|| StoreError::Item { kind, source: "the key is that of another item".into() })
}

#[cfg(test)]
mod tests;
