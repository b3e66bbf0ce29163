//! Converts YAML to JSON. The contract tests use it too, so that they test what is served.

use saphyr::{LoadableYamlNode, Scalar, Yaml};

/// Converts a text with one YAML document to JSON with the members in the order of the text. `replaced` has JSON for
/// members of the outermost object.
///
/// # Errors
///
/// Returns a sentence for invalid YAML, and for YAML without a counterpart in JSON, such as tags.
pub(crate) fn to_json(text: &str, replaced: &[(&str, &str)]) -> Result<String, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| error.to_string())?;
    let [Yaml::Mapping(members)] = documents.as_slice() else {
        return Err("the file must have one document, which is a mapping".to_owned());
    };
    let mut json = String::from("{");
    for (index, (key, value)) in members.iter().enumerate() {
        let key = key_text(key)?;
        write_key(&mut json, index, &key);
        match replaced.iter().find(|(name, _)| *name == key) {
            Some((_, replacement)) => json.push_str(replacement),
            None => write_value(&mut json, value)?,
        }
    }
    json.push('}');
    Ok(json)
}

fn write_value(json: &mut String, node: &Yaml<'_>) -> Result<(), String> {
    match node {
        Yaml::Value(Scalar::Null) => json.push_str("null"),
        Yaml::Value(Scalar::Boolean(value)) => json.push_str(&value.to_string()),
        Yaml::Value(Scalar::Integer(value)) => json.push_str(&value.to_string()),
        Yaml::Value(Scalar::FloatingPoint(value)) => json.push_str(&value.to_string()),
        Yaml::Value(Scalar::String(value)) => write_text(json, value),
        Yaml::Sequence(items) => {
            json.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                write_value(json, item)?;
            }
            json.push(']');
        }
        Yaml::Mapping(members) => {
            json.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                write_key(json, index, &key_text(key)?);
                write_value(json, value)?;
            }
            json.push('}');
        }
        other => return Err(format!("JSON has no counterpart of {other:?}")),
    }
    Ok(())
}

fn write_key(json: &mut String, index: usize, key: &str) {
    if index > 0 {
        json.push(',');
    }
    write_text(json, key);
    json.push(':');
}

fn key_text(key: &Yaml<'_>) -> Result<String, String> {
    match key {
        Yaml::Value(Scalar::String(key)) => Ok(key.to_string()),
        other => Err(format!("a key must be text: put {other:?} in quotation marks")),
    }
}

/// Writes a string (RFC 8259, section 7).
fn write_text(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            '\u{0}'..='\u{1f}' => json.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => json.push(character),
        }
    }
    json.push('"');
}
