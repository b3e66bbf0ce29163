//! Filter patterns of an event source mapping (Lambda Developer Guide, *Control which events Lambda sends to your
//! function*, "Filter rule syntax"; Amazon EventBridge User Guide, *Comparison operators for use in event patterns*). A
//! pattern has the shape of the record, with a list of accepted values at each leaf. Only operators that Lambda documents
//! are supported, so that a pattern means the same on AWS.

use serde_json::{Map, Value};

/// An unsupported or invalid filter pattern.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("filter pattern at {path}: {problem}")]
pub struct FilterError {
    /// The location in the pattern, such as `dynamodb.NewImage.status`.
    pub path: String,
    /// The problem.
    pub problem: String,
}

/// The compiled patterns of a mapping.
#[derive(Debug)]
pub(super) struct Filter {
    any_of: Vec<Pattern>,
}

#[derive(Debug)]
enum Pattern {
    /// The members of an object.
    All(Vec<Pattern>),
    /// `$or`.
    Any(Vec<Pattern>),
    Field(String, Box<Pattern>),
    Leaf(Vec<Matcher>),
}

#[derive(Debug)]
enum Matcher {
    Equals(Value),
    /// In lowercase.
    EqualsIgnoreCase(String),
    Prefix(String),
    Suffix(String),
    AnythingBut(Vec<Value>),
    Exists(bool),
}

impl Filter {
    /// Compiles the patterns. Without patterns, every record matches.
    pub(super) fn compile(patterns: &[Value]) -> Result<Filter, FilterError> {
        let any_of = patterns.iter().map(|pattern| match pattern {
            Value::Object(fields) => compile_fields(fields, ""),
            _ => Err(error("the root", "must be an object")),
        });
        Ok(Filter { any_of: any_of.collect::<Result<_, _>>()? })
    }

    /// Returns whether any pattern matches the record.
    pub(super) fn accepts(&self, record: &Value) -> bool {
        self.any_of.is_empty() || self.any_of.iter().any(|pattern| pattern.matches(Some(record)))
    }
}

fn compile_fields(fields: &Map<String, Value>, path: &str) -> Result<Pattern, FilterError> {
    if fields.is_empty() {
        return Err(error(path, "Lambda rejects empty objects"));
    }
    let compiled = fields.iter().map(|(name, pattern)| {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if name == "$or" {
            return compile_or(pattern, &path);
        }
        let pattern = match pattern {
            Value::Object(fields) => compile_fields(fields, &path)?,
            Value::Array(values) if values.is_empty() => return Err(error(&path, "a list must not be empty")),
            Value::Array(values) => {
                Pattern::Leaf(values.iter().map(|v| compile_matcher(v, &path)).collect::<Result<_, _>>()?)
            }
            _ => return Err(error(&path, "a value must be in a list")),
        };
        Ok(Pattern::Field(name.clone(), Box::new(pattern)))
    });
    Ok(Pattern::All(compiled.collect::<Result<_, _>>()?))
}

/// Compiles the alternatives of `$or`. With fewer than two objects, AWS takes `$or` for the name of a field (Event Ruler,
/// `$or`).
fn compile_or(alternatives: &Value, path: &str) -> Result<Pattern, FilterError> {
    let problem = "$or must be a list of at least two objects";
    let alternatives = alternatives.as_array().filter(|alternatives| alternatives.len() >= 2);
    let any_of = alternatives.ok_or_else(|| error(path, problem))?.iter().map(|alternative| match alternative {
        Value::Object(fields) => compile_fields(fields, path),
        _ => Err(error(path, problem)),
    });
    Ok(Pattern::Any(any_of.collect::<Result<_, _>>()?))
}

fn compile_matcher(value: &Value, path: &str) -> Result<Matcher, FilterError> {
    let operator = match value {
        Value::Object(operator) => operator,
        Value::Array(_) => return Err(error(path, "lists cannot be nested")),
        scalar => return Ok(Matcher::Equals(scalar.clone())),
    };
    let mut members = operator.iter();
    let (Some((name, operand)), None) = (members.next(), members.next()) else {
        return Err(error(path, "an operator must have exactly one member"));
    };
    match (name.as_str(), operand) {
        ("prefix", Value::String(prefix)) => Ok(Matcher::Prefix(prefix.clone())),
        ("suffix", Value::String(suffix)) => Ok(Matcher::Suffix(suffix.clone())),
        ("equals-ignore-case", Value::String(text)) => Ok(Matcher::EqualsIgnoreCase(text.to_lowercase())),
        ("exists", Value::Bool(wanted)) => Ok(Matcher::Exists(*wanted)),
        ("anything-but", Value::Array(values)) if !values.is_empty() && values.iter().all(is_scalar) => {
            Ok(Matcher::AnythingBut(values.clone()))
        }
        ("anything-but", scalar) if is_scalar(scalar) => Ok(Matcher::AnythingBut(vec![scalar.clone()])),
        // "DynamoDB event filtering does not support the use of numeric operators", because numbers in a stream record
        // are strings (*Using event filtering with a DynamoDB event source*). Such a filter never matches on AWS.
        ("numeric", _) => {
            Err(error(path, "Lambda does not support numeric operators for DynamoDB, whose numbers are strings"))
        }
        // EventBridge pipes don't support `anything-but` with another operator, and Lambda doesn't document it.
        ("prefix" | "suffix" | "equals-ignore-case" | "exists" | "anything-but", _) => {
            Err(error(path, &format!("invalid operand for {name}")))
        }
        _ => Err(error(path, &format!("the local run does not support the operator {name}"))),
    }
}

fn error(path: &str, problem: &str) -> FilterError {
    FilterError {
        path: if path.is_empty() { "the root".to_owned() } else { path.to_owned() },
        problem: problem.to_owned(),
    }
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

impl Pattern {
    /// Matches a value; `None` is an absent field. A list matches if any of its elements does.
    fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (pattern, Some(Value::Array(elements))) if !elements.is_empty() => {
                elements.iter().any(|element| pattern.matches(Some(element)))
            }
            (Pattern::All(patterns), value) => patterns.iter().all(|pattern| pattern.matches(value)),
            (Pattern::Any(patterns), value) => patterns.iter().any(|pattern| pattern.matches(value)),
            (Pattern::Field(name, pattern), value) => pattern.matches(value.and_then(|value| value.get(name))),
            // Operators apply to leaves only. Objects and empty lists count as absent.
            (Pattern::Leaf(matchers), value) => {
                let leaf = value.filter(|value| is_scalar(value));
                matchers.iter().any(|matcher| matcher.matches(leaf))
            }
        }
    }
}

impl Matcher {
    fn matches(&self, leaf: Option<&Value>) -> bool {
        match (self, leaf) {
            (Matcher::Exists(wanted), leaf) => *wanted == leaf.is_some(),
            (_, None) => false,
            (Matcher::Equals(wanted), Some(value)) => equal(wanted, value),
            (Matcher::EqualsIgnoreCase(wanted), Some(value)) => text(value, |text| text.to_lowercase() == *wanted),
            (Matcher::Prefix(prefix), Some(value)) => text(value, |text| text.starts_with(prefix)),
            (Matcher::Suffix(suffix), Some(value)) => text(value, |text| text.ends_with(suffix)),
            (Matcher::AnythingBut(excluded), Some(value)) => !excluded.iter().any(|excluded| equal(excluded, value)),
        }
    }
}

/// Returns whether the value is a text that meets the condition.
fn text(value: &Value, condition: impl Fn(&str) -> bool) -> bool {
    value.as_str().is_some_and(condition)
}

/// Compares two values. `1` equals `1.0`; a string never equals a number.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests;
