use serde_json::json;

use super::*;

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

#[test]
fn asks_only_where_the_client_did_not() {
    let asked = ask("GetItem", br#"{"TableName":"t","n":1.50}"#).unwrap();
    assert_eq!(asked, r#"{"ReturnConsumedCapacity":"TOTAL","TableName":"t","n":1.50}"#);
    assert!(ask("GetItem", br#"{"ReturnConsumedCapacity":"NONE"}"#).is_some());
    for (operation, body) in [
        ("GetItem", r#"{"ReturnConsumedCapacity":"INDEXES"}"#),
        ("GetItem", r#"{"ReturnConsumedCapacity":7}"#),
        ("DescribeTable", r#"{"TableName":"t"}"#),
        ("GetItem", "[]"),
        ("GetItem", "{"),
        ("GetItem", ""),
    ] {
        assert_eq!(ask(operation, body.as_bytes()), None, "{operation} {body}");
    }
}

#[test]
fn takes_out_what_was_not_asked_for() {
    let body = br#"{"ConsumedCapacity":{"CapacityUnits":1.0},"Item":{"a":{"N":"1.50"}}}"#;
    assert_eq!(without_capacity(body).unwrap(), r#"{"Item":{"a":{"N":"1.50"}}}"#);
    assert_eq!(without_capacity(br#"{"Item":{}}"#), None);
}

#[test]
fn reads_the_answer() {
    let one = bytes(&json!({"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.5}}));
    assert_eq!(units("Query", b"", &one), Units { read: 1.5, write: 0.0 });
    assert_eq!(units("PutItem", b"", &one), Units { read: 0.0, write: 1.5 });
    let many = bytes(&json!({"ConsumedCapacity": [{"CapacityUnits": 1.0}, {"CapacityUnits": 2.0}]}));
    assert_eq!(units("BatchGetItem", b"", &many), Units { read: 3.0, write: 0.0 });
    let replay = bytes(&json!({"ConsumedCapacity": [{"CapacityUnits": 2.0, "ReadCapacityUnits": 2.0}]}));
    assert_eq!(units("TransactWriteItems", b"", &replay), Units { read: 2.0, write: 0.0 });
    assert_eq!(units("DescribeTable", b"", &one), Units::default());
    assert_eq!(units("GetItem", b"", b"not json"), Units::default());
}

#[test]
fn a_failed_condition_costs_the_larger_item() {
    let failed = json!({"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"});
    let big = json!({"pk": {"S": "x".repeat(2000)}});
    assert_eq!(units("UpdateItem", b"{}", &bytes(&failed)).write, 1.0);
    assert_eq!(units("PutItem", &bytes(&json!({"Item": big})), &bytes(&failed)).write, 2.0);
    let with_item = json!({"__type": failed["__type"], "Item": big});
    assert_eq!(units("UpdateItem", b"{}", &bytes(&with_item)).write, 2.0);
    let other = bytes(&json!({"__type": "com.amazon.coral.validate#ValidationException"}));
    assert_eq!(units("PutItem", &bytes(&json!({"Item": big})), &other), Units::default());
}

#[test]
fn a_transaction_with_a_failed_condition_costs_double_for_each_action() {
    let request = json!({"TransactItems": [{"Put": {"Item": {"pk": {"S": "x".repeat(2000)}}}}, {"Update": {}}]});
    let cancelled = |code: &str| {
        bytes(&json!({"__type": "x#TransactionCanceledException",
            "CancellationReasons": [{"Code": "None"}, {"Code": code}]}))
    };
    let request = bytes(&request);
    assert_eq!(units("TransactWriteItems", &request, &cancelled("ConditionalCheckFailed")).write, 6.0);
    assert_eq!(units("TransactWriteItems", &request, &cancelled("TransactionConflict")).write, 0.0);
}
