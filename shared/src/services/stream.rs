//! Batches of the table's stream: dispatches new outbound messages, and replies to new inbound ones.
//!
//! A record that can't be parsed is logged and skipped: it would never parse, and would block its shard. Records that fail
//! for another reason are reported, so that Lambda retries the batch from the first of them.

use aws_lambda_events::{
    dynamodb::EventRecord,
    streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse},
};
use serde_json::Value;

use crate::{
    domain::{delivery::OutboxMessage, message::Message},
    services::{
        auto_reply::Responder,
        deliver::{DeliveryError, Dispatcher, DuePoller, PendingMessage},
    },
    store::{keys::Key, read_message_image},
    telemetry,
};

/// A record's sequence number.
type SequenceNumber = Option<String>;

/// Dispatches a batch's messages, or, for any other event (the schedule's or a self-invocation), the messages that are due.
pub async fn deliver(dispatcher: &Dispatcher, event: Value) -> Result<DynamoDbEventResponse, DeliveryError> {
    let Some(records) = records(event) else {
        DuePoller::new(dispatcher.clone()).run().await?;
        return Ok(DynamoDbEventResponse::default());
    };
    let mut messages = Vec::with_capacity(records.len());
    for record in records {
        match record.and_then(read_outbox_record) {
            Some(OutboxRecord::Message(sequence_number, pending)) => messages.push((sequence_number, pending)),
            Some(OutboxRecord::Resume) => dispatcher.invoke().await,
            None => tracing::error!("stream record has neither a message nor a resumed session"),
        }
    }
    Ok(failures(dispatcher.deliver(messages).await, "message delivery failed"))
}

/// Replies to a batch's messages.
pub async fn respond(responder: &Responder, event: Value) -> DynamoDbEventResponse {
    let Some(records) = records(event) else {
        tracing::error!("event without stream records");
        return DynamoDbEventResponse::default();
    };
    let mut messages: Vec<(SequenceNumber, Message)> = Vec::with_capacity(records.len());
    for record in records {
        let message = record.and_then(|EventRecord { change, .. }| {
            Some((change.sequence_number, read_message_image(change.new_image).ok()?))
        });
        match message {
            Some(message) => messages.push(message),
            None => tracing::error!("stream record has no message"),
        }
    }
    failures(responder.respond(messages).await, "auto-reply evaluation failed")
}

/// The records of a batch, `None` for each that can't be parsed; `None` if the event isn't a batch.
fn records(mut event: Value) -> Option<Vec<Option<EventRecord>>> {
    match event.get_mut("Records").map(Value::take) {
        Some(Value::Array(records)) => {
            Some(records.into_iter().map(|record| serde_json::from_value(record).ok()).collect())
        }
        _ => None,
    }
}

fn failures<E: std::error::Error>(
    outcomes: Vec<(SequenceNumber, Result<(), E>)>,
    message: &str,
) -> DynamoDbEventResponse {
    let mut response = DynamoDbEventResponse::default();
    for (sequence_number, outcome) in outcomes {
        if let Err(error) = outcome {
            tracing::error!(error = telemetry::chain(&error), "{message}");
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = sequence_number;
            response.batch_item_failures.push(failure);
        }
    }
    response
}

/// A record of the outbox.
enum OutboxRecord {
    /// A new message.
    Message(SequenceNumber, PendingMessage),
    /// A session was resumed. Its messages are in the `due` index.
    Resume,
}

/// Uses the message as the stream contains it; if that can't be parsed, its key, to read it from the table.
fn read_outbox_record(record: EventRecord) -> Option<OutboxRecord> {
    let keys: Value = serde_dynamo::from_item(record.change.keys).ok()?;
    if keys["sk"] == "RESUME" {
        return Some(OutboxRecord::Resume);
    }
    let key = Key { pk: keys["pk"].as_str()?.to_owned(), sk: keys["sk"].as_str()?.to_owned() }.message_key()?;
    let image = read_message_image::<OutboxMessage>(record.change.new_image).ok();
    let pending = image.map_or(PendingMessage::At(key), |found| PendingMessage::Read(Box::new(found)));
    Some(OutboxRecord::Message(record.change.sequence_number, pending))
}
