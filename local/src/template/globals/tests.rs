use serde_json::json;

use super::*;

#[test]
fn maps_merge_lists_concatenate_and_scalars_replace() {
    let global = json!({"Timeout": 3, "E": {"V": {"A": 1, "B": 2}}, "L": [1], "R": {"Ref": "X"}});
    let own = json!({"Timeout": 9, "E": {"V": {"B": 3}}, "L": [2], "R": {"Ref": "Y"}});
    let merged = json!({"Timeout": 9, "E": {"V": {"A": 1, "B": 3}}, "L": [1, 2], "R": {"Ref": "Y"}});
    assert_eq!(merge_value(global, own), merged);
}
