//! The consumed capacity of a request, as DynamoDB would bill it.
//!
//! The embedded database computes `ConsumedCapacity` like DynamoDB, but returns it only on request. The proxy therefore
//! requests it every time and removes it from the response if the client did not ask for it.

use std::collections::BTreeMap;

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::usage::Units;

/// Returns whether `operation` writes; `None` if it doesn't take `ReturnConsumedCapacity`.
fn is_write(operation: &str) -> Option<bool> {
    match operation {
        "GetItem" | "BatchGetItem" | "Query" | "Scan" | "TransactGetItems" => Some(false),
        "PutItem" | "UpdateItem" | "DeleteItem" | "BatchWriteItem" | "TransactWriteItems" => Some(true),
        _ => None,
    }
}

/// Returns the request with `ReturnConsumedCapacity` set. Returns `None` if the client already set it, the operation
/// does not support it, or the body is not a JSON object (which the database itself rejects).
pub(super) fn request_capacity(operation: &str, request: &[u8]) -> Option<Bytes> {
    is_write(operation)?;
    let mut members: BTreeMap<String, &RawValue> = serde_json::from_slice(request).ok()?;
    if members.get("ReturnConsumedCapacity").is_some_and(|mode| mode.get() != r#""NONE""#) {
        return None;
    }
    let total: &RawValue = serde_json::from_str(r#""TOTAL""#).ok()?;
    members.insert("ReturnConsumedCapacity".to_owned(), total);
    serde_json::to_vec(&members).ok().map(Bytes::from)
}

/// Returns the response without `ConsumedCapacity`; `None` if it has none.
pub(super) fn strip_capacity(response: &[u8]) -> Option<Bytes> {
    let mut members: BTreeMap<String, &RawValue> = serde_json::from_slice(response).ok()?;
    members.remove("ConsumedCapacity")?;
    serde_json::to_vec(&members).ok().map(Bytes::from)
}

/// Returns the capacity units that a request consumed according to its response. Reads `request` only for a failed
/// condition.
pub(super) fn consumed_units(operation: &str, request: &[u8], response: &[u8]) -> Units {
    let Some(write) = is_write(operation) else { return Units::default() };
    let Ok(body) = serde_json::from_slice::<ResponseBody>(response) else { return Units::default() };
    match (body.consumed, body.error.as_deref().and_then(|kind| kind.rsplit('#').next())) {
        (Some(OneOrMany::One(consumed)), _) => consumed.units(write),
        (Some(OneOrMany::Many(all)), _) => all
            .iter()
            .map(|consumed| consumed.units(write))
            .fold(Units::default(), |sum, units| Units { read: sum.read + units.read, write: sum.write + units.write }),
        (None, Some("ConditionalCheckFailedException" | "TransactionCanceledException")) => {
            Units { read: 0.0, write: failed_condition_units(operation, request, response) }
        }
        (None, _) => Units::default(),
    }
}

/// Returns the write units of a write whose condition failed. The response does not report them.
///
/// DynamoDB charges such a write by the size of the item, "whether it's an existing item in the table or a new one",
/// whichever is larger (Developer Guide, *DynamoDB read and write operations*). The new item is known for a put, the
/// existing item only if the request set `ReturnValuesOnConditionCheckFailure`. An unknown item counts as one unit, so
/// the result is a lower bound for updates of items over 1 KB. A transaction canceled by a failed condition costs twice
/// that for each action; a transaction canceled for another reason counts as zero.
fn failed_condition_units(operation: &str, request: &[u8], response: &[u8]) -> f64 {
    let request: Value = serde_json::from_slice(request).unwrap_or_default();
    let response: Value = serde_json::from_slice(response).unwrap_or_default();
    if operation != "TransactWriteItems" {
        return write_units(&request["Item"], &response["Item"]);
    }
    let empty = Vec::new();
    let reasons = response["CancellationReasons"].as_array().unwrap_or(&empty);
    if !reasons.iter().any(|reason| reason["Code"] == "ConditionalCheckFailed") {
        return 0.0;
    }
    let actions = request["TransactItems"].as_array().unwrap_or(&empty);
    actions
        .iter()
        .enumerate()
        .map(|(n, action)| {
            2.0 * write_units(&action["Put"]["Item"], reasons.get(n).map_or(&Value::Null, |r| &r["Item"]))
        })
        .sum()
}

fn write_units(new: &Value, existing: &Value) -> f64 {
    let size = |item: &Value| dynoxide::Item::deserialize(item).map_or(0, |item| dynoxide::types::item_size(&item));
    dynoxide::types::write_capacity_units(size(new).max(size(existing)))
}

#[derive(Deserialize)]
struct ResponseBody {
    #[serde(rename = "ConsumedCapacity")]
    consumed: Option<OneOrMany>,
    #[serde(rename = "__type")]
    error: Option<String>,
}

/// Batches and transactions return one element per table.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(ConsumedCapacity),
    Many(Vec<ConsumedCapacity>),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConsumedCapacity {
    capacity_units: f64,
    read_capacity_units: Option<f64>,
    write_capacity_units: Option<f64>,
}

impl ConsumedCapacity {
    /// Returns the units. A transaction reports reads and writes itself: a replay for the same `ClientRequestToken`
    /// costs reads.
    fn units(&self, write: bool) -> Units {
        match (self.read_capacity_units, self.write_capacity_units) {
            (None, None) if write => Units { read: 0.0, write: self.capacity_units },
            (None, None) => Units { read: self.capacity_units, write: 0.0 },
            (read, write) => Units { read: read.unwrap_or_default(), write: write.unwrap_or_default() },
        }
    }
}

#[cfg(test)]
mod tests;
