//! The template's table in the database.

use dynoxide::DynoxideError;
use serde_json::{Value, json};

use super::DatabaseError;
use crate::template::Table;

/// Creates the table, or verifies that the table of an earlier run matches the template. Blocks.
///
/// # Errors
/// - [`DatabaseError::Table`] if the database rejects the template's table.
/// - [`DatabaseError::TableMismatch`] if the existing table mismatch. There is no migration: local data is disposable.
pub(super) fn ensure(database: &dynoxide::Database, table: &Table) -> Result<(), DatabaseError> {
    match describe(database, &table.name)? {
        None => create(database, table),
        Some(existing) => verify(&existing, &ttl_attribute(database, &table.name)?, table),
    }
}

fn create(database: &dynoxide::Database, table: &Table) -> Result<(), DatabaseError> {
    let mut request = table.create.clone();
    request["TableName"] = json!(table.name);
    database.create_table(parse(request)?)?;
    if let Some(attribute) = &table.ttl_attribute {
        database.update_time_to_live(parse(json!({
            "TableName": table.name,
            "TimeToLiveSpecification": {"AttributeName": attribute, "Enabled": true},
        }))?)?;
    }
    Ok(())
}

fn parse<T: serde::de::DeserializeOwned>(request: Value) -> Result<T, DatabaseError> {
    serde_json::from_value(request).map_err(|error| {
        // The database prefixes errors found while parsing a request with this marker.
        let message = error.to_string().trim_start_matches("VALIDATION:").to_owned();
        DatabaseError::Table { source: DynoxideError::ValidationException(message) }
    })
}

fn describe(database: &dynoxide::Database, name: &str) -> Result<Option<Value>, DatabaseError> {
    match database.describe_table(parse(json!({"TableName": name}))?) {
        Ok(response) => Ok(serde_json::to_value(response).ok().map(|mut value| value["Table"].take())),
        Err(DynoxideError::ResourceNotFoundException(_)) => Ok(None),
        Err(source) => Err(source.into()),
    }
}

fn ttl_attribute(database: &dynoxide::Database, name: &str) -> Result<Option<String>, DatabaseError> {
    let response = database.describe_time_to_live(parse(json!({"TableName": name}))?)?;
    Ok(response.time_to_live_description.attribute_name)
}

fn verify(existing: &Value, existing_ttl: &Option<String>, table: &Table) -> Result<(), DatabaseError> {
    let same = |member: &str| sorted(&existing[member]) == sorted(&table.create[member]);
    let indexes = |description: &Value, member: &str| {
        let indexes = description[member].as_array().cloned().unwrap_or_default();
        let described = indexes.iter().map(|index| {
            json!({
                "IndexName": index["IndexName"],
                "KeySchema": index["KeySchema"],
                "ProjectionType": index["Projection"]["ProjectionType"],
                "NonKeyAttributes": sorted(&index["Projection"]["NonKeyAttributes"]),
            })
        });
        sorted(&Value::Array(described.collect()))
    };
    let same_indexes = |member: &str| indexes(existing, member) == indexes(&table.create, member);
    let mismatch = if existing["KeySchema"] != table.create["KeySchema"] {
        "key schema"
    } else if !same("AttributeDefinitions") {
        "attribute definitions"
    } else if !same_indexes("GlobalSecondaryIndexes") || !same_indexes("LocalSecondaryIndexes") {
        "indexes"
    } else if existing["StreamSpecification"] != table.create["StreamSpecification"] {
        "stream"
    } else if *existing_ttl != table.ttl_attribute {
        "time to live"
    } else {
        return Ok(());
    };
    Err(DatabaseError::TableMismatch { what: mismatch })
}

/// Returns the elements of a list as JSON, sorted, to compare lists as sets.
fn sorted(list: &Value) -> Vec<String> {
    let mut elements: Vec<String> = list.as_array().into_iter().flatten().map(Value::to_string).collect();
    elements.sort();
    elements
}

#[cfg(test)]
pub(crate) mod tests;
