use serde_json::json;

use super::*;

fn accepts(pattern: Value, record: &Value) -> bool {
    Filter::compile(&[pattern]).unwrap().accepts(record)
}

fn record() -> Value {
    json!({
        "eventName": "INSERT",
        "dynamodb": {
            "SizeBytes": 26,
            "NewImage": {
                "entity": {"S": "message"}, "status": {"S": "pending"}, "n": {"N": "5"}, "gone": {"NULL": true},
                "tags": {"SS": ["a", "b"]}, "list": {"L": [{"S": "x"}, {"S": "y"}]}, "empty": {"L": []},
            },
        },
    })
}

fn image(field: &str, typed: Value) -> Value {
    json!({"dynamodb": {"NewImage": {field: typed}}})
}

#[test]
fn a_pattern_accepts_only_inserted_pending_messages() {
    let pattern = || {
        json!({"eventName": ["INSERT"],
        "dynamodb": {"NewImage": {"entity": {"S": ["message"]}, "status": {"S": ["pending"]}}}})
    };
    assert!(accepts(pattern(), &record()));
    for (pointer, other) in [
        ("/eventName", json!("MODIFY")),
        ("/dynamodb/NewImage/entity/S", json!("chat")),
        ("/dynamodb/NewImage/status", json!({"N": "1"})),
        ("/dynamodb/NewImage", json!({})),
        ("/dynamodb/NewImage", Value::Null),
        ("/dynamodb", json!("text")),
    ] {
        let mut record = record();
        *record.pointer_mut(pointer).unwrap() = other;
        assert!(!accepts(pattern(), &record), "{pointer}");
    }
}

#[test]
fn operators_match_leaves() {
    for (field, typed, expected) in [
        ("status", json!({"S": ["sent", "pending"]}), true),
        ("status", json!({"S": [{"prefix": "pen"}]}), true),
        ("status", json!({"S": [{"prefix": "x"}]}), false),
        ("status", json!({"S": [{"anything-but": ["sent"]}]}), true),
        ("status", json!({"S": [{"anything-but": "pending"}]}), false),
        ("status", json!({"S": [{"anything-but": ["sent", "pending"]}]}), false),
        ("status", json!({"S": [{"suffix": "ing"}]}), true),
        ("status", json!({"S": [{"suffix": "pend"}]}), false),
        ("status", json!({"S": [{"equals-ignore-case": "PENDING"}]}), true),
        ("status", json!({"S": [{"equals-ignore-case": "PEND"}]}), false),
        // The values of a list are alternatives.
        ("status", json!({"S": [{"exists": false}, "pending"]}), true),
        ("status", json!({"S": [{"anything-but": ["pending"]}, {"prefix": "pend"}]}), true),
        ("missing", json!({"S": [{"exists": false}, {"anything-but": ["a"]}]}), true),
        ("status", json!({"S": [{"exists": true}]}), true),
        ("status", json!({"S": [{"exists": false}]}), false),
        ("missing", json!({"S": [{"exists": false}]}), true),
        ("missing", json!({"S": [{"exists": true}]}), false),
        ("missing", json!({"S": [{"anything-but": ["a"]}]}), false),
        // An attribute is an object, not a leaf.
        ("status", json!([{"exists": true}]), false),
        ("status", json!([{"exists": false}]), true),
        ("n", json!({"N": ["5"]}), true),
        ("n", json!({"N": [5]}), false),
        ("gone", json!({"NULL": [true]}), true),
        ("gone", json!({"NULL": [null]}), false),
        ("tags", json!({"SS": ["b"]}), true),
        ("tags", json!({"SS": ["c"]}), false),
        ("list", json!({"L": {"S": ["y"]}}), true),
        ("empty", json!({"L": [{"exists": false}]}), true),
    ] {
        assert_eq!(accepts(image(field, typed.clone()), &record()), expected, "{field} {typed}");
    }
    assert!(accepts(json!({"dynamodb": {"SizeBytes": [26.0]}}), &record()));
    assert!(accepts(json!({"dynamodb": {"OldImage": {"status": {"S": [{"exists": false}]}}}}), &record()));
    assert!(accepts(json!({"x": [null]}), &json!({"x": null})));
}

#[test]
fn or_matches_any_of_its_objects_and_all_fields_beside_it() {
    let status = |status: &str| json!({"NewImage": {"status": {"S": [status]}}});
    let absent = json!({"OldImage": {"status": {"S": [{"exists": false}]}}});
    for (dynamodb, expected) in [
        (json!({"$or": [status("sent"), absent]}), true),
        (json!({"$or": [status("sent"), status("pending")]}), true),
        (json!({"$or": [status("sent"), status("read")]}), false),
        (json!({"$or": [status("pending"), absent], "NewImage": {"entity": {"S": ["message"]}}}), true),
        (json!({"$or": [status("pending"), absent], "NewImage": {"entity": {"S": ["chat"]}}}), false),
        (
            json!({"NewImage": {"$or": [{"x": {"S": ["1"]}}, {"$or": [{"y": {"S": ["1"]}}, {"n": {"N": ["5"]}}]}]}}),
            true,
        ),
    ] {
        let pattern = json!({"eventName": ["INSERT"], "dynamodb": dynamodb});
        assert_eq!(accepts(pattern, &record()), expected, "{dynamodb}");
    }
}

#[test]
fn one_matching_pattern_suffices_and_no_pattern_accepts_all() {
    let modify = json!({"eventName": ["MODIFY"]});
    let filter = Filter::compile(&[modify.clone(), json!({"eventName": ["INSERT"]})]).unwrap();
    assert!(filter.accepts(&record()));
    assert!(!Filter::compile(&[modify]).unwrap().accepts(&record()));
    assert!(Filter::compile(&[]).unwrap().accepts(&record()));
}

#[test]
fn an_unsupported_pattern_is_an_error_that_names_its_location() {
    for (pattern, path) in [
        (json!("INSERT"), "the root"),
        (json!({}), "the root"),
        (json!({"eventName": "INSERT"}), "eventName"),
        (json!({"eventName": []}), "eventName"),
        (json!({"eventName": [["INSERT"]]}), "eventName"),
        (json!({"eventName": [{"wildcard": "I*"}]}), "eventName"),
        (json!({"eventName": [{"cidr": "10.0.0.0/24"}]}), "eventName"),
        (json!({"eventName": [{"suffix": 1}]}), "eventName"),
        (json!({"eventName": [{"prefix": {"equals-ignore-case": "i"}}]}), "eventName"),
        (json!({"eventName": [{"anything-but": {"prefix": "I"}}]}), "eventName"),
        (json!({"eventName": [{"prefix": "I", "exists": true}]}), "eventName"),
        (json!({"eventName": [{"exists": "yes"}]}), "eventName"),
        (json!({"eventName": [{"anything-but": []}]}), "eventName"),
        (json!({"dynamodb": {"NewImage": {}}}), "dynamodb.NewImage"),
        (image("n", json!({"N": [{"numeric": [">", 1]}]})), "dynamodb.NewImage.n.N"),
        (json!({"$or": [{"eventName": ["INSERT"]}]}), "$or"),
        (json!({"$or": ["INSERT", "MODIFY"]}), "$or"),
        (json!({"$or": {"eventName": ["INSERT"]}}), "$or"),
        (json!({"dynamodb": {"$or": [{"NewImage": {}}, {"OldImage": {"a": {"S": ["b"]}}}]}}), "dynamodb.$or.NewImage"),
    ] {
        assert_eq!(Filter::compile(std::slice::from_ref(&pattern)).unwrap_err().path, path, "{pattern}");
    }
}
