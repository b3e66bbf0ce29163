//! Batches of the table's stream: dispatches new outbound messages, logs changes, and replies to new inbound messages.
//!
//! A record that can't be parsed is logged and skipped: it would never parse, and would block its shard. Records that fail
//! for another reason are reported, so that Lambda retries the batch from the first of them.

use aws_lambda_events::{
    dynamodb::EventRecord,
    streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse},
};
use serde_json::Value;

use crate::{
    domain::{
        change::derive::{MessageState, StreamRecord, Write},
        delivery::OutboxMessage,
        media::{Fetch, has_file},
        message::{Message, MessageStatus},
        time::Timestamp,
    },
    services::{
        deliver::{DeliveryError, Dispatcher, DuePoller, PendingMessage},
        relay::{Relay, RelayRecord},
    },
    store::{keys::Key, read_message_image, read_write},
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

/// Appends the changes that a batch reports, and replies to its messages.
pub async fn relay(relay: &Relay, event: Value) -> DynamoDbEventResponse {
    let Some(records) = records(event) else {
        tracing::error!("event without stream records");
        return DynamoDbEventResponse::default();
    };
    let mut batch: Vec<RelayRecord<SequenceNumber>> = Vec::with_capacity(records.len());
    for record in records {
        match record.and_then(read_relay_record) {
            Some(record) => batch.push(record),
            None => tracing::error!("stream record is unreadable"),
        }
    }
    let mut response = DynamoDbEventResponse::default();
    for sequence_number in relay.process(batch).await {
        response.batch_item_failures.push(failure(sequence_number));
    }
    response
}

/// Reads what changed, and the message if rules may answer it.
fn read_relay_record(record: EventRecord) -> Option<RelayRecord<SequenceNumber>> {
    let EventRecord { change, event_id, .. } = record;
    let at = Timestamp::from_milliseconds(change.approximate_creation_date_time.timestamp_millis())?;
    let write = read_write(change.old_image, change.new_image.clone()).ok()?;
    let is_received = |after: &MessageState| after.status == MessageStatus::Received;
    let message = match &write {
        Write::NewMessage { after, .. } if is_received(after) || has_file(after.kind) => {
            let message = read_message_image::<Message>(change.new_image);
            message.inspect_err(|error| tracing::error!(error = telemetry::chain(error), "message is unreadable")).ok()
        }
        _ => None,
    };
    let file = message.as_ref().and_then(|message| Fetch::of(message, at));
    let message = message.filter(|message| message.status == MessageStatus::Received);
    Some(RelayRecord { tag: change.sequence_number, record: StreamRecord { event_id, at, write }, message, file })
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
            response.batch_item_failures.push(failure(sequence_number));
        }
    }
    response
}

fn failure(sequence_number: SequenceNumber) -> DynamoDbBatchItemFailure {
    let mut failure = DynamoDbBatchItemFailure::default();
    failure.item_identifier = sequence_number;
    failure
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
