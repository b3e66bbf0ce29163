//! The permissions that DynamoDB requests need (Service Authorization Reference, *Actions, resources,
//! and condition keys for Amazon DynamoDB*), with conditions on `dynamodb:LeadingKeys` (Amazon DynamoDB Developer Guide,
//! *Using IAM policy conditions for fine-grained access control*).

use std::collections::HashSet;

use serde_json::{Value, json};

use super::key_limits::bindings;
use crate::{
    iam::{Access, AccessDenied, Roles},
    template::{Function, Table},
};

/// The permissions of all functions.
pub(super) struct Permissions {
    /// The common prefix of table ARNs.
    tables: String,
    roles: Roles,
    /// The partition key of the table.
    partition_key: String,
    /// The partition keys of the table and its indexes.
    partition_keys: HashSet<String>,
}

impl Permissions {
    pub(super) fn new(table: &Table, functions: &[Function]) -> Permissions {
        let tables = table.arn.strip_suffix(&table.name).unwrap_or(&table.arn).to_owned();
        let indexes = ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"];
        let indexes = indexes.iter().filter_map(|kind| table.create[kind].as_array()).flatten();
        let partition_keys = std::iter::once(&table.create).chain(indexes).filter_map(partition_key).collect();
        let partition_key = partition_key(&table.create).unwrap_or_default();
        Permissions { tables, roles: Roles::new(functions), partition_key, partition_keys }
    }

    /// Checks whether the request of this access key is allowed.
    pub(super) fn check(&self, access_key: &str, operation: &str, request: &[u8]) -> Result<(), AccessDenied> {
        // The database itself rejects a body that is not JSON.
        let Ok(request) = serde_json::from_slice(request) else { return Ok(()) };
        self.roles.check(access_key, self.required_access(operation, &request))
    }

    /// Returns the access that a request requires. IAM evaluates each member of a transaction separately, and a batch as a
    /// whole.
    fn required_access(&self, operation: &str, request: &Value) -> Vec<Access> {
        let on = |action: &str, target: &Value| {
            let table = self.arn(target["TableName"].as_str());
            let resource = match target["IndexName"].as_str() {
                Some(index) => format!("{table}/index/{index}"),
                None => table,
            };
            Access { action: format!("dynamodb:{action}"), resource, leading_keys: self.leading_keys(target) }
        };
        match operation {
            "TransactWriteItems" | "TransactGetItems" => {
                let items = request["TransactItems"].as_array().into_iter().flatten();
                let members = items.filter_map(Value::as_object).flatten();
                members.map(|(member, target)| on(member_action(member), target)).collect()
            }
            "BatchGetItem" | "BatchWriteItem" => {
                let tables = request["RequestItems"].as_object().into_iter().flatten();
                let access = |(table, items): (&String, &Value)| {
                    let reads = items["Keys"].as_array().into_iter().flatten().filter_map(|key| self.key_of(key));
                    let writes = items.as_array().into_iter().flatten().filter_map(Value::as_object).flatten();
                    let leading_keys = reads.chain(writes.flat_map(|(_, write)| self.leading_keys(write))).collect();
                    Access { action: format!("dynamodb:{operation}"), resource: self.arn(Some(table)), leading_keys }
                };
                tables.map(access).collect()
            }
            _ => vec![on(operation, request)],
        }
    }

    /// Returns the partition keys in a request's key, item, or key condition. A query of an index names the partition key of
    /// the index.
    fn leading_keys(&self, target: &Value) -> Vec<String> {
        let condition = target["KeyConditionExpression"].as_str().unwrap_or_default();
        let compared = bindings(condition, target).into_iter().filter(|(name, _)| self.partition_keys.contains(*name));
        let compared = compared.filter_map(|(_, value)| Some(value["S"].as_str()?.to_owned()));
        ["Key", "Item"].iter().flat_map(|member| self.key_of(&target[member])).chain(compared).collect()
    }

    /// Returns the table's partition key of a key or an item.
    fn key_of(&self, item: &Value) -> Option<String> {
        Some(item[&self.partition_key]["S"].as_str()?.to_owned())
    }

    /// Returns the ARN of a table given by name or ARN; `*` for a request without a table.
    fn arn(&self, table: Option<&str>) -> String {
        match table {
            Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
            Some(name) => format!("{}{name}", self.tables),
            None => "*".to_owned(),
        }
    }
}

/// Returns the partition key attribute of a table or an index.
fn partition_key(definition: &Value) -> Option<String> {
    let mut schema = definition["KeySchema"].as_array()?.iter();
    Some(schema.find(|key| key["KeyType"] == "HASH")?["AttributeName"].as_str()?.to_owned())
}

/// Returns the action that a member of a transaction requires.
fn member_action(member: &str) -> &str {
    match member {
        "Get" => "GetItem",
        "Put" => "PutItem",
        "Update" => "UpdateItem",
        "Delete" => "DeleteItem",
        "ConditionCheck" => "ConditionCheckItem",
        // DynamoDB rejects any other member.
        other => other,
    }
}

/// Returns the body of the error response, which has status 400.
pub(super) fn error(denied: &AccessDenied) -> Value {
    json!({"__type": "com.amazon.coral.service#AccessDeniedException", "Message": denied.to_string()})
}

#[cfg(test)]
mod tests;
