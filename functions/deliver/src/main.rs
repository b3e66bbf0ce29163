//! Posts pending messages to WhatsApp: as the table's stream brings them, and what is due at its time.

use aws_lambda_events::{
    dynamodb::EventRecord,
    streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse},
};
use lambda_runtime::{Error, LambdaEvent, run_concurrent, service_fn};
use serde_json::Value;
use shared::{
    runtime::startup::Startup,
    services::deliver::{Dispatcher, DuePoller, PendingMessage},
    store::{OutboxMessage, keys::Key},
    telemetry,
    whatsapp::CloudApi,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let cloud_api = CloudApi::new(startup.environment.graph_api_url()?)?;
    let settings = startup.environment.delivery_settings()?;
    let (store, credentials, self_invoker) = (startup.store()?, startup.credentials()?, startup.self_invoker()?);
    let dispatcher = Dispatcher::new(store, cloud_api, credentials, self_invoker, startup.system, settings);
    dispatcher.warm_up().await;
    run_concurrent(service_fn(move |event: LambdaEvent<Value>| {
        let dispatcher = dispatcher.until(event.context.deadline);
        async move { handle(&dispatcher, event.payload).await }
    }))
    .await
}

/// A stream batch has `Records`; any other event, the schedule's or our own, is to look after what is due.
async fn handle(dispatcher: &Dispatcher, mut event: Value) -> Result<DynamoDbEventResponse, Error> {
    match event.get_mut("Records").map(Value::take) {
        Some(Value::Array(records)) => Ok(deliver_batch(dispatcher, records).await),
        _ => {
            DuePoller::new(dispatcher.clone()).run().await?;
            Ok(DynamoDbEventResponse::default())
        }
    }
}

/// A record that cannot be read is logged and acknowledged: it would never become readable, and would hold up its shard.
/// What failed on our side is reported, so that the batch is taken up again from there.
async fn deliver_batch(dispatcher: &Dispatcher, records: Vec<Value>) -> DynamoDbEventResponse {
    let mut messages = Vec::with_capacity(records.len());
    for record in records {
        match serde_json::from_value::<EventRecord>(record).ok().and_then(read) {
            Some(Record::Message(sequence_number, pending)) => messages.push((sequence_number, pending)),
            Some(Record::Resume) => dispatcher.invoke().await,
            None => tracing::error!("a stream record names neither a message nor a session to resume"),
        }
    }
    let mut failed = Vec::new();
    for (sequence_number, outcome) in dispatcher.deliver(messages).await {
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

/// What the stream brings.
enum Record {
    /// A new message, with its sequence number.
    Message(Option<String>, PendingMessage),
    /// A session was resumed. The order is in the `due` index, where the next look finds it.
    Resume,
}

/// A message is taken as it was when it was stored; where that cannot be read, it is read from the table.
fn read(record: EventRecord) -> Option<Record> {
    let keys: Value = serde_dynamo::from_item(record.change.keys).ok()?;
    if keys["sk"] == "RESUME" {
        return Some(Record::Resume);
    }
    let key = Key { pk: keys["pk"].as_str()?.to_owned(), sk: keys["sk"].as_str()?.to_owned() }.message_key()?;
    let image = serde_dynamo::from_item::<_, OutboxMessage>(record.change.new_image).ok();
    let pending = image.map_or(PendingMessage::At(key), |found| PendingMessage::Read(Box::new(found)));
    Some(Record::Message(record.change.sequence_number, pending))
}
