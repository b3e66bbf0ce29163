//! Converts YAML text to JSON and expands CloudFormation's short tags: `!Ref X` becomes `{"Ref": "X"}`.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value, json};

use super::TemplateError;

/// Maximum nesting of collections. The YAML loader recurses once per level, and real templates stay below 30.
const MAX_DEPTH: usize = 100;

/// Parses a text with exactly one YAML document.
///
/// # Errors
///
/// Returns an error for invalid YAML, too deep nesting, an unknown tag, an empty value, or a key that is not text.
pub(super) fn parse(text: &str) -> Result<Value, TemplateError> {
    check_depth(text)?;
    match Yaml::load_from_str(text)?.as_slice() {
        [document] => to_json(document, ""),
        [] => Err(TemplateError::at("", "is empty")),
        _ => Err(TemplateError::at("", "has more than one YAML document")),
    }
}

/// Checks the nesting with the event parser, which doesn't recurse, before the loader does.
fn check_depth(text: &str) -> Result<(), TemplateError> {
    let mut depth = 0_usize;
    for event in Parser::new_from_str(text) {
        match event?.0 {
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(TemplateError::at("", format!("is nested deeper than {MAX_DEPTH} levels")));
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
                    _ => return Err(TemplateError::at(path, "has a key that is not text")),
                };
                let value = to_json(value, &join(path, &key))?;
                map.insert(key, value);
            }
            Ok(Value::Object(map))
        }
        Yaml::Tagged(tag, inner) => {
            let inner = to_json(inner, path)?;
            expand(&tag.suffix, inner)
                .ok_or_else(|| TemplateError::at(path, format!("the local run does not support the tag {tag}")))
        }
        Yaml::BadValue | Yaml::Alias(_) | Yaml::Representation(..) => {
            Err(TemplateError::at(path, "is not a valid YAML value"))
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
    Some(match tag {
        "Ref" => json!({ "Ref": argument }),
        "Condition" => json!({ "Condition": argument }),
        "GetAtt" => match argument.as_str().and_then(|text| text.split_once('.')) {
            Some((resource, attribute)) => json!({ "Fn::GetAtt": [resource, attribute] }),
            None => json!({ "Fn::GetAtt": argument }),
        },
        "And" | "Equals" | "If" | "Join" | "Not" | "Sub" => {
            Value::Object(Map::from_iter([(format!("Fn::{tag}"), argument)]))
        }
        _ => return None,
    })
}

/// Appends a key to a path.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests;
