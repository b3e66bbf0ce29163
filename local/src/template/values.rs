//! Scalars as CloudFormation takes them (`30` and `"30"` are one number), and typed sections with exact error paths.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::TemplateError;
use super::yaml::join;

/// A string; numbers and booleans are written out.
#[derive(Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(try_from = "Value")]
pub(super) struct Text(pub(super) String);

/// A whole number that is not negative.
#[derive(Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(try_from = "Value")]
pub(super) struct Integer(pub(super) u64);

/// Any finite number.
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
        number.map(Integer).ok_or_else(|| format!("expected a whole number, found {value}"))
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

/// A scalar as text; none for lists and maps.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Reads an evaluated section into its type; `path` is where the section is in the template.
pub(super) fn typed<T: DeserializeOwned>(value: Value, path: &str) -> Result<T, TemplateError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let inner = error.path().to_string();
        let path = if inner == "." { path.to_owned() } else { join(path, &inner) };
        let problem = error.into_inner().to_string();
        // serde lists every known name after this, which hides what is wrong.
        match problem.split_once("`, expected ").and_then(|(start, _)| start.strip_prefix("unknown field `")) {
            Some(name) => TemplateError::at(path, format!("a local run cannot honour {name}")),
            None => TemplateError::at(path, problem),
        }
    })
}
