//! `Globals`: what every resource of a type starts from.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::intrinsics::as_intrinsic;

/// The sections that mean something here; SAM has more, each for a resource type that a local run refuses anyway.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Globals {
    #[serde(default)]
    pub(super) function: Map<String, Value>,
    #[serde(default)]
    pub(super) http_api: Map<String, Value>,
}

/// A resource's own properties over the global ones, as SAM merges them: maps member by member, lists one after the
/// other, everything else replaced (SAM specification, "Globals section").
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
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn merges_as_sam_does() {
        let global = json!({"Timeout": 3, "E": {"V": {"A": 1, "B": 2}}, "L": [1], "R": {"Ref": "X"}});
        let own = json!({"Timeout": 9, "E": {"V": {"B": 3}}, "L": [2], "R": {"Ref": "Y"}});
        let merged = json!({"Timeout": 9, "E": {"V": {"A": 1, "B": 3}}, "L": [1, 2], "R": {"Ref": "Y"}});
        assert_eq!(merge_value(global, own), merged);
    }
}
