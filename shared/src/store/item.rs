//! Items and attributes.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Serialize, de::DeserializeOwned};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use uuid::Uuid;

use super::{StoreError, keys::Key};
use crate::domain::{
    chat::ChatStatus,
    consent::ConsentDecision,
    country::Country,
    id::{ChatId, MessageId, SessionId, WebhookId},
    media_state::MediaState,
    message::MessageStatus,
    session::UnknownPolicy,
    time::Timestamp,
    webhook_delivery::DeliveryStatus,
};

/// An item: attribute values by name.
pub(super) type Item = HashMap<String, AttributeValue>;

/// Serializes a row as an item. Leaves out absent fields: indexes stay sparse, and conditions can require absence.
pub(super) fn write<T: Serialize>(kind: &'static str, key: &Key, row: &T) -> Result<Item, StoreError> {
    let mut item: Item = to_item(row).map_err(|source| StoreError::Item { kind, source: source.into() })?;
    item.retain(|_, value| !value.is_null());
    item.extend(key.attributes());
    item.insert("entity".to_owned(), string(kind));
    Ok(item)
}

/// Deserializes an item.
pub(super) fn read<T: DeserializeOwned>(kind: &'static str, item: Item) -> Result<T, StoreError> {
    from_item(item).map_err(|source| StoreError::Item { kind, source: source.into() })
}

/// Serializes a value as an attribute.
pub(super) fn value<T: Serialize>(value: &T) -> Result<AttributeValue, StoreError> {
    serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value(value)
        .map_err(|source| StoreError::Item { kind: "attribute", source: source.into() })
}

/// Returns a string attribute.
pub(super) fn string(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// Returns a number attribute.
pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A type that an attribute can hold.
pub(super) trait Attribute {
    fn attribute(self) -> AttributeValue;
}

/// A type that an attribute can hold, or its absence.
pub(super) trait MaybeAttribute {
    fn maybe_attribute(self) -> Option<AttributeValue>;
}

impl<V: Attribute> MaybeAttribute for V {
    fn maybe_attribute(self) -> Option<AttributeValue> {
        Some(self.attribute())
    }
}

impl<V: Attribute> MaybeAttribute for Option<V> {
    fn maybe_attribute(self) -> Option<AttributeValue> {
        self.map(V::attribute)
    }
}

macro_rules! attributes {
    ($($kind:ty => $convert:expr),* $(,)?) => {
        $(impl Attribute for $kind {
            fn attribute(self) -> AttributeValue {
                $convert(self)
            }
        })*
    };
}

attributes! {
    AttributeValue => std::convert::identity,
    bool => AttributeValue::Bool,
    &str => string,
    String => string,
    &String => string,
    i32 => number,
    i64 => number,
    u8 => number,
    u32 => number,
    u64 => number,
    usize => number,
    MessageStatus => |status: Self| string(status.as_str()),
    ChatStatus => |status: Self| string(status.as_str()),
    UnknownPolicy => |policy: Self| string(policy.as_str()),
    Country => |country: Self| string(country.as_str()),
    Timestamp => text,
    ChatId => text,
    MessageId => text,
    MediaState => |state: Self| string(state.as_str()),
    SessionId => text,
    Uuid => text,
    WebhookId => text,
    DeliveryStatus => |status: Self| string(status.as_str()),
    ConsentDecision => |decision: Self| AttributeValue::M(HashMap::from([
        ("marketing".to_owned(), string(decision.marketing.as_str())),
        ("since".to_owned(), text(decision.since)),
    ])),
    Vec<String> => |texts: Self| AttributeValue::L(texts.into_iter().map(string).collect()),
}

fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// Returns the size of an item in bytes (AWS, *DynamoDB item sizes and formats*).
#[cfg(test)]
pub(super) fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

#[cfg(test)]
fn value_size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::N(number) => number.len().div_ceil(2) + 1,
        AttributeValue::Ns(numbers) => numbers.iter().map(|number| number.len().div_ceil(2) + 1).sum(),
        AttributeValue::L(values) => 3 + values.iter().map(|value| 1 + value_size(value)).sum::<usize>(),
        AttributeValue::M(members) => 3 + members.len() + size(members),
        _ => 1,
    }
}
