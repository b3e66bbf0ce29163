use serde_json::json;

use super::*;

fn list(parameters: Value) -> Result<Value, GraphError> {
    let parameters = serde_json::from_value(parameters).map(Parameters).unwrap();
    let limits = Limits { default: 2, max: 3 };
    page(
        &["a", "b", "c", "d", "e"],
        &parameters,
        limits,
        "http://localhost/list",
        |key| (*key).to_owned(),
        |key| Ok(json!(key)),
    )
}

#[test]
fn a_list_is_read_page_by_page_in_both_directions() {
    let first = list(json!({})).unwrap();
    assert_eq!(first["data"], json!(["a", "b"]));
    let after = &first["paging"]["cursors"]["after"];
    let next = format!("http://localhost/list?limit=2&after={}", after.as_str().unwrap());
    assert_eq!((&first["paging"]["next"], &first["paging"]["previous"]), (&json!(next), &Value::Null));

    let second = list(json!({"after": after, "limit": "9", "fields": "id"})).unwrap();
    assert_eq!(second["data"], json!(["c", "d", "e"]));
    assert_eq!(second["paging"]["next"], Value::Null);
    assert!(second["paging"]["previous"].as_str().unwrap().ends_with("&fields=id"), "{second}");

    let back = list(json!({"before": second["paging"]["cursors"]["before"], "limit": 1})).unwrap();
    assert_eq!(back["data"], json!(["b"]));
    let end = list(json!({"after": second["paging"]["cursors"]["after"]})).unwrap();
    assert_eq!(end, json!({"data": []}));
}

#[test]
fn a_link_has_the_other_parameters() {
    let page = list(json!({"fields": "id,codes{a&b}", "filtering": [{"field": "name"}]})).unwrap();
    let next = page["paging"]["next"].as_str().unwrap();
    let query = "&fields=id%2Ccodes%7Ba%26b%7D&filtering=%5B%7B%22field%22%3A%22name%22%7D%5D";
    assert!(next.ends_with(query), "{next}");
}

#[test]
fn a_cursor_of_another_list_is_refused() {
    for cursor in ["x", "eA", "é"] {
        for name in ["after", "before"] {
            assert_eq!(list(json!({name: cursor})).unwrap_err().code, 100, "{name} {cursor}");
        }
    }
}
