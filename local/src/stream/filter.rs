//! Filter patterns of an event source mapping ("Control which events Lambda sends to your function", Lambda Developer
//! Guide): a pattern has the shape of the record, and a list of accepted values at each leaf.

use serde_json::{Map, Value};

/// Why a pattern cannot be honoured.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the filter pattern at {path}: {problem}")]
pub struct FilterError {
    /// Where in the pattern, as `dynamodb.NewImage.status`.
    pub path: String,
    /// What is the matter.
    pub problem: String,
}

/// The compiled patterns of a mapping.
#[derive(Debug)]
pub(super) struct Filter {
    any_of: Vec<Pattern>,
}

#[derive(Debug)]
enum Pattern {
    Fields(Vec<(String, Pattern)>),
    Leaf(Vec<Matcher>),
}

#[derive(Debug)]
enum Matcher {
    Equals(Value),
    Prefix(String),
    AnythingBut(Vec<Value>),
    AnythingButPrefix(String),
    Exists(bool),
}

impl Filter {
    /// Compiles the patterns; without any, every record is accepted.
    pub(super) fn compile(patterns: &[Value]) -> Result<Filter, FilterError> {
        let any_of = patterns.iter().map(|pattern| match pattern {
            Value::Object(fields) => compile_fields(fields, ""),
            _ => Err(error("the top", "must be an object")),
        });
        Ok(Filter { any_of: any_of.collect::<Result<_, _>>()? })
    }

    /// Whether the function is to see the record.
    pub(super) fn accepts(&self, record: &Value) -> bool {
        self.any_of.is_empty() || self.any_of.iter().any(|pattern| pattern.matches(Some(record)))
    }
}

fn compile_fields(fields: &Map<String, Value>, path: &str) -> Result<Pattern, FilterError> {
    if fields.is_empty() {
        return Err(error(path, "an empty object matches nothing that Lambda accepts"));
    }
    let compiled = fields.iter().map(|(name, pattern)| {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if name == "$or" {
            return Err(error(&path, "$or is not supported by the local run"));
        }
        let pattern = match pattern {
            Value::Object(fields) => compile_fields(fields, &path)?,
            Value::Array(values) if values.is_empty() => return Err(error(&path, "an empty list matches nothing")),
            Value::Array(values) => {
                Pattern::Leaf(values.iter().map(|v| compile_matcher(v, &path)).collect::<Result<_, _>>()?)
            }
            _ => return Err(error(&path, "a value must be in a list")),
        };
        Ok((name.clone(), pattern))
    });
    Ok(Pattern::Fields(compiled.collect::<Result<_, _>>()?))
}

fn compile_matcher(value: &Value, path: &str) -> Result<Matcher, FilterError> {
    let operator = match value {
        Value::Object(operator) => operator,
        Value::Array(_) => return Err(error(path, "a list in a list")),
        scalar => return Ok(Matcher::Equals(scalar.clone())),
    };
    let mut members = operator.iter();
    let (Some((name, operand)), None) = (members.next(), members.next()) else {
        return Err(error(path, "an operator is an object with one member"));
    };
    match (name.as_str(), operand) {
        ("prefix", Value::String(prefix)) => Ok(Matcher::Prefix(prefix.clone())),
        ("exists", Value::Bool(wanted)) => Ok(Matcher::Exists(*wanted)),
        ("anything-but", Value::Object(inner)) => match (inner.get("prefix"), inner.len()) {
            (Some(Value::String(prefix)), 1) => Ok(Matcher::AnythingButPrefix(prefix.clone())),
            _ => Err(error(path, "the local run knows anything-but with values or a prefix")),
        },
        ("anything-but", Value::Array(values)) if !values.is_empty() && values.iter().all(is_scalar) => {
            Ok(Matcher::AnythingBut(values.clone()))
        }
        ("anything-but", scalar) if is_scalar(scalar) => Ok(Matcher::AnythingBut(vec![scalar.clone()])),
        // "DynamoDB event filtering does not support the use of numeric operators": numbers are strings in a stream
        // record ("Using event filtering with a DynamoDB event source"). Such a filter would never match on AWS.
        ("numeric", _) => {
            Err(error(path, "Lambda does not support numeric operators for DynamoDB, whose numbers are strings"))
        }
        ("prefix" | "exists" | "anything-but", _) => Err(error(path, &format!("{name} with such an operand"))),
        _ => Err(error(path, &format!("the operator {name} is not supported by the local run"))),
    }
}

fn error(path: &str, problem: &str) -> FilterError {
    FilterError {
        path: if path.is_empty() { "the top".to_owned() } else { path.to_owned() },
        problem: problem.to_owned(),
    }
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

impl Pattern {
    /// `None` is a field that the record does not have. A list in the record matches by any of its elements.
    fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (pattern, Some(Value::Array(elements))) if !elements.is_empty() => {
                elements.iter().any(|element| pattern.matches(Some(element)))
            }
            (Pattern::Fields(fields), value) => {
                fields.iter().all(|(name, pattern)| pattern.matches(value.and_then(|value| value.get(name))))
            }
            // Operators look at leaves only: for them an object, or an empty list, is not there.
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
            (Matcher::Prefix(prefix), Some(value)) => starts_with(value, prefix),
            (Matcher::AnythingBut(refused), Some(value)) => !refused.iter().any(|refused| equal(refused, value)),
            (Matcher::AnythingButPrefix(prefix), Some(value)) => value.is_string() && !starts_with(value, prefix),
        }
    }
}

fn starts_with(value: &Value, prefix: &str) -> bool {
    value.as_str().is_some_and(|text| text.starts_with(prefix))
}

/// `1` and `1.0` are one number; a string is never a number.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    fn accepts(pattern: Value, record: &Value) -> bool {
        Filter::compile(&[pattern]).unwrap().accepts(record)
    }

    fn record() -> Value {
        json!({
            "eventName": "INSERT",
            "dynamodb": {
                "SizeBytes": 26,
                "NewImage": {
                    "entity": {"S": "message"}, "status": {"S": "pending"}, "n": {"N": "5"}, "gone": {"NULL": true},
                    "tags": {"SS": ["a", "b"]}, "list": {"L": [{"S": "x"}, {"S": "y"}]}, "empty": {"L": []},
                },
            },
        })
    }

    fn image(field: &str, typed: Value) -> Value {
        json!({"dynamodb": {"NewImage": {field: typed}}})
    }

    #[test]
    fn a_pending_message_that_is_inserted_is_accepted_and_nothing_else() {
        let pattern = || {
            json!({"eventName": ["INSERT"],
            "dynamodb": {"NewImage": {"entity": {"S": ["message"]}, "status": {"S": ["pending"]}}}})
        };
        assert!(accepts(pattern(), &record()));
        for (pointer, other) in [
            ("/eventName", json!("MODIFY")),
            ("/dynamodb/NewImage/entity/S", json!("chat")),
            ("/dynamodb/NewImage/status", json!({"N": "1"})),
            ("/dynamodb/NewImage", json!({})),
            ("/dynamodb/NewImage", Value::Null),
            ("/dynamodb", json!("text")),
        ] {
            let mut record = record();
            *record.pointer_mut(pointer).unwrap() = other;
            assert!(!accepts(pattern(), &record), "{pointer}");
        }
    }

    #[test]
    fn operators() {
        for (field, typed, expected) in [
            ("status", json!({"S": ["sent", "pending"]}), true),
            ("status", json!({"S": [{"prefix": "pen"}]}), true),
            ("status", json!({"S": [{"prefix": "x"}]}), false),
            ("status", json!({"S": [{"anything-but": ["sent"]}]}), true),
            ("status", json!({"S": [{"anything-but": "pending"}]}), false),
            ("status", json!({"S": [{"anything-but": {"prefix": "pen"}}]}), false),
            ("status", json!({"S": [{"exists": true}]}), true),
            ("status", json!({"S": [{"exists": false}]}), false),
            ("missing", json!({"S": [{"exists": false}]}), true),
            ("missing", json!({"S": [{"exists": true}]}), false),
            ("missing", json!({"S": [{"anything-but": ["a"]}]}), false),
            // An attribute itself is no leaf.
            ("status", json!([{"exists": true}]), false),
            ("status", json!([{"exists": false}]), true),
            ("n", json!({"N": ["5"]}), true),
            ("n", json!({"N": [5]}), false),
            ("gone", json!({"NULL": [true]}), true),
            ("gone", json!({"NULL": [null]}), false),
            ("tags", json!({"SS": ["b"]}), true),
            ("tags", json!({"SS": ["c"]}), false),
            ("list", json!({"L": {"S": ["y"]}}), true),
            ("empty", json!({"L": [{"exists": false}]}), true),
        ] {
            assert_eq!(accepts(image(field, typed.clone()), &record()), expected, "{field} {typed}");
        }
        assert!(accepts(json!({"dynamodb": {"SizeBytes": [26.0]}}), &record()));
        assert!(accepts(json!({"dynamodb": {"OldImage": {"status": {"S": [{"exists": false}]}}}}), &record()));
        assert!(accepts(json!({"x": [null]}), &json!({"x": null})));
    }

    #[test]
    fn any_of_several_patterns_is_enough_and_none_accepts_all() {
        let modify = json!({"eventName": ["MODIFY"]});
        let filter = Filter::compile(&[modify.clone(), json!({"eventName": ["INSERT"]})]).unwrap();
        assert!(filter.accepts(&record()));
        assert!(!Filter::compile(&[modify]).unwrap().accepts(&record()));
        assert!(Filter::compile(&[]).unwrap().accepts(&record()));
    }

    #[test]
    fn what_cannot_be_honoured_is_an_error_that_names_its_place() {
        for (pattern, path) in [
            (json!("INSERT"), "the top"),
            (json!({}), "the top"),
            (json!({"eventName": "INSERT"}), "eventName"),
            (json!({"eventName": []}), "eventName"),
            (json!({"eventName": [["INSERT"]]}), "eventName"),
            (json!({"eventName": [{"suffix": "T"}]}), "eventName"),
            (json!({"eventName": [{"prefix": "I", "exists": true}]}), "eventName"),
            (json!({"eventName": [{"exists": "yes"}]}), "eventName"),
            (json!({"eventName": [{"anything-but": []}]}), "eventName"),
            (json!({"dynamodb": {"NewImage": {}}}), "dynamodb.NewImage"),
            (image("n", json!({"N": [{"numeric": [">", 1]}]})), "dynamodb.NewImage.n.N"),
            (json!({"$or": [{"eventName": ["INSERT"]}]}), "$or"),
        ] {
            assert_eq!(Filter::compile(std::slice::from_ref(&pattern)).unwrap_err().path, path, "{pattern}");
        }
    }
}
