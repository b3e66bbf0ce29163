//! The `Parameters` section: defaults, overrides, and constraints.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

use super::{
    TemplateError,
    values::{Decimal, Flag, Text, deserialize},
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Declaration {
    r#type: Type,
    default: Option<Text>,
    allowed_values: Option<Vec<Text>>,
    allowed_pattern: Option<String>,
    constraint_description: Option<String>,
    min_length: Option<Decimal>,
    max_length: Option<Decimal>,
    min_value: Option<Decimal>,
    max_value: Option<Decimal>,
    no_echo: Option<Flag>,
    #[expect(dead_code, reason = "documentation")]
    description: Option<IgnoredAny>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
enum Type {
    String,
    Number,
    CommaDelimitedList,
}

/// Returns the value of each parameter: a string, or a list of strings.
///
/// # Errors
///
/// Returns an error for an unknown or missing parameter, and for a value that violates a constraint.
pub(super) fn resolve(
    declared: &Map<String, Value>,
    overrides: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Value>, TemplateError> {
    if let Some(name) = overrides.keys().find(|name| !declared.contains_key(*name)) {
        return Err(TemplateError::at(format!("Parameters.{name}"), "the template has no such parameter"));
    }
    declared
        .iter()
        .map(|(name, value)| {
            let path = format!("Parameters.{name}");
            let declaration: Declaration = deserialize(value.clone(), &path)?;
            let text = match (overrides.get(name), declaration.default.as_ref()) {
                (Some(text), _) => text.clone(),
                (None, Some(text)) => text.0.clone(),
                (None, None) => return Err(TemplateError::at(path, "has neither a default nor a value")),
            };
            Ok((name.clone(), declaration.check(&text, &path)?))
        })
        .collect()
}

impl Declaration {
    fn check(&self, text: &str, path: &str) -> Result<Value, TemplateError> {
        let values: Vec<&str> = match self.r#type {
            Type::CommaDelimitedList => text.split(',').map(str::trim).collect(),
            Type::String | Type::Number => vec![text],
        };
        for value in &values {
            self.check_one(value, path)?;
        }
        Ok(match self.r#type {
            Type::CommaDelimitedList => values.into_iter().map(Value::from).collect(),
            Type::String | Type::Number => Value::from(text),
        })
    }

    fn check_one(&self, value: &str, path: &str) -> Result<(), TemplateError> {
        let violated = |rule: String| {
            let shown = if self.no_echo.as_ref().is_some_and(|flag| flag.0) { "its value" } else { value };
            let rule = self.constraint_description.clone().unwrap_or(rule);
            Err(TemplateError::at(path, format!("{shown:?}: {rule}")))
        };
        if let Some(allowed) = &self.allowed_values
            && !allowed.iter().any(|text| text.0 == value)
        {
            let allowed: Vec<_> = allowed.iter().map(|text| text.0.as_str()).collect();
            return violated(format!("must be one of {}", allowed.join(", ")));
        }
        if let Some(pattern) = &self.allowed_pattern {
            // CloudFormation matches the entire value (CloudFormation User Guide, *Parameters syntax*).
            let regex = Regex::new(&format!("^(?:{pattern})$")).map_err(|error| {
                TemplateError::at(format!("{path}.AllowedPattern"), format!("is not a valid pattern: {error}"))
            })?;
            if !regex.is_match(value) {
                return violated(format!("must match {pattern}"));
            }
        }
        if !in_range(value.chars().count() as f64, &self.min_length, &self.max_length) {
            return violated(format!("must have {} characters", range(&self.min_length, &self.max_length)));
        }
        if self.r#type == Type::Number {
            let Some(number) = value.parse::<f64>().ok().filter(|number| number.is_finite()) else {
                return violated("must be a number".to_owned());
            };
            if !in_range(number, &self.min_value, &self.max_value) {
                return violated(format!("must be {}", range(&self.min_value, &self.max_value)));
            }
        }
        Ok(())
    }
}

fn in_range(number: f64, min: &Option<Decimal>, max: &Option<Decimal>) -> bool {
    min.is_none_or(|min| number >= min.0) && max.is_none_or(|max| number <= max.0)
}

fn range(min: &Option<Decimal>, max: &Option<Decimal>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("between {} and {}", min.0, max.0),
        (Some(min), None) => format!("at least {}", min.0),
        (None, Some(max)) => format!("at most {}", max.0),
        (None, None) => "any number".to_owned(),
    }
}

#[cfg(test)]
mod tests;
