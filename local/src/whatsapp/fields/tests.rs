use serde_json::json;

use super::*;

#[test]
fn fields_are_chosen() {
    let all = json!({"id": "1", "name": "Lucky Shrub", "status": null});
    let choose = |fields: &[&str]| {
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        choose(&all, Some(&fields), &["id"], "Node")
    };
    assert_eq!(choose(&["name"]).unwrap(), all_without_status());
    assert_eq!(choose(&["name{first}", "status"]).unwrap(), all_without_status());
    assert_eq!(choose(&["name.limit(1)"]).unwrap(), all_without_status());
    assert_eq!(choose(&[]).unwrap(), json!({"id": "1"}));
    assert_eq!(choose(&["name", "color"]).unwrap_err().code, 100);
    assert_eq!(super::choose(&all, None, &[], "Node").unwrap(), all_without_status());
}

fn all_without_status() -> Value {
    json!({"id": "1", "name": "Lucky Shrub"})
}
