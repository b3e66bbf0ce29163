//! Posts pending messages to WhatsApp: as the table's stream brings them, and once a minute what it did not bring.

use aws_lambda_events::{
    dynamodb::EventRecord,
    streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse},
};
use lambda_runtime::{Error, LambdaEvent, run_concurrent, service_fn};
use serde_json::Value;
use shared::{
    cloud_api::CloudApi,
    delivery::Courier,
    startup::Startup,
    store::keys::{Key, MessageKey},
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let cloud_api = CloudApi::new(startup.environment.graph_api_url()?)?;
    let courier = Courier::new(startup.store()?, cloud_api, startup.secrets()?, startup.system);
    courier.warm_up().await;
    run_concurrent(service_fn(move |event: LambdaEvent<Value>| {
        let courier = courier.clone();
        async move { handle(&courier, event.payload).await }
    }))
    .await
}

/// A stream batch has `Records`; any other event is the schedule's.
async fn handle(courier: &Courier, mut event: Value) -> Result<DynamoDbEventResponse, Error> {
    match event.get_mut("Records").map(Value::take) {
        Some(Value::Array(records)) => Ok(deliver_batch(courier, records).await),
        _ => {
            courier.deliver_due().await?;
            Ok(DynamoDbEventResponse::default())
        }
    }
}

/// A record that cannot be read is logged and acknowledged: it would never become readable, and would hold up its shard.
/// What failed on our side is reported, so that the batch is taken up again from there.
async fn deliver_batch(courier: &Courier, records: Vec<Value>) -> DynamoDbEventResponse {
    let mut messages = Vec::with_capacity(records.len());
    for record in records {
        match serde_json::from_value::<EventRecord>(record).ok().as_ref().and_then(message_key) {
            Some(message) => messages.push(message),
            None => tracing::error!("a stream record names no message"),
        }
    }
    let mut failed = Vec::new();
    for (sequence_number, outcome) in courier.deliver(messages).await {
        if let Err(error) = outcome {
            tracing::error!(error = telemetry::chain(&error), "a message could not be delivered");
            failed.push(sequence_number);
        }
    }
    let mut response = DynamoDbEventResponse::default();
    response.batch_item_failures = failed.into_iter().map(failure).collect();
    response
}

fn failure(sequence_number: Option<String>) -> DynamoDbBatchItemFailure {
    let mut failure = DynamoDbBatchItemFailure::default();
    failure.item_identifier = sequence_number;
    failure
}

fn message_key(record: &EventRecord) -> Option<(Option<String>, MessageKey)> {
    let keys: std::collections::HashMap<String, Value> = serde_dynamo::from_item(record.change.keys.clone()).ok()?;
    let (pk, sk) = (keys.get("pk")?.as_str()?, keys.get("sk")?.as_str()?);
    Some((record.change.sequence_number.clone(), MessageKey::from_key(pk, sk)?))
}
