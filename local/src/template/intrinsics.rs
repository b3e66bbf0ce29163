//! CloudFormation's intrinsic functions and conditions (user guide, "Intrinsic function reference").

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::TemplateError;
use super::stand_in::{self, ACCOUNT, REGION, STACK};
use super::values::text;
use super::yaml::join;

/// What names in a template stand for.
pub(super) struct Scope<'a> {
    pub(super) parameters: &'a BTreeMap<String, Value>,
    pub(super) mappings: &'a Map<String, Value>,
    pub(super) conditions: &'a Map<String, Value>,
    /// The type of each resource that is created.
    pub(super) resources: &'a BTreeMap<String, String>,
}

type Evaluated<T> = Result<T, TemplateError>;

/// The function's name and argument, when the map is a call.
pub(super) fn as_intrinsic(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = map.iter().next().filter(|_| map.len() == 1)?;
    (name == "Ref" || name.starts_with("Fn::")).then_some((name, argument))
}

impl Scope<'_> {
    /// The value with every call replaced by its result; none for `AWS::NoValue`.
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

    /// Whether the condition of this name holds.
    pub(super) fn holds(&self, name: &str, path: &str) -> Evaluated<bool> {
        self.holds_within(name, path, &mut Vec::new())
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
                self.evaluate(if self.holds(condition, path)? { then } else { otherwise }, path)
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
            "Fn::Split" => {
                let [delimiter, whole] = arguments(argument, path)?;
                let (delimiter, whole) = (self.text(delimiter, path)?, self.text(whole, path)?);
                Ok(Some(whole.split(&delimiter).map(Value::from).collect()))
            }
            "Fn::Select" => {
                let [index, items] = arguments(argument, path)?;
                let index: Option<usize> = self.text(index, path)?.parse().ok();
                let Some(Value::Array(mut items)) = self.evaluate(items, path)? else {
                    return Err(TemplateError::at(path, "expected a list"));
                };
                match index.filter(|index| *index < items.len()) {
                    Some(index) => Ok(Some(items.swap_remove(index))),
                    None => Err(TemplateError::at(path, "the index is not in the list")),
                }
            }
            "Fn::FindInMap" => {
                let [map, first, second] = arguments(argument, path)?;
                let keys = [self.text(map, path)?, self.text(first, path)?, self.text(second, path)?];
                let found = self.mappings.get(&keys[0]).and_then(|map| map.get(&keys[1])?.get(&keys[2]));
                let found = found.ok_or_else(|| TemplateError::at(path, format!("there is no {}", keys.join("."))))?;
                Ok(Some(found.clone()))
            }
            _ => Err(TemplateError::at(path, "a local run cannot evaluate this function")),
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
        let kind = self.resources.get(name).ok_or_else(|| no_such(name, path))?;
        let value = stand_in::reference(kind, name);
        value.map(Value::String).ok_or_else(|| no_stand_in(name, kind, path))
    }

    fn attribute(&self, resource: &str, attribute: &str, path: &str) -> Evaluated<String> {
        let kind = self.resources.get(resource).ok_or_else(|| no_such(resource, path))?;
        stand_in::attribute(kind, resource, attribute)
            .ok_or_else(|| no_stand_in(&format!("{resource}.{attribute}"), kind, path))
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
                after.split_once('}').ok_or_else(|| TemplateError::at(path, "has a ${ without its }"))?;
            rest = after;
            let value = if let Some(literal) = name.strip_prefix('!') {
                format!("${{{literal}}}")
            } else if let Some(variable) = variables.get(name) {
                self.text(variable, path)?
            } else if let Some((resource, attribute)) = name.split_once('.') {
                self.attribute(resource, attribute, path)?
            } else {
                let value = self.reference(name, path)?;
                text(&value).ok_or_else(|| TemplateError::at(path, format!("{name} is no text")))?
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
        texts.ok_or_else(|| TemplateError::at(path, "expected a list of texts"))
    }

    fn holds_within(&self, name: &str, path: &str, trail: &mut Vec<String>) -> Evaluated<bool> {
        let Some(condition) = self.conditions.get(name) else {
            return Err(TemplateError::at(path, format!("there is no condition {name}")));
        };
        let path = format!("Conditions.{name}");
        if trail.iter().any(|passed| passed == name) {
            return Err(TemplateError::at(path, "refers to itself"));
        }
        trail.push(name.to_owned());
        let result = self.test(condition, &path, trail);
        trail.pop();
        result
    }

    fn test(&self, condition: &Value, path: &str, trail: &mut Vec<String>) -> Evaluated<bool> {
        let call = condition.as_object().filter(|map| map.len() == 1).and_then(|map| map.iter().next());
        let Some((name, argument)) = call else {
            return Err(TemplateError::at(path, "expected a condition function"));
        };
        match name.as_str() {
            "Condition" => match argument.as_str() {
                Some(name) => self.holds_within(name, path, trail),
                None => Err(TemplateError::at(path, "expected a condition's name")),
            },
            "Fn::Equals" => {
                let [left, right] = arguments(argument, path)?;
                Ok(self.text(left, path)? == self.text(right, path)?)
            }
            "Fn::Not" => {
                let [inner] = arguments(argument, path)?;
                Ok(!self.test(inner, path, trail)?)
            }
            "Fn::And" | "Fn::Or" => {
                let inner = argument.as_array().ok_or_else(|| TemplateError::at(path, "expected a list"))?;
                // All are looked at, so that a mistake in one does not hide behind another.
                let inner: Vec<bool> = inner.iter().map(|one| self.test(one, path, trail)).collect::<Result<_, _>>()?;
                Ok(if name == "Fn::And" { inner.iter().all(|one| *one) } else { inner.iter().any(|one| *one) })
            }
            _ => Err(TemplateError::at(path, format!("{name} is no condition function"))),
        }
    }
}

fn arguments<'v, const N: usize>(argument: &'v Value, path: &str) -> Evaluated<[&'v Value; N]> {
    let items: Vec<&Value> = argument.as_array().map(|items| items.iter().collect()).unwrap_or_default();
    items.try_into().map_err(|_| TemplateError::at(path, format!("expected a list of {N}")))
}

fn no_such(name: &str, path: &str) -> TemplateError {
    TemplateError::at(path, format!("there is no parameter or resource {name}"))
}

fn no_stand_in(name: &str, kind: &str, path: &str) -> TemplateError {
    TemplateError::at(path, format!("a local run has no stand-in for {name} of {kind}"))
}

#[cfg(test)]
#[path = "intrinsics_tests.rs"]
mod tests;
