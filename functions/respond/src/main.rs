//! Answers customers' messages by the rules of their sessions, as the table's stream brings them.

use aws_lambda_events::{
    dynamodb::EventRecord,
    streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse},
};
use lambda_runtime::{Error, LambdaEvent, run_concurrent, service_fn};
use serde_json::Value;
use shared::{domain::message::Message, runtime::startup::Startup, services::auto_reply::Responder, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let limits = startup.environment.auto_reply_limits()?;
    let store = startup.store()?;
    store.warm_up().await;
    let responder = Responder::new(store, startup.system, limits);
    run_concurrent(service_fn(move |event: LambdaEvent<Value>| {
        let responder = responder.clone();
        async move { Ok::<_, Error>(respond(&responder, event.payload).await) }
    }))
    .await
}

/// A record that cannot be read is logged and acknowledged: it would never become readable, and would hold up its shard.
/// What failed on our side is reported, so that the batch is taken up again from there.
async fn respond(responder: &Responder, mut event: Value) -> DynamoDbEventResponse {
    let Some(Value::Array(records)) = event.get_mut("Records").map(Value::take) else {
        tracing::error!("an event without stream records");
        return DynamoDbEventResponse::default();
    };
    let mut messages = Vec::with_capacity(records.len());
    for record in records {
        match serde_json::from_value::<EventRecord>(record).ok().and_then(read) {
            Some(message) => messages.push(message),
            None => tracing::error!("a stream record is no message"),
        }
    }
    let mut response = DynamoDbEventResponse::default();
    for (sequence_number, outcome) in responder.respond(messages).await {
        if let Err(error) = outcome {
            tracing::error!(error = telemetry::chain(&error), "a message could not be put to the rules");
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = sequence_number;
            response.batch_item_failures.push(failure);
        }
    }
    response
}

/// A new message as it was stored, with its sequence number.
fn read(record: EventRecord) -> Option<(Option<String>, Message)> {
    let message = serde_dynamo::from_item(record.change.new_image).ok()?;
    Some((record.change.sequence_number, message))
}
