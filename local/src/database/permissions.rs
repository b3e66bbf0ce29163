//! Evaluates the functions' IAM policies for DynamoDB requests (Service Authorization Reference, *Actions, resources,
//! and condition keys for Amazon DynamoDB*).

use std::{collections::HashMap, fmt};

use serde_json::{Value, json};

use crate::template::{Function, Statement, Table};

/// The permissions of all functions.
pub(super) struct Permissions {
    /// The common prefix of table ARNs.
    tables: String,
    /// Keyed by package name, which is the prefix of an instance's access key.
    functions: HashMap<String, RolePolicy>,
}

struct RolePolicy {
    role: String,
    statements: Vec<Statement>,
}

/// A request that no statement allows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AccessDenied {
    user: String,
    action: String,
    resource: String,
}

impl Permissions {
    pub(super) fn new(table: &Table, functions: &[Function]) -> Permissions {
        let tables = table.arn.strip_suffix(&table.name).unwrap_or(&table.arn).to_owned();
        let allowed = |function: &Function| RolePolicy {
            // SAM names the generated role this way.
            role: format!("{}Role", function.logical_id),
            statements: function.permissions.clone(),
        };
        let functions = functions.iter().map(|function| (function.name.clone(), allowed(function))).collect();
        Permissions { tables, functions }
    }

    /// Checks whether the request of this access key is allowed. The access key of a function instance is
    /// `<function>.<n>`. All other access keys have full access.
    pub(super) fn check(&self, access_key: &str, operation: &str, request: &[u8]) -> Result<(), AccessDenied> {
        let Some((name, _)) = access_key.rsplit_once('.') else { return Ok(()) };
        let Some(function) = self.functions.get(name) else { return Ok(()) };
        // The database itself rejects a body that is not JSON.
        let Ok(request) = serde_json::from_slice(request) else { return Ok(()) };
        let required = self.required_permissions(operation, &request);
        let denied = required.into_iter().find(|(action, resource)| !function.allows(action, resource));
        denied.map_or(Ok(()), |(action, resource)| {
            let user = format!("arn:aws:sts::000000000000:assumed-role/{}/{name}", function.role);
            Err(AccessDenied { user, action, resource })
        })
    }

    /// Returns the actions that a request requires, each with its resource.
    fn required_permissions(&self, operation: &str, request: &Value) -> Vec<(String, String)> {
        let on = |action: &str, target: &Value| {
            let table = self.arn(target["TableName"].as_str());
            let resource = match target["IndexName"].as_str() {
                Some(index) => format!("{table}/index/{index}"),
                None => table,
            };
            (format!("dynamodb:{action}"), resource)
        };
        match operation {
            "TransactWriteItems" | "TransactGetItems" => {
                let items = request["TransactItems"].as_array().into_iter().flatten();
                let members = items.filter_map(Value::as_object).flatten();
                members.map(|(member, target)| on(member_action(member), target)).collect()
            }
            "BatchGetItem" | "BatchWriteItem" => {
                let tables = request["RequestItems"].as_object().into_iter().flatten();
                tables.map(|(table, _)| (format!("dynamodb:{operation}"), self.arn(Some(table)))).collect()
            }
            _ => vec![on(operation, request)],
        }
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

impl RolePolicy {
    fn allows(&self, action: &str, resource: &str) -> bool {
        self.statements.iter().any(|statement| {
            // Action names are case-insensitive (IAM User Guide, *IAM JSON policy elements: Action*).
            statement.actions.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(action))
                && statement.resources.iter().any(|allowed| allowed == "*" || allowed == resource)
        })
    }
}

impl AccessDenied {
    /// Returns the body of the error response, which has status 400.
    pub(super) fn error(&self) -> Value {
        json!({"__type": "com.amazon.coral.service#AccessDeniedException", "Message": self.to_string()})
    }
}

impl fmt::Display for AccessDenied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AccessDenied { user, action, resource } = self;
        write!(
            f,
            "User: {user} is not authorized to perform: {action} on resource: {resource} \
             because no identity-based policy allows the {action} action"
        )
    }
}

#[cfg(test)]
mod tests;
