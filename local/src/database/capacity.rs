//! What a request cost, as DynamoDB would bill it.
//!
//! The embedded database computes `ConsumedCapacity` as DynamoDB does, and leaves it out unless asked; so every request
//! is made to ask, and what the client did not ask for is taken out of the answer again.

use std::collections::BTreeMap;

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::usage::Units;

/// The operations that take `ReturnConsumedCapacity` and are counted.
fn is_write(operation: &str) -> Option<bool> {
    match operation {
        "GetItem" | "BatchGetItem" | "Query" | "Scan" | "TransactGetItems" => Some(false),
        "PutItem" | "UpdateItem" | "DeleteItem" | "BatchWriteItem" | "TransactWriteItems" => Some(true),
        _ => None,
    }
}

/// The request with `ReturnConsumedCapacity` set, or `None` when the client asked for it itself, the operation does not
/// know it, or the body is no JSON object (which the database refuses in its own words).
pub(super) fn ask(operation: &str, request: &[u8]) -> Option<Bytes> {
    is_write(operation)?;
    let mut members: BTreeMap<String, &RawValue> = serde_json::from_slice(request).ok()?;
    if members.get("ReturnConsumedCapacity").is_some_and(|mode| mode.get() != r#""NONE""#) {
        return None;
    }
    let total: &RawValue = serde_json::from_str(r#""TOTAL""#).ok()?;
    members.insert("ReturnConsumedCapacity".to_owned(), total);
    serde_json::to_vec(&members).ok().map(Bytes::from)
}

/// The answer without `ConsumedCapacity`; `None` when it has none.
pub(super) fn without_capacity(response: &[u8]) -> Option<Bytes> {
    let mut members: BTreeMap<String, &RawValue> = serde_json::from_slice(response).ok()?;
    members.remove("ConsumedCapacity")?;
    serde_json::to_vec(&members).ok().map(Bytes::from)
}

/// What a request cost, by its answer (`request` is only read where a condition failed).
pub(super) fn units(operation: &str, request: &[u8], response: &[u8]) -> Units {
    let Some(write) = is_write(operation) else { return Units::default() };
    let Ok(answer) = serde_json::from_slice::<Answer>(response) else { return Units::default() };
    match (answer.consumed, answer.error.as_deref().and_then(|kind| kind.rsplit('#').next())) {
        (Some(OneOrMany::One(consumed)), _) => consumed.units(write),
        (Some(OneOrMany::Many(all)), _) => all
            .iter()
            .map(|consumed| consumed.units(write))
            .fold(Units::default(), |sum, units| Units { read: sum.read + units.read, write: sum.write + units.write }),
        (None, Some("ConditionalCheckFailedException" | "TransactionCanceledException")) => {
            Units { read: 0.0, write: failed_condition(operation, request, response) }
        }
        (None, _) => Units::default(),
    }
}

/// The write units of a write whose condition was false, which the answer does not tell.
///
/// DynamoDB charges such a write by the size of the item, "whether it's an existing item in the table or a new one":
/// the larger of both ("DynamoDB read and write operations", Developer Guide). The new item is known for a put; the
/// existing one only where the request asked for it with `ReturnValuesOnConditionCheckFailure`; what is not known counts
/// as one unit, so this is a lower estimate for updates of items over 1 KB. A cancelled transaction is charged twice
/// that for each of its actions when a condition failed, and nothing here when it was cancelled for another reason.
fn failed_condition(operation: &str, request: &[u8], response: &[u8]) -> f64 {
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
struct Answer {
    #[serde(rename = "ConsumedCapacity")]
    consumed: Option<OneOrMany>,
    #[serde(rename = "__type")]
    error: Option<String>,
}

/// Batches and transactions answer with one element per table.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Consumed),
    Many(Vec<Consumed>),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Consumed {
    capacity_units: f64,
    read_capacity_units: Option<f64>,
    write_capacity_units: Option<f64>,
}

impl Consumed {
    /// A transaction says read or write itself: one that is replayed for its `ClientRequestToken` costs reads.
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
