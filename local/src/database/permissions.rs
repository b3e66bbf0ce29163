//! Which requests the functions' policies allow, as IAM decides it for DynamoDB (Service Authorization Reference,
//! "Actions, resources, and condition keys for Amazon DynamoDB").

use std::collections::HashMap;
use std::fmt;

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
mod tests {
    use super::*;

    const TABLE: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/t";

    /// What `deliver` may do with these statements: actions and resources.
    fn permissions(statements: &[(&[&str], &[&str])]) -> Permissions {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let statements = statements
            .iter()
            .map(|(actions, resources)| Statement { actions: owned(actions), resources: owned(resources) })
            .collect();
        let deliver = Allowed { role: "DeliverRole".to_owned(), statements };
        let tables = TABLE.trim_end_matches('t').to_owned();
        Permissions { tables, functions: HashMap::from([("deliver".to_owned(), deliver)]) }
    }

    /// The action and the resource that `deliver` lacks.
    fn lacks(permissions: &Permissions, operation: &str, request: &Value) -> Option<(String, String)> {
        let checked = permissions.check("deliver.1", operation, request.to_string().as_bytes());
        checked.err().map(|denied| (denied.action, denied.resource))
    }

    fn lack(action: &str, resource: &str) -> Option<(String, String)> {
        Some((action.to_owned(), resource.to_owned()))
    }

    #[test]
    fn an_action_is_allowed_where_a_statement_has_it_with_the_resource() {
        let some = permissions(&[(&["dynamodb:getitem", "dynamodb:PutItem"], &["other", TABLE])]);
        for table in ["t", TABLE] {
            let request = json!({"TableName": table});
            assert_eq!(lacks(&some, "GetItem", &request), None);
            assert_eq!(lacks(&some, "PutItem", &request), None);
            assert_eq!(lacks(&some, "DeleteItem", &request), lack("dynamodb:DeleteItem", TABLE));
        }
        assert_eq!(
            lacks(&some, "GetItem", &json!({"TableName": "u"})),
            lack("dynamodb:GetItem", &TABLE.replace("/t", "/u"))
        );
        assert_eq!(lacks(&permissions(&[(&["*"], &["*"])]), "GetItem", &json!({"TableName": "u"})), None);
        // The action of one statement and the resource of another are no permission.
        let apart = permissions(&[(&["dynamodb:GetItem"], &["other"]), (&["dynamodb:PutItem"], &[TABLE])]);
        assert_eq!(lacks(&apart, "GetItem", &json!({"TableName": "t"})), lack("dynamodb:GetItem", TABLE));
    }

    #[test]
    fn an_index_is_a_resource_of_its_own() {
        let due = format!("{TABLE}/index/due");
        let of_table = json!({"TableName": "t"});
        let of_index = json!({"TableName": "t", "IndexName": "due"});
        for operation in ["Query", "Scan"] {
            let action = format!("dynamodb:{operation}");
            let table = permissions(&[(&[&action], &[TABLE])]);
            let index = permissions(&[(&[&action], &[&due])]);
            assert_eq!(lacks(&table, operation, &of_table), None);
            assert_eq!(lacks(&table, operation, &of_index), lack(&action, &due));
            assert_eq!(lacks(&index, operation, &of_index), None);
            assert_eq!(lacks(&index, operation, &of_table), lack(&action, TABLE));
        }
    }

    #[test]
    fn a_transaction_needs_the_action_of_each_member() {
        let members = [
            ("Put", "dynamodb:PutItem"),
            ("Update", "dynamodb:UpdateItem"),
            ("Delete", "dynamodb:DeleteItem"),
            ("ConditionCheck", "dynamodb:ConditionCheckItem"),
        ];
        let items: Vec<Value> = members.iter().map(|(member, _)| json!({*member: {"TableName": "t"}})).collect();
        let request = json!({ "TransactItems": items });
        let all: Vec<&str> = members.iter().map(|(_, action)| *action).collect();
        assert_eq!(lacks(&permissions(&[(&all, &[TABLE])]), "TransactWriteItems", &request), None);
        for (_, missing) in members {
            let rest: Vec<&str> = all.iter().copied().filter(|action| *action != missing).collect();
            let rest = permissions(&[(&rest, &[TABLE])]);
            assert_eq!(lacks(&rest, "TransactWriteItems", &request), lack(missing, TABLE));
        }
        let get = json!({"TransactItems": [{"Get": {"TableName": "t"}}]});
        assert_eq!(lacks(&permissions(&[(&["dynamodb:GetItem"], &[TABLE])]), "TransactGetItems", &get), None);
    }

    #[test]
    fn a_batch_needs_its_own_action_on_each_table() {
        let request = json!({"RequestItems": {"t": {}, "u": {}}});
        let u = TABLE.replace("/t", "/u");
        for operation in ["BatchGetItem", "BatchWriteItem"] {
            let action = format!("dynamodb:{operation}");
            assert_eq!(lacks(&permissions(&[(&[&action], &[TABLE, &u])]), operation, &request), None);
            assert_eq!(lacks(&permissions(&[(&[&action], &[TABLE])]), operation, &request), lack(&action, &u));
            let items = permissions(&[(&["dynamodb:GetItem", "dynamodb:PutItem"], &["*"])]);
            assert_eq!(lacks(&items, operation, &request), lack(&action, TABLE));
        }
    }

    #[test]
    fn other_operations_need_their_own_action() {
        let none = permissions(&[]);
        assert_eq!(lacks(&none, "ListTables", &json!({})), lack("dynamodb:ListTables", "*"));
        assert_eq!(lacks(&none, "DescribeTable", &json!({"TableName": "t"})), lack("dynamodb:DescribeTable", TABLE));
    }

    #[test]
    fn only_functions_are_checked() {
        let none = permissions(&[]);
        for key in ["", "test", "deliver", "AKIAIOSFODNN7EXAMPLE", "webhook.1"] {
            assert_eq!(none.check(key, "GetItem", br#"{"TableName":"t"}"#), Ok(()), "{key}");
        }
        assert!(none.check("deliver.27", "GetItem", br#"{"TableName":"t"}"#).is_err());
    }

    #[test]
    fn the_error_is_worded_as_dynamodbs() {
        let denied = permissions(&[]).check("deliver.1", "GetItem", br#"{"TableName":"t"}"#).err();
        let error = denied.map(|denied| denied.error()).unwrap_or_default();
        assert_eq!(error["__type"], "com.amazon.coral.service#AccessDeniedException");
        assert_eq!(
            error["Message"],
            "User: arn:aws:sts::000000000000:assumed-role/DeliverRole/deliver is not authorized to perform: \
             dynamodb:GetItem on resource: arn:aws:dynamodb:us-east-1:000000000000:table/t \
             because no identity-based policy allows the dynamodb:GetItem action"
        );
    }
}
