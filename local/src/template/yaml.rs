//! YAML text to JSON, with CloudFormation's short tags written out: `!Ref X` becomes `{"Ref": "X"}`.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value, json};

use super::TemplateError;

/// Collections inside each other. Real templates stay under 30; the YAML parser calls itself for each.
const MAX_DEPTH: usize = 100;

const TAGS: &[&str] = &[
    "And",
    "Base64",
    "Cidr",
    "Equals",
    "FindInMap",
    "GetAZs",
    "GetAtt",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
];

pub(super) fn parse(text: &str) -> Result<Value, TemplateError> {
    check_depth(text)?;
    match Yaml::load_from_str(text)?.as_slice() {
        [document] => to_json(document, ""),
        [] => Err(TemplateError::at("", "is empty")),
        _ => Err(TemplateError::at("", "has more than one YAML document")),
    }
}

/// Reads the text once event by event, which takes no stack, before the loader does, which takes some for each level.
fn check_depth(text: &str) -> Result<(), TemplateError> {
    let mut depth = 0_usize;
    for event in Parser::new_from_str(text) {
        match event?.0 {
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(TemplateError::at("", format!("is nested deeper than {MAX_DEPTH}")));
        }
    }
    Ok(())
}

fn to_json(node: &Yaml<'_>, path: &str) -> Result<Value, TemplateError> {
    match node {
        Yaml::Value(scalar) => scalar_to_json(scalar, path),
        Yaml::Sequence(items) => {
            items.iter().enumerate().map(|(index, item)| to_json(item, &format!("{path}[{index}]"))).collect()
        }
        Yaml::Mapping(members) => {
            let mut map = Map::new();
            for (key, value) in members {
                let key = match key {
                    Yaml::Value(Scalar::String(key)) => key.to_string(),
                    Yaml::Value(Scalar::Integer(key)) => key.to_string(),
                    _ => return Err(TemplateError::at(path, "has a key that is no text")),
                };
                let value = to_json(value, &join(path, &key))?;
                map.insert(key, value);
            }
            Ok(Value::Object(map))
        }
        Yaml::Tagged(tag, inner) => {
            let inner = to_json(inner, path)?;
            expand(&tag.suffix, inner).ok_or_else(|| TemplateError::at(path, format!("unknown tag {tag}")))
        }
        Yaml::BadValue | Yaml::Alias(_) | Yaml::Representation(..) => {
            Err(TemplateError::at(path, "is a value that YAML does not define"))
        }
    }
}

fn scalar_to_json(scalar: &Scalar<'_>, path: &str) -> Result<Value, TemplateError> {
    Ok(match scalar {
        Scalar::Null => return Err(TemplateError::at(path, "has no value")),
        Scalar::Boolean(value) => Value::Bool(*value),
        Scalar::Integer(value) => json!(value),
        Scalar::FloatingPoint(value) => json!(value.into_inner()),
        Scalar::String(value) => Value::String(value.to_string()),
    })
}

fn expand(tag: &str, argument: Value) -> Option<Value> {
    match tag {
        "Ref" => Some(json!({ "Ref": argument })),
        "Condition" => Some(json!({ "Condition": argument })),
        "GetAtt" => Some(match argument.as_str().and_then(|text| text.split_once('.')) {
            Some((resource, attribute)) => json!({ "Fn::GetAtt": [resource, attribute] }),
            None => json!({ "Fn::GetAtt": argument }),
        }),
        _ if TAGS.contains(&tag) => Some(Value::Object(Map::from_iter([(format!("Fn::{tag}"), argument)]))),
        _ => None,
    }
}

pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn tags_are_written_out() {
        let text = "a: !Ref X\nb: !GetAtt T.StreamArn\nc: !Join ['', [!Ref X, b]]\nd: !If\n  - C\n  - 1\n  - 2\ne: !Sub '${X}'\n";
        assert_eq!(
            parse(text).unwrap(),
            json!({
                "a": {"Ref": "X"},
                "b": {"Fn::GetAtt": ["T", "StreamArn"]},
                "c": {"Fn::Join": ["", [{"Ref": "X"}, "b"]]},
                "d": {"Fn::If": ["C", 1, 2]},
                "e": {"Fn::Sub": "${X}"},
            })
        );
    }

    #[test]
    fn bad_yaml_is_an_error_and_no_panic() {
        let deep_brackets = "[".repeat(100_000);
        let deep_indents: String = (0..500).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        let deep_dashes = "- ".repeat(50_000);
        for text in [
            "",
            "a: [",
            "a: b: c",
            "a: !Nope x",
            "a:",
            "a: 1\na: 2",
            "? [x]\n: y",
            "a\n---\nb",
            "\t",
            "a: *x",
            "a: \"",
            "%YAML 9",
            "\u{0}",
            "a: !!int x",
            &deep_brackets,
            &deep_indents,
            &deep_dashes,
        ] {
            assert!(parse(text).is_err(), "{:.20}", text);
        }
    }
}
