use super::{super::table::tests::table, *};
use crate::template::Statement;

const TABLE: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/t";

/// Permissions of `deliver` with these statements (actions, resources).
fn permissions(statements: &[(&[&str], &[&str])]) -> Permissions {
    let statements = statements.iter().map(|(actions, resources)| statement(actions, resources, None));
    of_deliver(statements.collect())
}

fn statement(actions: &[&str], resources: &[&str], leading_keys: Option<&[&str]>) -> Statement {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Statement { actions: owned(actions), resources: owned(resources), leading_keys: leading_keys.map(owned) }
}

fn of_deliver(statements: Vec<Statement>) -> Permissions {
    let roles = Roles::of([("deliver".to_owned(), ("DeliverRole".to_owned(), statements))]);
    let table = Table { name: "t".to_owned(), arn: TABLE.to_owned(), ..table() };
    Permissions { roles, ..Permissions::new(&table, &[]) }
}

/// Returns the action and resource that `deliver` lacks.
fn lacks(permissions: &Permissions, operation: &str, request: &Value) -> Option<(String, String)> {
    let checked = permissions.check("deliver.1", operation, request.to_string().as_bytes());
    checked.err().map(|denied| (denied.action, denied.resource))
}

fn lack(action: &str, resource: &str) -> Option<(String, String)> {
    Some((action.to_owned(), resource.to_owned()))
}

#[test]
fn a_statement_allows_its_actions_on_its_resources() {
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
    // An action and a resource of two different statements don't combine.
    let apart = permissions(&[(&["dynamodb:GetItem"], &["other"]), (&["dynamodb:PutItem"], &[TABLE])]);
    assert_eq!(lacks(&apart, "GetItem", &json!({"TableName": "t"})), lack("dynamodb:GetItem", TABLE));
}

#[test]
fn an_index_is_a_separate_resource() {
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
fn a_batch_needs_the_batch_action_on_each_table() {
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
fn leading_keys_condition_denies_requests_with_another_partition_key() {
    let actions = ["GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"];
    let actions = actions.iter().chain(&["BatchGetItem", "BatchWriteItem"]).map(|action| format!("dynamodb:{action}"));
    let actions: Vec<String> = actions.collect();
    let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
    let due = format!("{TABLE}/index/due");
    let some = of_deliver(vec![statement(&actions, &[TABLE, &due], Some(&["KEY#*", "KEYS"]))]);
    let requests = |pk: &str| {
        let key = json!({"pk": {"S": pk}, "sk": {"S": "KEY#1"}});
        // `due_key` is an ordinary attribute in a request to the table.
        let item = json!({"pk": {"S": pk}, "sk": {"S": "KEY#1"}, "due_key": {"S": "DUE#1"}});
        let own = json!({"pk": {"S": "KEYS"}, "sk": {"S": "1"}});
        let query = |index: Value, condition: &str| {
            json!({"TableName": "t", "IndexName": index, "KeyConditionExpression": condition,
                "ExpressionAttributeNames": {"#pk": "pk"}, "ExpressionAttributeValues": {":pk": {"S": pk}, ":sk": {"S": "x"}}})
        };
        let member = |key: &Value| json!({"TableName": "t", "Key": key});
        [
            ("GetItem", json!({"TableName": "t", "Key": key})),
            ("PutItem", json!({"TableName": "t", "Item": item})),
            ("UpdateItem", json!({"TableName": "t", "Key": key})),
            ("DeleteItem", json!({"TableName": TABLE, "Key": key})),
            ("Query", query(Value::Null, "pk = :pk AND begins_with(sk, :sk)")),
            ("Query", query(Value::Null, "sk = :sk AND #pk = :pk")),
            ("Query", query(json!("due"), "due_key = :pk")),
            ("BatchGetItem", json!({"RequestItems": {"t": {"Keys": [own, key]}}})),
            (
                "BatchWriteItem",
                json!({"RequestItems": {"t": [{"DeleteRequest": {"Key": own}}, {"PutRequest": {"Item": item}}]}}),
            ),
            ("BatchWriteItem", json!({"RequestItems": {"t": [{"DeleteRequest": {"Key": key}}]}})),
            ("TransactGetItems", json!({"TransactItems": [{"Get": member(&own)}, {"Get": member(&key)}]})),
            (
                "TransactWriteItems",
                json!({"TransactItems": [{"Update": member(&own)}, {"ConditionCheck": member(&key)}]}),
            ),
            (
                "TransactWriteItems",
                json!({"TransactItems": [{"Delete": member(&own)}, {"Put": {"TableName": "t", "Item": item}}]}),
            ),
        ]
    };
    for own in ["KEYS", "KEY#", "KEY#1"] {
        for (operation, request) in requests(own) {
            assert_eq!(lacks(&some, operation, &request), None, "{operation} {request}");
        }
    }
    for foreign in ["SESSION#1", "KEY", "KEYS#", "xKEYS", ""] {
        for (operation, request) in requests(foreign) {
            assert!(lacks(&some, operation, &request).is_some(), "{operation} {request}");
        }
    }
}

#[test]
fn leading_keys_condition_applies_to_its_statement_only() {
    let two = of_deliver(vec![
        statement(&["dynamodb:GetItem"], &[TABLE], Some(&["KEY#?"])),
        statement(&["dynamodb:PutItem"], &[TABLE], None),
        statement(&["dynamodb:Scan"], &[TABLE], Some(&["KEY#?"])),
    ]);
    let with = |member: &str, pk: &str| json!({"TableName": "t", member: {"pk": {"S": pk}}});
    assert_eq!(lacks(&two, "GetItem", &with("Key", "KEY#1")), None);
    assert_eq!(lacks(&two, "GetItem", &with("Key", "KEY#12")), lack("dynamodb:GetItem", TABLE));
    assert_eq!(lacks(&two, "PutItem", &with("Item", "SESSION#1")), None);
    // A scan has no key, for which `ForAllValues` is true.
    assert_eq!(lacks(&two, "Scan", &json!({"TableName": "t"})), None);
}

#[test]
fn other_operations_need_the_action_of_their_name() {
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
fn the_error_has_the_wording_of_dynamodb() {
    let denied = permissions(&[]).check("deliver.1", "GetItem", br#"{"TableName":"t"}"#).err();
    let error = denied.map(|denied| error(&denied)).unwrap_or_default();
    assert_eq!(error["__type"], "com.amazon.coral.service#AccessDeniedException");
    assert_eq!(
        error["Message"],
        "User: arn:aws:sts::000000000000:assumed-role/DeliverRole/deliver is not authorized to perform: \
         dynamodb:GetItem on resource: arn:aws:dynamodb:us-east-1:000000000000:table/t \
         because no identity-based policy allows the dynamodb:GetItem action"
    );
}
