//! Which requests the functions' policies allow, as IAM decides it for DynamoDB (Service Authorization Reference,
//! "Actions, resources, and condition keys for Amazon DynamoDB").

use std::{collections::HashMap, fmt};

use serde_json::{Value, json};

use crate::template::{Function, Statement, Table};

/// What each function may do.
pub(super) struct Permissions {
    /// The start of every table's ARN.
    tables: String,
    /// By package name, which an instance's access key begins with.
    functions: HashMap<String, Allowed>,
}

struct Allowed {
    role: String,
    statements: Vec<Statement>,
}

/// A request that no statement allows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Denied {
    user: String,
    action: String,
    resource: String,
}

impl Permissions {
    pub(super) fn new(table: &Table, functions: &[Function]) -> Permissions {
        let tables = table.arn.strip_suffix(&table.name).unwrap_or(&table.arn).to_owned();
        let allowed = |function: &Function| Allowed {
            // As SAM names the role that it generates.
            role: format!("{}Role", function.logical_id),
            statements: function.permissions.clone(),
        };
        let functions = functions.iter().map(|function| (function.name.clone(), allowed(function))).collect();
        Permissions { tables, functions }
    }

    /// Whether the request of this access key is allowed. The key of a function's instance is `<function>.<n>`; any
    /// other is a person's or a test's, which may do everything.
    pub(super) fn check(&self, access_key: &str, operation: &str, request: &[u8]) -> Result<(), Denied> {
        let Some((name, _)) = access_key.rsplit_once('.') else { return Ok(()) };
        let Some(function) = self.functions.get(name) else { return Ok(()) };
        // What is no JSON asks for nothing, and the database says so.
        let Ok(request) = serde_json::from_slice(request) else { return Ok(()) };
        let required = self.required(operation, &request);
        let denied = required.into_iter().find(|(action, resource)| !function.may(action, resource));
        denied.map_or(Ok(()), |(action, resource)| {
            let user = format!("arn:aws:sts::000000000000:assumed-role/{}/{name}", function.role);
            Err(Denied { user, action, resource })
        })
    }

    /// The actions that a request takes, each with its resource.
    fn required(&self, operation: &str, request: &Value) -> Vec<(String, String)> {
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
                members.map(|(member, target)| on(action_of(member), target)).collect()
            }
            "BatchGetItem" | "BatchWriteItem" => {
                let tables = request["RequestItems"].as_object().into_iter().flatten();
                tables.map(|(table, _)| (format!("dynamodb:{operation}"), self.arn(Some(table)))).collect()
            }
            _ => vec![on(operation, request)],
        }
    }

    /// A request names a table by its name or by its ARN, or is about no table.
    fn arn(&self, table: Option<&str>) -> String {
        match table {
            Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
            Some(name) => format!("{}{name}", self.tables),
            None => "*".to_owned(),
        }
    }
}

/// The action that a member of a transaction takes.
fn action_of(member: &str) -> &str {
    match member {
        "Get" => "GetItem",
        "Put" => "PutItem",
        "Update" => "UpdateItem",
        "Delete" => "DeleteItem",
        "ConditionCheck" => "ConditionCheckItem",
        // DynamoDB knows no other, and refuses the request.
        other => other,
    }
}

impl Allowed {
    fn may(&self, action: &str, resource: &str) -> bool {
        self.statements.iter().any(|statement| {
            // Actions have no case (IAM user guide, "IAM JSON policy elements: Action").
            statement.actions.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(action))
                && statement.resources.iter().any(|allowed| allowed == "*" || allowed == resource)
        })
    }
}

impl Denied {
    /// The body of the error, which has status 400.
    pub(super) fn error(&self) -> Value {
        json!({"__type": "com.amazon.coral.service#AccessDeniedException", "Message": self.to_string()})
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Denied { user, action, resource } = self;
        write!(
            f,
            "User: {user} is not authorized to perform: {action} on resource: {resource} \
             because no identity-based policy allows the {action} action"
        )
    }
}

#[cfg(test)]
mod tests;
