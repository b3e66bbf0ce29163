//! Scalars with CloudFormation's type coercion (`30` and `"30"` are the same number), and deserialization with exact
//! error paths.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{TemplateError, yaml::join};

/// A string. Numbers and booleans are converted.
#[derive(Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(try_from = "Value")]
pub(super) struct Text(pub(super) String);

/// A non-negative integer.
#[derive(Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(try_from = "Value")]
pub(super) struct Integer(pub(super) u64);

/// A finite number.
#[derive(Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(try_from = "Value")]
pub(super) struct Decimal(pub(super) f64);

/// A boolean.
#[derive(Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(try_from = "Value")]
pub(super) struct Flag(pub(super) bool);

impl TryFrom<Value> for Text {
    type Error = String;

    fn try_from(value: Value) -> Result<Text, String> {
        text(&value).map(Text).ok_or_else(|| format!("expected text, found {value}"))
    }
}

impl TryFrom<Value> for Integer {
    type Error = String;

    fn try_from(value: Value) -> Result<Integer, String> {
        let number = text(&value).and_then(|text| text.parse().ok());
        number.map(Integer).ok_or_else(|| format!("expected a non-negative integer, found {value}"))
    }
}

impl TryFrom<Value> for Decimal {
    type Error = String;

    fn try_from(value: Value) -> Result<Decimal, String> {
        let number = text(&value).and_then(|text| text.parse().ok()).filter(|number: &f64| number.is_finite());
        number.map(Decimal).ok_or_else(|| format!("expected a number, found {value}"))
    }
}

impl TryFrom<Value> for Flag {
    type Error = String;

    fn try_from(value: Value) -> Result<Flag, String> {
        let flag = text(&value).and_then(|text| text.parse().ok());
        flag.map(Flag).ok_or_else(|| format!("expected true or false, found {value}"))
    }
}

/// Returns a scalar as text, or `None` for a list or map.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Deserializes an evaluated section. `path` is its location in the template.
pub(super) fn deserialize<T: DeserializeOwned>(value: Value, path: &str) -> Result<T, TemplateError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let inner = error.path().to_string();
        let path = if inner == "." { path.to_owned() } else { join(path, &inner) };
        let problem = error.into_inner().to_string();
        // serde appends all known names, which would bury the unknown one.
        match problem.split_once("`, expected ").and_then(|(start, _)| start.strip_prefix("unknown field `")) {
            Some(name) => TemplateError::at(path, format!("the local run does not support {name}")),
            None => TemplateError::at(path, problem),
        }
    })
}
