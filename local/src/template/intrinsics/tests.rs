#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::json;

use super::*;

fn evaluate(value: Value) -> Result<Option<Value>, String> {
    let parameters = BTreeMap::from([
        ("Name".to_owned(), json!("qasid")),
        ("Limit".to_owned(), json!("30")),
        ("Origins".to_owned(), json!(["a", "b"])),
    ]);
    let conditions = json!({
        "Yes": {"Fn::Equals": [{"Ref": "Name"}, "qasid"]},
        "No": {"Fn::Not": [{"Condition": "Yes"}]},
        "Both": {"Fn::And": [{"Condition": "Yes"}, {"Condition": "Numbers"}]},
        "One": {"Fn::And": [{"Condition": "Yes"}, {"Condition": "No"}]},
        "Numbers": {"Fn::Equals": [{"Ref": "Limit"}, 30]},
        "Loop": {"Fn::Not": [{"Condition": "Loop"}]},
        "Unsupported": {"Fn::Join": ["", []]},
    });
    let resources = BTreeMap::from([
        ("Table".to_owned(), "AWS::DynamoDB::Table".to_owned()),
        ("Bucket".to_owned(), "AWS::S3::Bucket".to_owned()),
        ("Bus".to_owned(), "AWS::Events::EventBus".to_owned()),
    ]);
    let scope = Scope { parameters: &parameters, conditions: conditions.as_object().unwrap(), resources: &resources };
    scope.evaluate(&value, "P").map_err(|error| error.to_string())
}

fn value(value: Value) -> Value {
    evaluate(value).unwrap().unwrap()
}

#[test]
fn ref_and_get_att_return_parameters_and_resource_values() {
    assert_eq!(value(json!({"Ref": "Limit"})), json!("30"));
    assert_eq!(value(json!({"Ref": "Origins"})), json!(["a", "b"]));
    assert_eq!(value(json!({"Ref": "AWS::Region"})), json!("us-east-1"));
    assert_eq!(value(json!({"Ref": "Table"})), json!("qasid-Table"));
    let arn = value(json!({"Fn::GetAtt": ["Table", "StreamArn"]}));
    assert!(arn.as_str().unwrap().starts_with("arn:aws:dynamodb:us-east-1:000000000000:table/qasid-Table/stream/"));
    assert_eq!(evaluate(json!({"Ref": "Nope"})), Err("P (Ref): there is no parameter or resource Nope".into()));
    assert_eq!(value(json!({"Ref": "Bucket"})), json!("qasid-bucket"));
    assert_eq!(value(json!({"Fn::GetAtt": ["Bucket", "Arn"]})), json!("arn:aws:s3:::qasid-bucket"));
    assert!(evaluate(json!({"Ref": "Bus"})).unwrap_err().contains("no value for Bus of AWS::Events::EventBus"));
    assert!(evaluate(json!({"Fn::GetAtt": ["Table", "Color"]})).unwrap_err().contains("Table.Color"));
    assert!(evaluate(json!({"Ref": ["x"]})).unwrap_err().contains("expected a name"));
    assert!(evaluate(json!({"Fn::ImportValue": "x"})).unwrap_err().contains("does not support this function"));
}

#[test]
fn sub_replaces_parameters_attributes_and_variables() {
    let sub = |text: &str| evaluate(json!({"Fn::Sub": text})).map(Option::unwrap);
    assert_eq!(sub("${Name}/${AWS::StackName}/${!Kept}/$x"), Ok(json!("qasid/qasid/${Kept}/$x")));
    assert_eq!(
        sub("${Table.Arn}/index/*"),
        Ok(json!("arn:aws:dynamodb:us-east-1:000000000000:table/qasid-Table/index/*"))
    );
    assert_eq!(value(json!({"Fn::Sub": ["${A}-${Name}", {"A": {"Ref": "Limit"}}]})), json!("30-qasid"));
    for bad in ["${", "${Nope}", "${Origins}", "${Table.Nope}"] {
        assert!(sub(bad).is_err(), "{bad}");
    }
}

#[test]
fn join_concatenates_a_list() {
    assert_eq!(value(json!({"Fn::Join": ["-", {"Ref": "Origins"}]})), json!("a-b"));
    assert!(evaluate(json!({"Fn::Join": ["-"]})).is_err());
    assert!(evaluate(json!({"Fn::Join": ["-", "x"]})).is_err());
}

#[test]
fn if_selects_by_condition() {
    let choose = |name: &str| evaluate(json!({"Fn::If": [name, 1, 2]})).map(Option::unwrap);
    assert_eq!(choose("Yes"), Ok(json!(1)));
    assert_eq!(choose("No"), Ok(json!(2)));
    assert_eq!(choose("Numbers"), Ok(json!(1)));
    assert_eq!((choose("Both"), choose("One")), (Ok(json!(1)), Ok(json!(2))));
    assert_eq!(choose("Loop"), Err("Conditions.Loop: refers to itself".into()));
    assert!(choose("Unsupported").unwrap_err().contains("does not support Fn::Join in a condition"));
    assert!(choose("Unknown").unwrap_err().contains("there is no condition Unknown"));
}

#[test]
fn no_value_removes_the_property() {
    let with_none = json!({"A": {"Fn::If": ["No", 1, {"Ref": "AWS::NoValue"}]}, "B": [{"Ref": "AWS::NoValue"}, 2]});
    assert_eq!(value(with_none), json!({"B": [2]}));
}
