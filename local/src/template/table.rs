//! `AWS::DynamoDB::Table` (CloudFormation Template Reference), converted to a `CreateTable` request.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value, json};

use super::{
    Table, TemplateError, return_values,
    values::{Flag, deserialize},
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Properties {
    attribute_definitions: Value,
    key_schema: Value,
    billing_mode: Option<String>,
    provisioned_throughput: Option<Value>,
    #[serde(default)]
    global_secondary_indexes: Vec<Index>,
    #[serde(default)]
    local_secondary_indexes: Vec<Index>,
    stream_specification: Option<StreamSpecification>,
    time_to_live_specification: Option<TimeToLive>,

    #[expect(dead_code, reason = "the local run has no CloudWatch")]
    contributor_insights_specification: Option<IgnoredAny>,
    #[expect(dead_code, reason = "the data is in a directory of the user")]
    deletion_protection_enabled: Option<IgnoredAny>,
    #[expect(dead_code, reason = "the embedded DynamoDB doesn't throttle")]
    on_demand_throughput: Option<IgnoredAny>,
    #[expect(dead_code, reason = "the data is in a directory of the user")]
    point_in_time_recovery_specification: Option<IgnoredAny>,
    #[expect(dead_code, reason = "the data is in a directory of the user")]
    #[serde(rename = "SSESpecification")]
    sse_specification: Option<IgnoredAny>,
    #[expect(dead_code, reason = "affects only the price")]
    table_class: Option<IgnoredAny>,
    #[expect(dead_code, reason = "documentation")]
    tags: Option<IgnoredAny>,
    #[expect(dead_code, reason = "the embedded DynamoDB doesn't throttle")]
    warm_throughput: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Index {
    index_name: String,
    key_schema: Value,
    projection: Value,
    provisioned_throughput: Option<Value>,
    #[expect(dead_code, reason = "the local run has no CloudWatch")]
    contributor_insights_specification: Option<IgnoredAny>,
    #[expect(dead_code, reason = "the embedded DynamoDB doesn't throttle")]
    on_demand_throughput: Option<IgnoredAny>,
    #[expect(dead_code, reason = "the embedded DynamoDB doesn't throttle")]
    warm_throughput: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StreamSpecification {
    stream_view_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TimeToLive {
    attribute_name: Option<String>,
    enabled: Flag,
}

pub(super) fn read(logical_id: &str, properties: Value, path: &str) -> Result<Table, TemplateError> {
    let properties: Properties = deserialize(properties, path)?;
    let mut create = Map::new();
    create.insert("AttributeDefinitions".to_owned(), properties.attribute_definitions);
    create.insert("KeySchema".to_owned(), properties.key_schema);
    let billing_mode = properties.billing_mode.unwrap_or_else(|| "PROVISIONED".to_owned());
    create.insert("BillingMode".to_owned(), Value::String(billing_mode));
    if let Some(throughput) = properties.provisioned_throughput {
        create.insert("ProvisionedThroughput".to_owned(), throughput);
    }
    let indexes = [
        ("GlobalSecondaryIndexes", properties.global_secondary_indexes),
        ("LocalSecondaryIndexes", properties.local_secondary_indexes),
    ];
    for (name, indexes) in indexes {
        if !indexes.is_empty() {
            create.insert(name.to_owned(), indexes.into_iter().map(index).collect());
        }
    }
    if let Some(stream) = properties.stream_specification {
        let specification = json!({"StreamEnabled": true, "StreamViewType": stream.stream_view_type});
        create.insert("StreamSpecification".to_owned(), specification);
    }
    let ttl_attribute = match properties.time_to_live_specification {
        Some(TimeToLive { attribute_name: Some(name), enabled: Flag(true) }) => Some(name),
        Some(TimeToLive { attribute_name: None, enabled: Flag(true) }) => {
            let path = format!("{path}.TimeToLiveSpecification");
            return Err(TemplateError::at(path, "needs an AttributeName"));
        }
        _ => None,
    };
    let kind = "AWS::DynamoDB::Table";
    let name = return_values::reference(kind, logical_id).unwrap_or_default();
    let arn = return_values::attribute(kind, logical_id, "Arn").unwrap_or_default();
    Ok(Table { logical_id: logical_id.to_owned(), name, arn, create: Value::Object(create), ttl_attribute })
}

fn index(index: Index) -> Value {
    let mut value = json!({
        "IndexName": index.index_name,
        "KeySchema": index.key_schema,
        "Projection": index.projection,
    });
    if let Some(throughput) = index.provisioned_throughput {
        value["ProvisionedThroughput"] = throughput;
    }
    value
}
