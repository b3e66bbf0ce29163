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
use crate::domain::message::{AttemptOutcome, Message};

pub(super) const MESSAGE: &str = "message";

/// The attribute with the texts.
const PAYLOAD: &str = "payload";

/// Texts of statuses, each compressed on its own.
const COMPRESSED: [&str; 2] = ["pricing", "conversation"];

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

/// Returns the item with all members of [`Message`] as attributes, and the attempt that WhatsApp accepted.
pub(super) fn expanded(mut item: Item) -> Result<Item, StoreError> {
    if let Some(key) = Key::from_item(&item).and_then(|key| key.message_key()) {
        item.insert("id".to_owned(), string(key.message_id.to_string()));
        item.insert("chat_id".to_owned(), string(key.chat_id.to_string()));
        item.insert("timestamp".to_owned(), string(key.time.to_string()));
    }
    let wamid = item.get("wamid").and_then(|wamid| wamid.as_s().ok()).cloned();
    if let Some(AttributeValue::B(payload)) = item.remove(PAYLOAD) {
        let Payload { body, content, raw, writer } = decompress(payload.as_ref(), wamid.as_deref())?;
        let texts = [("body", body), ("content", content), ("raw", raw)];
        item.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), string(text?)))));
        if let Some(writer) = writer {
            item.insert("writer".to_owned(), item::value(&writer)?);
        }
    }
    for name in COMPRESSED {
        if let Some(AttributeValue::B(text)) = item.remove(name) {
            item.extend(decompress(text.as_ref(), None)?.body.map(|text| (name.to_owned(), string(text))));
        }
    }
    if let Some(at) = item.get("accepted_at").cloned() {
        let outcome = item::value(&AttemptOutcome::Accepted)?;
        let accepted = AttributeValue::M(Item::from([("at".to_owned(), at), ("outcome".to_owned(), outcome)]));
        let attempts = item.entry("attempts".to_owned()).or_insert_with(|| AttributeValue::L(Vec::new()));
        if let AttributeValue::L(attempts) = attempts {
            attempts.push(accepted);
        }
    }
    Ok(item)
}

/// Returns a text as an attribute of [`COMPRESSED`].
pub(super) fn compressed(text: &str) -> Result<Option<AttributeValue>, StoreError> {
    compress(&Payload { body: Some(text.to_owned()), ..Payload::default() }, None)
}

fn compress(payload: &Payload, wamid: Option<&str>) -> Result<Option<AttributeValue>, StoreError> {
    payload.compress(wamid).map_err(|source| StoreError::Item { kind: MESSAGE, source: source.into() })
}

fn decompress(payload: &[u8], wamid: Option<&str>) -> Result<Payload, StoreError> {
    Payload::decompress(payload, wamid).map_err(|source| StoreError::Item { kind: MESSAGE, source: source.into() })
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
    compress(&Payload::of(message), message.wamid.as_deref())
}

#[cfg(test)]
mod tests;
