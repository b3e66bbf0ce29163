use super::*;

/// Returns a minimal table with an index, a stream, and a time to live.
pub(crate) fn table() -> Table {
    Table {
        logical_id: "Table".to_owned(),
        name: "qasid".to_owned(),
        arn: "arn:aws:dynamodb:us-east-1:000000000000:table/qasid".to_owned(),
        create: json!({
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
                {"AttributeName": "due_key", "AttributeType": "S"},
            ],
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "GlobalSecondaryIndexes": [{
                "IndexName": "due",
                "KeySchema": [{"AttributeName": "due_key", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }],
            "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        }),
        ttl_attribute: Some("expires_at".to_owned()),
    }
}

#[test]
fn an_unchanged_table_is_accepted() {
    let database = dynoxide::Database::memory().unwrap();
    ensure(&database, &table()).unwrap();
    ensure(&database, &table()).unwrap();
    let mut reordered = table();
    reordered.create["AttributeDefinitions"].as_array_mut().unwrap().reverse();
    ensure(&database, &reordered).unwrap();
}

#[test]
fn a_changed_table_is_an_error_that_names_the_difference() {
    let database = dynoxide::Database::memory().unwrap();
    ensure(&database, &table()).unwrap();
    let changed = |change: fn(&mut Table)| {
        let mut table = table();
        change(&mut table);
        ensure(&database, &table).unwrap_err().to_string()
    };
    let errors = [
        (changed(|t| t.create["KeySchema"] = json!([{"AttributeName": "pk", "KeyType": "HASH"}])), "key schema"),
        (changed(|t| t.create["AttributeDefinitions"][0]["AttributeType"] = json!("N")), "attribute definitions"),
        (
            changed(|t| t.create["GlobalSecondaryIndexes"][0]["Projection"] = json!({"ProjectionType": "ALL"})),
            "indexes",
        ),
        (changed(|t| t.create["GlobalSecondaryIndexes"] = Value::Null), "indexes"),
        (changed(|t| t.create["StreamSpecification"]["StreamViewType"] = json!("KEYS_ONLY")), "stream"),
        (changed(|t| t.ttl_attribute = None), "time to live"),
    ];
    for (error, what) in errors {
        assert!(error.contains(what) && error.contains("delete the data folder"), "{error}");
    }
}

#[test]
fn an_invalid_table_is_rejected() {
    let database = dynoxide::Database::memory().unwrap();
    let mut bad = table();
    bad.create["KeySchema"][0]["AttributeName"] = json!("undefined");
    assert!(matches!(ensure(&database, &bad), Err(DatabaseError::Table { .. })));
}
