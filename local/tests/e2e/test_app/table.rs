//! The table: its items, and injected faults.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
};
use local::database::{Fault, Injection};
use serde_json::{Map, Value, json};
use shared::{domain::system::System, store::Store};

use super::{TIMEOUT, TestApp, bytes, merge};

impl TestApp {
    /// Makes the next `times` requests of any function for this DynamoDB operation fail.
    pub fn inject_fault(&self, operation: &str, fault: Fault, times: u32) {
        self.inject(None, operation, fault, times);
    }

    /// Makes the next `times` requests of one function for this DynamoDB operation fail.
    pub fn inject_function_fault(&self, function: &str, operation: &str, fault: Fault, times: u32) {
        self.inject(Some(function.to_owned()), operation, fault, times);
    }

    fn inject(&self, function: Option<String>, operation: &str, fault: Fault, times: u32) {
        let injection = Injection { operation: operation.to_owned(), function, times, fault };
        self.running.database().faults().inject(injection);
    }

    pub fn clear_injected_faults(&self) {
        self.running.database().faults().clear();
    }

    /// Returns a store of the table, for items that only take long to make through the API.
    pub fn store(&self) -> Store {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.ready.dynamodb)
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Store::new(Client::from_conf(config), self.ready.table.clone(), System::real())
    }

    /// Returns every item of one entity as plain JSON.
    pub async fn items(&self, entity: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut start = Value::Null;
        loop {
            let mut scan = json!({"TableName": self.ready.table, "ConsistentRead": true});
            if !start.is_null() {
                scan["ExclusiveStartKey"] = start;
            }
            let page = self.dynamodb("Scan", &scan).await;
            let page_items = page["Items"].as_array().expect("items").iter();
            items.extend(page_items.filter(|item| item["entity"]["S"] == entity).map(|item| match entity {
                "message" => message(item),
                "chat" => chat(item),
                _ => plain(item),
            }));
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                break;
            }
        }
        items
    }

    /// Returns one item in DynamoDB's typed JSON.
    pub async fn item(&self, pk: &str, sk: &str) -> Value {
        let key = json!({"pk": {"S": pk}, "sk": {"S": sk}});
        let get = json!({"TableName": self.ready.table, "Key": key, "ConsistentRead": true});
        self.dynamodb("GetItem", &get).await["Item"].clone()
    }

    /// Writes an item with these string attributes.
    pub async fn put_item(&self, attributes: &[(&str, &str)]) {
        let item: Map<String, Value> =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), json!({"S": value}))).collect();
        self.dynamodb("PutItem", &json!({"TableName": self.ready.table, "Item": item})).await;
    }

    /// Returns the size in bytes of an item that [`TestApp::items`] has returned (AWS, *DynamoDB item sizes and formats*).
    pub async fn item_size(&self, item: &Value) -> usize {
        size(&self.item(item["pk"].as_str().unwrap(), item["sk"].as_str().unwrap()).await)
    }

    /// Returns the number of items in the `due` index.
    pub async fn due_count(&self) -> u64 {
        let scan = json!({"TableName": self.ready.table, "IndexName": "due", "Select": "COUNT"});
        self.dynamodb("Scan", &scan).await["Count"].as_u64().expect("a count")
    }

    /// Sets a string attribute of an existing item. Its name can be a path, such as `upload.id`.
    pub async fn set_attribute(&self, pk: &str, sk: &str, attribute: &str, value: &str) {
        // Names can be reserved words.
        let names = attribute.split('.').enumerate().map(|(index, name)| (format!("#name{index}"), name));
        let names: BTreeMap<String, &str> = names.collect();
        let path = names.keys().map(String::as_str).collect::<Vec<_>>().join(".");
        let update = json!({
            "TableName": self.ready.table,
            "Key": {"pk": {"S": pk}, "sk": {"S": sk}},
            "UpdateExpression": format!("SET {path} = :value"),
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {":value": {"S": value}},
        });
        self.dynamodb("UpdateItem", &update).await;
    }

    /// Sets a string attribute of an item that [`TestApp::items`] has returned.
    pub async fn set_item_attribute(&self, item: &Value, attribute: &str, value: &str) {
        self.set_attribute(item["pk"].as_str().unwrap(), item["sk"].as_str().unwrap(), attribute, value).await;
    }

    /// Sets a numeric attribute of an item that [`TestApp::items`] has returned.
    pub async fn set_item_number(&self, item: &Value, attribute: &str, value: i64) {
        let update = json!({
            "TableName": self.ready.table,
            "Key": {"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}},
            "UpdateExpression": format!("SET {attribute} = :value"),
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeValues": {":value": {"N": value.to_string()}},
        });
        self.dynamodb("UpdateItem", &update).await;
    }

    /// Removes an attribute of an item that [`TestApp::items`] has returned.
    pub async fn remove_item_attribute(&self, item: &Value, attribute: &str) {
        let update = json!({
            "TableName": self.ready.table,
            "Key": {"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}},
            "UpdateExpression": format!("REMOVE {attribute}"),
            "ConditionExpression": "attribute_exists(pk)",
        });
        self.dynamodb("UpdateItem", &update).await;
    }

    pub async fn set_session_attribute(&self, session_id: &str, attribute: &str, value: &str) {
        self.set_attribute(&format!("SESSION#{session_id}"), "SESSION", attribute, value).await;
    }

    /// Removes the account of the simulated number, as if no webhook had named it yet.
    pub async fn remove_number_account(&self) {
        let key = json!({"pk": {"S": format!("NUMBER#{}", self.ready.phone_number_id)}, "sk": {"S": "NUMBER"}});
        let update = json!({"TableName": self.ready.table, "Key": key, "UpdateExpression": "REMOVE waba_id",
            "ConditionExpression": "attribute_exists(waba_id)"});
        self.dynamodb("UpdateItem", &update).await;
    }

    /// Makes the last erasure of a session with the deployment's own number long ago.
    pub async fn end_handover(&self) {
        let pk = format!("NUMBER#{}", self.ready.phone_number_id);
        self.set_attribute(&pk, "NUMBER", "reserved_at", "2020-01-01T00:00:00.000Z").await;
    }

    async fn dynamodb(&self, operation: &str, request: &Value) -> Value {
        let target = format!("DynamoDB_20120810.{operation}");
        let authorization = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, \
             SignedHeaders=host, Signature=0";
        let headers =
            [("x-amz-target", target.as_str()), ("authorization", authorization), ("x-amz-date", "20260101T000000Z")];
        let response = self.send_request("POST", &self.ready.dynamodb, &headers, bytes(request)).await;
        assert_eq!(response.status, 200, "{}", response.json);
        response.json
    }

    /// Waits for an outbound message that fulfills the condition, and returns its item.
    pub async fn wait_for_message(&self, expected: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let messages = async || self.items("message").await.into_iter();
        let find = async || messages().await.find(|message| message["from_me"] == true && condition(message));
        self.wait_for(TIMEOUT, expected, find).await
    }

    /// Waits for an outbound message with this status, and returns its item.
    pub async fn wait_for_status(&self, status: &str) -> Value {
        self.wait_for_message(&format!("a message with status {status}"), |message| message["status"] == status).await
    }
}

fn size(item: &Value) -> usize {
    item.as_object().expect("an item").iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

fn value_size(value: &Value) -> usize {
    let (kind, inner) = value.as_object().and_then(|value| value.iter().next()).expect("a typed value");
    match (kind.as_str(), inner) {
        ("S", Value::String(text)) => text.len(),
        ("N", Value::String(digits)) => digits.len().div_ceil(2) + 1,
        ("B", Value::String(base64)) => base64.trim_end_matches('=').len() * 3 / 4,
        ("L", Value::Array(values)) => 3 + values.iter().map(|value| 1 + value_size(value)).sum::<usize>(),
        ("M", Value::Object(members)) => 3 + members.len() + size(inner),
        _ => 1,
    }
}

/// Converts the item of a message to plain JSON, with the attributes that the table stores compressed.
fn message(item: &Value) -> Value {
    let image = serde_json::from_value(item.clone()).expect("an item");
    shared::store::read_message_image(image).expect("a message")
}

/// Converts the item of a chat to plain JSON, with the ID that is only in its key.
fn chat(item: &Value) -> Value {
    let mut chat = plain(item);
    chat["id"] = json!(chat["pk"].as_str().expect("a key").trim_start_matches("CHAT#"));
    chat
}

/// Converts an item from DynamoDB's typed JSON to plain JSON.
fn plain(item: &Value) -> Value {
    let attributes = item.as_object().expect("an item").iter();
    Value::Object(attributes.map(|(name, value)| (name.clone(), plain_value(value))).collect::<Map<_, _>>())
}

fn plain_value(value: &Value) -> Value {
    let (kind, inner) = value.as_object().and_then(|value| value.iter().next()).expect("a typed value");
    match kind.as_str() {
        "N" => serde_json::from_str(inner.as_str().unwrap()).unwrap(),
        "M" => plain(inner),
        "L" => inner.as_array().unwrap().iter().map(plain_value).collect(),
        _ => inner.clone(),
    }
}

/// Returns a stream event with one inserted item; `record` has the `Keys` and the `NewImage`.
pub fn insert_event(record: &Value) -> Value {
    let stream = json!({
        "ApproximateCreationDateTime": 1_779_194_045.0, "SequenceNumber": "100", "SizeBytes": 1,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    });
    json!({"Records": [{
        "eventID": "1", "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1", "dynamodb": merge(stream, record),
    }]})
}
