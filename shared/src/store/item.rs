//! Items: rows with a key and the kind of entity that they are.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Serialize, de::DeserializeOwned};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use super::{StoreError, keys::Key};

/// An item as the SDK has it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// `row` as an item. Absent fields are left out, so that indexes stay sparse and conditions can ask for absence.
pub(super) fn write<T: Serialize>(kind: &'static str, key: &Key, row: &T) -> Result<Item, StoreError> {
    let mut item: Item = to_item(row).map_err(|source| StoreError::Item { kind, source: source.into() })?;
    item.retain(|_, value| !value.is_null());
    item.extend(key.attributes());
    item.insert("entity".to_owned(), string(kind));
    Ok(item)
}

/// An item as a row.
pub(super) fn read<T: DeserializeOwned>(kind: &'static str, item: Item) -> Result<T, StoreError> {
    from_item(item).map_err(|source| StoreError::Item { kind, source: source.into() })
}

/// Anything as an attribute.
pub(super) fn value<T: Serialize>(value: &T) -> Result<AttributeValue, StoreError> {
    serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value(value)
        .map_err(|source| StoreError::Item { kind: "attribute", source: source.into() })
}

/// A string attribute.
pub(super) fn string(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A number attribute.
pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
