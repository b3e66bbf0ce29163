//! The sizes of keys, which the embedded database checks only for the table's own keys in `Key` and `Item`: up to 2,048
//! bytes for a partition key and 1,024 for a sort key, in indexes and key conditions too (Developer Guide, *Constraints
//! in Amazon DynamoDB*).

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::template::Table;

const PARTITION_KEY_BYTES: usize = 2048;
const SORT_KEY_BYTES: usize = 1024;

/// The limit of each attribute that is a key of the table or of an index. An attribute that is both has the lower one.
pub(super) struct KeyLimits(HashMap<String, usize>);

impl KeyLimits {
    pub(super) fn new(table: &Table) -> KeyLimits {
        let mut limits = HashMap::new();
        let indexes = ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"];
        let indexes = indexes.iter().filter_map(|kind| table.create[kind].as_array()).flatten();
        for schema in std::iter::once(&table.create).chain(indexes) {
            for key in schema["KeySchema"].as_array().into_iter().flatten() {
                let limit = if key["KeyType"] == "HASH" { PARTITION_KEY_BYTES } else { SORT_KEY_BYTES };
                let known = limits.entry(key["AttributeName"].as_str().unwrap_or_default().to_owned()).or_insert(limit);
                *known = limit.min(*known);
            }
        }
        KeyLimits(limits)
    }

    /// Returns DynamoDB's error for a request with a key value that is too long.
    pub(super) fn check(&self, request: &[u8]) -> Result<(), Value> {
        // The database itself rejects a body that is not JSON.
        let Ok(request) = serde_json::from_slice::<Value>(request) else { return Ok(()) };
        match self.first_too_long(&request) {
            None => Ok(()),
            Some(limit) => {
                let message = if limit == PARTITION_KEY_BYTES {
                    "Size of hashkey has exceeded the maximum size limit of2048 bytes"
                } else {
                    "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
                };
                let message = format!("One or more parameter values were invalid: {message}");
                Err(json!({"__type": "com.amazon.coral.validate#ValidationException", "message": message}))
            }
        }
    }

    /// Looks into items, keys, and the expressions that compare or set key attributes, at any depth: batches and
    /// transactions contain the same members as single requests.
    fn first_too_long(&self, request: &Value) -> Option<usize> {
        match request {
            Value::Array(list) => list.iter().find_map(|part| self.first_too_long(part)),
            Value::Object(members) => {
                let in_items = ["Item", "Key"].iter().filter_map(|name| members.get(*name)?.as_object()).flatten();
                let in_items = in_items.map(|(name, value)| (name.as_str(), value));
                let expressions = ["KeyConditionExpression", "UpdateExpression"].iter();
                let expressions = expressions.filter_map(|name| members.get(*name)?.as_str());
                let in_expressions = expressions.flat_map(|expression| bindings(expression, request));
                let too_long = |(name, value): (&str, &Value)| {
                    let limit = *self.0.get(name)?;
                    (value["S"].as_str()?.len() > limit).then_some(limit)
                };
                let found = in_items.chain(in_expressions).find_map(too_long);
                found.or_else(|| members.values().find_map(|part| self.first_too_long(part)))
            }
            _ => None,
        }
    }
}

/// Returns the values of an expression, each with the attribute that it is compared with or assigned to: the last one
/// named before it.
pub(super) fn bindings<'a>(expression: &'a str, request: &'a Value) -> Vec<(&'a str, &'a Value)> {
    let mut attribute = "";
    let mut bindings = Vec::new();
    for token in expression.split(|c: char| !(c.is_alphanumeric() || "_#:.-".contains(c))) {
        match token.chars().next() {
            Some(':') => bindings.push((attribute, &request["ExpressionAttributeValues"][token])),
            Some('#') => attribute = request["ExpressionAttributeNames"][token].as_str().unwrap_or_default(),
            Some(_) if !matches!(token, "AND" | "BETWEEN") => attribute = token,
            _ => {}
        }
    }
    bindings
}

#[cfg(test)]
mod tests {
    use super::{super::table::tests::table, *};

    fn check(request: &Value) -> Result<(), Value> {
        KeyLimits::new(&table()).check(request.to_string().as_bytes())
    }

    #[test]
    fn key_values_have_limits_wherever_a_request_contains_them() {
        let requests = |pk: usize, sk: usize, due: usize| {
            let text = |length: usize| json!({"S": "x".repeat(length)});
            let key = json!({"pk": text(pk), "sk": text(sk)});
            let item = json!({"pk": text(pk), "sk": text(sk), "due_key": text(due), "body": text(9_000)});
            let values = json!({":pk": text(pk), ":sk": text(sk), ":due": text(due), ":body": text(9_000)});
            let names = json!({"#key": "due_key"});
            let with = |expression: &str, text: &str| json!({expression: text, "ExpressionAttributeValues": values, "ExpressionAttributeNames": names});
            [
                json!({"Key": key}),
                json!({"Item": item}),
                json!({"TransactItems": [{"Put": {"Item": item}}]}),
                json!({"RequestItems": {"qasid": [{"PutRequest": {"Item": item}}]}}),
                with("KeyConditionExpression", "pk = :pk AND sk BETWEEN :sk AND :sk AND due_key = :due"),
                with("KeyConditionExpression", "pk=:pk AND begins_with(sk,:sk) AND #key = :due"),
                with("UpdateExpression", "SET body = :body, pk = :pk, sk = if_not_exists(sk, :sk), #key = :due"),
            ]
        };
        assert!(requests(2048, 1024, 2048).iter().all(|request| check(request).is_ok()));
        for request in requests(2049, 1024, 2048) {
            assert!(check(&request).unwrap_err()["message"].as_str().unwrap().contains("2048 bytes"), "{request}");
        }
        for request in requests(2048, 1025, 2048) {
            assert!(check(&request).unwrap_err()["message"].as_str().unwrap().contains("1024 bytes"), "{request}");
        }
        assert_eq!(requests(1, 1, 2049).iter().filter(|request| check(request).is_err()).count(), 6);
    }
}
