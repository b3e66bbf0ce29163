//! The `Parameters` section: defaults, overrides, and the constraints on both.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::TemplateError;
use super::values::{Decimal, Flag, Text, typed};

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
    #[expect(dead_code, reason = "for people who deploy")]
    description: Option<IgnoredAny>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
enum Type {
    String,
    Number,
    CommaDelimitedList,
}

/// The parameters' values: strings, and lists of strings.
pub(super) fn resolve(
    declared: &Map<String, Value>,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Value>, TemplateError> {
    if let Some(name) = given.keys().find(|name| !declared.contains_key(*name)) {
        return Err(TemplateError::at(format!("Parameters.{name}"), "the template has no such parameter"));
    }
    declared
        .iter()
        .map(|(name, value)| {
            let path = format!("Parameters.{name}");
            let declaration: Declaration = typed(value.clone(), &path)?;
            let text = match (given.get(name), declaration.default.as_ref()) {
                (Some(text), _) => text.clone(),
                (None, Some(text)) => text.0.clone(),
                (None, None) => return Err(TemplateError::at(path, "has no default and was given no value")),
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
        let refuse = |rule: String| {
            let shown = if self.no_echo.as_ref().is_some_and(|flag| flag.0) { "its value" } else { value };
            let rule = self.constraint_description.clone().unwrap_or(rule);
            Err(TemplateError::at(path, format!("{shown:?}: {rule}")))
        };
        if let Some(allowed) = &self.allowed_values
            && !allowed.iter().any(|text| text.0 == value)
        {
            let allowed: Vec<_> = allowed.iter().map(|text| text.0.as_str()).collect();
            return refuse(format!("must be one of {}", allowed.join(", ")));
        }
        if let Some(pattern) = &self.allowed_pattern {
            // CloudFormation matches the whole value (user guide, "Parameters syntax reference").
            let regex = Regex::new(&format!("^(?:{pattern})$")).map_err(|error| {
                TemplateError::at(format!("{path}.AllowedPattern"), format!("is no pattern: {error}"))
            })?;
            if !regex.is_match(value) {
                return refuse(format!("must match {pattern}"));
            }
        }
        let length = value.chars().count() as f64;
        if self.min_length.as_ref().is_some_and(|min| length < min.0)
            || self.max_length.as_ref().is_some_and(|max| length > max.0)
        {
            return refuse("is too short or too long".to_owned());
        }
        if self.r#type == Type::Number {
            let Some(number) = value.parse::<f64>().ok().filter(|number| number.is_finite()) else {
                return refuse("must be a number".to_owned());
            };
            if self.min_value.as_ref().is_some_and(|min| number < min.0)
                || self.max_value.as_ref().is_some_and(|max| number > max.0)
            {
                return refuse("is out of range".to_owned());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::json;

    use super::*;

    fn resolve_one(declaration: Value, given: Option<&str>) -> Result<Value, String> {
        let declared = Map::from_iter([("P".to_owned(), declaration)]);
        let given = given.map(|text| ("P".to_owned(), text.to_owned())).into_iter().collect();
        resolve(&declared, &given).map(|mut values| values.remove("P").unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_and_overrides() {
        let number = json!({"Type": "Number", "Default": 30, "MinValue": 1, "MaxValue": 100});
        assert_eq!(resolve_one(number.clone(), None), Ok(json!("30")));
        assert_eq!(resolve_one(number.clone(), Some("7")), Ok(json!("7")));
        assert_eq!(resolve_one(number.clone(), Some("700")), Err("Parameters.P: \"700\": is out of range".into()));
        assert_eq!(resolve_one(number, Some("x")), Err("Parameters.P: \"x\": must be a number".into()));
        let list = json!({"Type": "CommaDelimitedList", "Default": "a, b", "AllowedPattern": "[a-z]"});
        assert_eq!(resolve_one(list.clone(), None), Ok(json!(["a", "b"])));
        assert!(resolve_one(list, Some("a,B")).is_err());
    }

    #[test]
    fn constraints_are_held() {
        let allowed = json!({"Type": "String", "AllowedValues": ["arm64", "x86_64"]});
        assert!(resolve_one(allowed.clone(), Some("mips")).unwrap_err().contains("must be one of arm64, x86_64"));
        assert!(resolve_one(allowed, None).unwrap_err().contains("no default"));
        let pattern = json!({"Type": "String", "AllowedPattern": "[0-9]*", "ConstraintDescription": "digits only"});
        assert_eq!(resolve_one(pattern.clone(), Some("")), Ok(json!("")));
        assert_eq!(resolve_one(pattern, Some("1x")), Err("Parameters.P: \"1x\": digits only".into()));
        let secret = json!({"Type": "String", "NoEcho": true, "MinLength": 5});
        assert!(!resolve_one(secret, Some("hush")).unwrap_err().contains("hush"));
        let length = json!({"Type": "String", "MaxLength": 2});
        assert!(resolve_one(length, Some("abc")).is_err());
    }

    #[test]
    fn what_is_unknown_is_refused() {
        assert!(resolve_one(json!({"Type": "AWS::SSM::Parameter::Value<String>", "Default": "x"}), None).is_err());
        assert!(resolve_one(json!({"Type": "String", "Default": "x", "Colour": "red"}), None).is_err());
        assert!(resolve_one(json!({"Type": "String", "Default": "x", "AllowedPattern": "("}), None).is_err());
        let given = BTreeMap::from([("Q".to_owned(), String::new())]);
        assert!(resolve(&Map::new(), &given).unwrap_err().to_string().contains("Parameters.Q"));
    }
}
