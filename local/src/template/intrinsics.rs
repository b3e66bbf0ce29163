//! CloudFormation's intrinsic functions and conditions, as far as the template uses them (CloudFormation Template
//! Reference, *Intrinsic functions*).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    TemplateError,
    return_values::{self, ACCOUNT, REGION, STACK},
    values::text,
    yaml::join,
};

/// The names that intrinsic functions can refer to.
pub(super) struct Scope<'a> {
    pub(super) parameters: &'a BTreeMap<String, Value>,
    pub(super) conditions: &'a Map<String, Value>,
    /// The types of the created resources by logical ID.
    pub(super) resources: &'a BTreeMap<String, String>,
}

type Evaluated<T> = Result<T, TemplateError>;

/// Returns the name and argument if the map is a function call.
pub(super) fn as_intrinsic(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = map.iter().next().filter(|_| map.len() == 1)?;
    (name == "Ref" || name.starts_with("Fn::")).then_some((name, argument))
}

impl Scope<'_> {
    /// Replaces every function call with its result. Returns `None` for `AWS::NoValue`.
    pub(super) fn evaluate(&self, value: &Value, path: &str) -> Evaluated<Option<Value>> {
        match value {
            Value::Array(items) => {
                let mut evaluated = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    evaluated.extend(self.evaluate(item, &format!("{path}[{index}]"))?);
                }
                Ok(Some(Value::Array(evaluated)))
            }
            Value::Object(map) => match as_intrinsic(map) {
                Some((name, argument)) => self.call(name, argument, path),
                None => {
                    let mut evaluated = Map::new();
                    for (name, member) in map {
                        if let Some(member) = self.evaluate(member, &join(path, name))? {
                            evaluated.insert(name.clone(), member);
                        }
                    }
                    Ok(Some(Value::Object(evaluated)))
                }
            },
            scalar => Ok(Some(scalar.clone())),
        }
    }

    /// Evaluates the condition `name`.
    pub(super) fn condition(&self, name: &str, path: &str) -> Evaluated<bool> {
        self.condition_within(name, path, &mut Vec::new())
    }

    fn call(&self, name: &str, argument: &Value, path: &str) -> Evaluated<Option<Value>> {
        let path = &format!("{path} ({name})");
        match name {
            "Ref" => match argument.as_str() {
                Some("AWS::NoValue") => Ok(None),
                Some(name) => self.reference(name, path).map(Some),
                None => Err(TemplateError::at(path, "expected a name")),
            },
            "Fn::If" => {
                let [condition, then, otherwise] = arguments(argument, path)?;
                let condition = condition.as_str().ok_or_else(|| TemplateError::at(path, "expected a condition"))?;
                self.evaluate(if self.condition(condition, path)? { then } else { otherwise }, path)
            }
            "Fn::GetAtt" => {
                let [resource, attribute] = arguments(argument, path)?;
                let (resource, attribute) = (self.text(resource, path)?, self.text(attribute, path)?);
                self.attribute(&resource, &attribute, path).map(|value| Some(Value::String(value)))
            }
            "Fn::Sub" => self.substitute(argument, path).map(|value| Some(Value::String(value))),
            "Fn::Join" => {
                let [delimiter, items] = arguments(argument, path)?;
                let items = self.texts(items, path)?;
                Ok(Some(Value::String(items.join(&self.text(delimiter, path)?))))
            }
            _ => Err(TemplateError::at(path, "the local run does not support this function")),
        }
    }

    fn reference(&self, name: &str, path: &str) -> Evaluated<Value> {
        let pseudo = match name {
            "AWS::AccountId" => Some(ACCOUNT),
            "AWS::Partition" => Some("aws"),
            "AWS::Region" => Some(REGION),
            "AWS::StackName" => Some(STACK),
            "AWS::URLSuffix" => Some("amazonaws.com"),
            _ => None,
        };
        if let Some(value) = pseudo {
            return Ok(Value::from(value));
        }
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.clone());
        }
        let kind = self.resources.get(name).ok_or_else(|| unknown_name(name, path))?;
        let value = return_values::reference(kind, name);
        value.map(Value::String).ok_or_else(|| unsupported_reference(name, kind, path))
    }

    fn attribute(&self, resource: &str, attribute: &str, path: &str) -> Evaluated<String> {
        let kind = self.resources.get(resource).ok_or_else(|| unknown_name(resource, path))?;
        return_values::attribute(kind, resource, attribute)
            .ok_or_else(|| unsupported_reference(&format!("{resource}.{attribute}"), kind, path))
    }

    fn substitute(&self, argument: &Value, path: &str) -> Evaluated<String> {
        let none = Map::new();
        let (template, variables) = match argument {
            Value::String(template) => (template, &none),
            Value::Array(items) => match items.as_slice() {
                [Value::String(template), Value::Object(variables)] => (template, variables),
                _ => return Err(TemplateError::at(path, "expected [text, variables]")),
            },
            _ => return Err(TemplateError::at(path, "expected text, or [text, variables]")),
        };
        let mut result = String::new();
        let mut rest = template.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            result.push_str(before);
            let (name, after) =
                after.split_once('}').ok_or_else(|| TemplateError::at(path, "has a ${ without a closing }"))?;
            rest = after;
            let value = if let Some(literal) = name.strip_prefix('!') {
                format!("${{{literal}}}")
            } else if let Some(variable) = variables.get(name) {
                self.text(variable, path)?
            } else if let Some((resource, attribute)) = name.split_once('.') {
                self.attribute(resource, attribute, path)?
            } else {
                let value = self.reference(name, path)?;
                text(&value).ok_or_else(|| TemplateError::at(path, format!("{name} is not text")))?
            };
            result.push_str(&value);
        }
        result.push_str(rest);
        Ok(result)
    }

    fn text(&self, value: &Value, path: &str) -> Evaluated<String> {
        let value = self.evaluate(value, path)?;
        value.as_ref().and_then(text).ok_or_else(|| TemplateError::at(path, "expected text"))
    }

    fn texts(&self, value: &Value, path: &str) -> Evaluated<Vec<String>> {
        let Some(Value::Array(items)) = self.evaluate(value, path)? else {
            return Err(TemplateError::at(path, "expected a list"));
        };
        let texts: Option<Vec<String>> = items.iter().map(text).collect();
        texts.ok_or_else(|| TemplateError::at(path, "expected a list of text values"))
    }

    /// Evaluates the condition `name` within the conditions in `trail`.
    fn condition_within(&self, name: &str, path: &str, trail: &mut Vec<String>) -> Evaluated<bool> {
        let Some(condition) = self.conditions.get(name) else {
            return Err(TemplateError::at(path, format!("there is no condition {name}")));
        };
        let path = format!("Conditions.{name}");
        if trail.iter().any(|outer| outer == name) {
            return Err(TemplateError::at(path, "refers to itself"));
        }
        trail.push(name.to_owned());
        let result = self.condition_function(condition, &path, trail);
        trail.pop();
        result
    }

    fn condition_function(&self, condition: &Value, path: &str, trail: &mut Vec<String>) -> Evaluated<bool> {
        let call = condition.as_object().filter(|map| map.len() == 1).and_then(|map| map.iter().next());
        let Some((name, argument)) = call else {
            return Err(TemplateError::at(path, "expected a condition function"));
        };
        match name.as_str() {
            "Condition" => match argument.as_str() {
                Some(name) => self.condition_within(name, path, trail),
                None => Err(TemplateError::at(path, "expected the name of a condition")),
            },
            "Fn::Equals" => {
                let [left, right] = arguments(argument, path)?;
                Ok(self.text(left, path)? == self.text(right, path)?)
            }
            "Fn::Not" => {
                let [inner] = arguments(argument, path)?;
                Ok(!self.condition_function(inner, path, trail)?)
            }
            "Fn::And" => {
                let [left, right] = arguments(argument, path)?;
                Ok(self.condition_function(left, path, trail)? & self.condition_function(right, path, trail)?)
            }
            _ => Err(TemplateError::at(path, format!("the local run does not support {name} in a condition"))),
        }
    }
}

fn arguments<'v, const N: usize>(argument: &'v Value, path: &str) -> Evaluated<[&'v Value; N]> {
    let items: Vec<&Value> = argument.as_array().map(|items| items.iter().collect()).unwrap_or_default();
    items.try_into().map_err(|_| TemplateError::at(path, format!("expected a list of {N}")))
}

fn unknown_name(name: &str, path: &str) -> TemplateError {
    TemplateError::at(path, format!("there is no parameter or resource {name}"))
}

fn unsupported_reference(name: &str, kind: &str, path: &str) -> TemplateError {
    TemplateError::at(path, format!("the local run has no value for {name} of {kind}"))
}

#[cfg(test)]
mod tests;
