#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::json;

use super::*;

fn resolve_one(declaration: Value, given: Option<&str>) -> Result<Value, String> {
    let declared = Map::from_iter([("P".to_owned(), declaration)]);
    let overrides = given.map(|text| ("P".to_owned(), text.to_owned())).into_iter().collect();
    resolve(&declared, &overrides).map(|mut values| values.remove("P").unwrap()).map_err(|error| error.to_string())
}

#[test]
fn overrides_take_precedence_over_defaults() {
    let number = json!({"Type": "Number", "Default": 30, "MinValue": 1, "MaxValue": 100});
    assert_eq!(resolve_one(number.clone(), None), Ok(json!("30")));
    assert_eq!(resolve_one(number.clone(), Some("7")), Ok(json!("7")));
    let error = "Parameters.P: \"700\": must be between 1 and 100";
    assert_eq!(resolve_one(number.clone(), Some("700")), Err(error.into()));
    assert_eq!(resolve_one(number, Some("x")), Err("Parameters.P: \"x\": must be a number".into()));
    let list = json!({"Type": "CommaDelimitedList", "Default": "a, b", "AllowedPattern": "[a-z]"});
    assert_eq!(resolve_one(list.clone(), None), Ok(json!(["a", "b"])));
    assert!(resolve_one(list, Some("a,B")).is_err());
}

#[test]
fn constraint_violation_is_an_error() {
    let allowed = json!({"Type": "String", "AllowedValues": ["arm64", "x86_64"]});
    assert!(resolve_one(allowed.clone(), Some("mips")).unwrap_err().contains("must be one of arm64, x86_64"));
    assert!(resolve_one(allowed, None).unwrap_err().contains("neither a default nor a value"));
    let pattern = json!({"Type": "String", "AllowedPattern": "[0-9]*", "ConstraintDescription": "digits only"});
    assert_eq!(resolve_one(pattern.clone(), Some("")), Ok(json!("")));
    assert_eq!(resolve_one(pattern, Some("1x")), Err("Parameters.P: \"1x\": digits only".into()));
    let secret = json!({"Type": "String", "NoEcho": true, "MinLength": 5});
    assert!(!resolve_one(secret, Some("hush")).unwrap_err().contains("hush"));
    let length = json!({"Type": "String", "MaxLength": 2});
    assert!(resolve_one(length, Some("abc")).unwrap_err().contains("must have at most 2 characters"));
}

#[test]
fn unknown_types_properties_and_parameters_are_errors() {
    assert!(resolve_one(json!({"Type": "AWS::SSM::Parameter::Value<String>", "Default": "x"}), None).is_err());
    assert!(resolve_one(json!({"Type": "String", "Default": "x", "Color": "red"}), None).is_err());
    assert!(resolve_one(json!({"Type": "String", "Default": "x", "AllowedPattern": "("}), None).is_err());
    let overrides = BTreeMap::from([("Q".to_owned(), String::new())]);
    assert!(resolve(&Map::new(), &overrides).unwrap_err().to_string().contains("Parameters.Q"));
}
