//! The items of messages. They are rewritten with every status, so they repeat nothing: the key has the chat, the
//! time, and the ID, and the [payload](super::payload) has the texts.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;

use super::{
    StoreError,
    item::{self, Item, string},
    keys::Key,
    payload::Payload,
    update::{Condition, UpdateBuilder},
};
use crate::domain::message::Message;

pub(super) const MESSAGE: &str = "message";

/// The attribute with the texts.
const PAYLOAD: &str = "payload";

/// The members of [`Message`] that aren't attributes.
const DERIVED: [&str; 6] = ["chat_id", "timestamp", "body", "content", "raw", "writer"];

/// Serializes a message as an item.
pub(super) fn write(message: &Message) -> Result<Item, StoreError> {
    let mut item = item::write(MESSAGE, &Key::message(&message.key()), message)?;
    for name in DERIVED {
        item.remove(name);
    }
    item.extend(payload(message)?.map(|payload| (PAYLOAD.to_owned(), payload)));
    Ok(item)
}

/// Deserializes a message's item: [`Message`], or a type with some of its members and of the item's other attributes.
pub(super) fn read<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    item::read(MESSAGE, expanded(item)?)
}

/// Deserializes a message from an image of the table's stream.
///
/// # Errors
///
/// [`StoreError::Item`] if the image isn't the item of a message.
pub fn read_message_image<T: DeserializeOwned>(image: serde_dynamo::Item) -> Result<T, StoreError> {
    read(image.into())
}

/// Returns the item with all members of [`Message`] as attributes.
pub(super) fn expanded(mut item: Item) -> Result<Item, StoreError> {
    if let Some(key) = Key::from_item(&item).and_then(|key| key.message_key()) {
        item.insert("id".to_owned(), string(key.message_id.to_string()));
        item.insert("chat_id".to_owned(), string(key.chat_id.to_string()));
        item.insert("timestamp".to_owned(), string(key.time.to_string()));
    }
    if let Some(AttributeValue::B(payload)) = item.remove(PAYLOAD) {
        let wamid = item.get("wamid").and_then(|wamid| wamid.as_s().ok());
        let payload = Payload::decompress(payload.as_ref(), wamid.map(String::as_str))
            .map_err(|source| StoreError::Item { kind: MESSAGE, source: source.into() })?;
        let Payload { body, content, raw, writer } = payload;
        let texts = [("body", body), ("content", content), ("raw", raw)];
        item.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), string(text?)))));
        if let Some(writer) = writer {
            item.insert("writer".to_owned(), item::value(&writer)?);
        }
    }
    Ok(item)
}

/// Sets the texts of the message in `item` to those of `after`, on the condition that nothing else has changed them.
pub(super) fn change_texts(update: UpdateBuilder, item: &Item, after: &Message) -> Result<UpdateBuilder, StoreError> {
    let (before, after) = (item.get(PAYLOAD), payload(after)?);
    if before == after.as_ref() {
        return Ok(update);
    }
    Ok(update.set_or_remove(PAYLOAD, after).condition(Condition::equals(PAYLOAD, before.cloned())))
}

fn payload(message: &Message) -> Result<Option<AttributeValue>, StoreError> {
    Payload::of(message)
        .compress(message.wamid.as_deref())
        .map_err(|source| StoreError::Item { kind: MESSAGE, source: source.into() })
}

#[cfg(test)]
mod tests;
