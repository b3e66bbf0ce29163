//! The `Globals` section: default properties for all resources of a type.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::intrinsics::as_intrinsic;

/// The supported subsections. SAM has others, for resource types that the local run doesn't support.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Globals {
    #[serde(default)]
    pub(super) function: Map<String, Value>,
    #[serde(default)]
    pub(super) http_api: Map<String, Value>,
}

/// Merges a resource's own properties into the global ones as SAM does: maps are merged, lists are concatenated, and
/// other values are replaced (SAM Specification, *Globals section*).
pub(super) fn merge(global: &Map<String, Value>, own: Map<String, Value>) -> Map<String, Value> {
    let mut merged = global.clone();
    for (name, value) in own {
        let value = match merged.remove(&name) {
            Some(inherited) => merge_value(inherited, value),
            None => value,
        };
        merged.insert(name, value);
    }
    merged
}

fn merge_value(global: Value, own: Value) -> Value {
    match (global, own) {
        (Value::Object(global), Value::Object(own))
            if as_intrinsic(&global).is_none() && as_intrinsic(&own).is_none() =>
        {
            Value::Object(merge(&global, own))
        }
        (Value::Array(mut global), Value::Array(own)) => {
            global.extend(own);
            Value::Array(global)
        }
        (_, own) => own,
    }
}

#[cfg(test)]
mod tests;
