use serde_json::json;

use super::*;

fn parameters(value: Value) -> Parameters {
    Parameters(value.as_object().unwrap().clone())
}

#[test]
fn values_are_accepted_as_strings_too() {
    let given = parameters(json!({
        "number": 7, "digits": "7", "yes": "true", "one": 1, "word": "seven",
        "object": r#"{"a": 1}"#, "array": "[1]", "open": "{", "null": null, "empty": "",
    }));
    assert_eq!(given.string("number").unwrap().as_deref(), Some("7"));
    assert_eq!(given.integer("digits").unwrap(), Some(7));
    assert_eq!((given.boolean("yes").unwrap(), given.boolean("one").unwrap()), (Some(true), Some(true)));
    assert_eq!(given.object("object").unwrap().map(Value::Object), Some(json!({"a": 1})));
    assert_eq!(given.array("array").unwrap(), Some(vec![json!(1)]));
    for name in ["null", "empty", "absent"] {
        assert_eq!(given.string(name).unwrap(), None, "{name}");
        assert_eq!(given.object(name).unwrap(), None, "{name}");
        assert!(given.required_string(name).is_err(), "{name}");
    }
    assert!(given.integer("word").is_err() && given.boolean("word").is_err());
    assert!(given.object("open").is_err() && given.object("array").is_err() && given.array("object").is_err());
    assert!(parameters(json!({"a": {}})).string("a").is_err());
}

#[test]
fn only_named_parameters_are_expanded() {
    let mut given = parameters(json!({"text": r#"{"body": "hi"}"#, "to": "[1]"}));
    given.expand(&["text", "template"]);
    assert_eq!(Value::Object(given.0), json!({"text": {"body": "hi"}, "to": "[1]"}));
}

#[test]
fn fields_are_split_outside_of_nested_fields() {
    let given = parameters(json!({"fields": "id, name,phone_numbers{id,name},image.format(SVG,x),"}));
    let fields = ["id", "name", "phone_numbers{id,name}", "image.format(SVG,x)"];
    assert_eq!(given.fields().unwrap().unwrap(), fields);
}
