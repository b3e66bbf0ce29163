use serde_json::json;

use super::*;

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

#[test]
fn capacity_is_requested_unless_the_client_asked_for_it() {
    let request = request_capacity("GetItem", br#"{"TableName":"t","n":1.50}"#).unwrap();
    assert_eq!(request, r#"{"ReturnConsumedCapacity":"TOTAL","TableName":"t","n":1.50}"#);
    assert!(request_capacity("GetItem", br#"{"ReturnConsumedCapacity":"NONE"}"#).is_some());
    for (operation, body) in [
        ("GetItem", r#"{"ReturnConsumedCapacity":"INDEXES"}"#),
        ("GetItem", r#"{"ReturnConsumedCapacity":7}"#),
        ("DescribeTable", r#"{"TableName":"t"}"#),
        ("GetItem", "[]"),
        ("GetItem", "{"),
        ("GetItem", ""),
    ] {
        assert_eq!(request_capacity(operation, body.as_bytes()), None, "{operation} {body}");
    }
}

#[test]
fn capacity_is_removed_from_the_response() {
    let body = br#"{"ConsumedCapacity":{"CapacityUnits":1.0},"Item":{"a":{"N":"1.50"}}}"#;
    assert_eq!(strip_capacity(body).unwrap(), r#"{"Item":{"a":{"N":"1.50"}}}"#);
    assert_eq!(strip_capacity(br#"{"Item":{}}"#), None);
}

#[test]
fn units_are_read_from_the_response() {
    let one = bytes(&json!({"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.5}}));
    assert_eq!(consumed_units("Query", b"", &one), Units { read: 1.5, write: 0.0 });
    assert_eq!(consumed_units("PutItem", b"", &one), Units { read: 0.0, write: 1.5 });
    let many = bytes(&json!({"ConsumedCapacity": [{"CapacityUnits": 1.0}, {"CapacityUnits": 2.0}]}));
    assert_eq!(consumed_units("BatchGetItem", b"", &many), Units { read: 3.0, write: 0.0 });
    let replay = bytes(&json!({"ConsumedCapacity": [{"CapacityUnits": 2.0, "ReadCapacityUnits": 2.0}]}));
    assert_eq!(consumed_units("TransactWriteItems", b"", &replay), Units { read: 2.0, write: 0.0 });
    assert_eq!(consumed_units("DescribeTable", b"", &one), Units::default());
    assert_eq!(consumed_units("GetItem", b"", b"not json"), Units::default());
}

#[test]
fn a_failed_condition_costs_the_larger_item() {
    let failed = json!({"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"});
    let big = json!({"pk": {"S": "x".repeat(2000)}});
    assert_eq!(consumed_units("UpdateItem", b"{}", &bytes(&failed)).write, 1.0);
    assert_eq!(consumed_units("PutItem", &bytes(&json!({"Item": big})), &bytes(&failed)).write, 2.0);
    let with_item = json!({"__type": failed["__type"], "Item": big});
    assert_eq!(consumed_units("UpdateItem", b"{}", &bytes(&with_item)).write, 2.0);
    let other = bytes(&json!({"__type": "com.amazon.coral.validate#ValidationException"}));
    assert_eq!(consumed_units("PutItem", &bytes(&json!({"Item": big})), &other), Units::default());
}

#[test]
fn a_transaction_with_a_failed_condition_costs_double_for_each_action() {
    let request = json!({"TransactItems": [{"Put": {"Item": {"pk": {"S": "x".repeat(2000)}}}}, {"Update": {}}]});
    let canceled = |code: &str| {
        bytes(&json!({"__type": "x#TransactionCanceledException",
            "CancellationReasons": [{"Code": "None"}, {"Code": code}]}))
    };
    let request = bytes(&request);
    assert_eq!(consumed_units("TransactWriteItems", &request, &canceled("ConditionalCheckFailed")).write, 6.0);
    assert_eq!(consumed_units("TransactWriteItems", &request, &canceled("TransactionConflict")).write, 0.0);
}
