//! Reads the stream of the embedded database, whose calls block.

use std::sync::Arc;

use dynoxide::DynoxideError;
use serde_json::{Value, json};

use super::{
    StreamError,
    filter::Filter,
    record::{Record, SequenceNumber},
};
use crate::database::Database;

/// The only shard of an embedded table's stream.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shard {
    pub(super) stream_arn: String,
    pub(super) id: String,
}

#[derive(Clone)]
pub(super) struct StreamReader {
    database: dynoxide::Database,
    pub(super) shard: Shard,
}

/// The position of a record, and the record itself if it matches the filter.
pub(super) type ReadEntry = (SequenceNumber, Option<Record>);

impl StreamReader {
    pub(super) async fn open(database: &Database) -> Result<StreamReader, StreamError> {
        let table_name = database.table_name().to_owned();
        let database = database.embedded();
        blocking(move || {
            let table = database.describe_table(parse(json!({"TableName": table_name}))?)?;
            let table = serde_json::to_value(table.table).unwrap_or_default();
            let stream_arn = table["LatestStreamArn"].as_str().ok_or(StreamError::NoStream { table_name })?.to_owned();
            let stream = database.describe_stream(parse(json!({"StreamArn": stream_arn}))?)?.stream_description;
            let id = stream.shards.into_iter().next().map(|shard| shard.shard_id).unwrap_or_default();
            Ok(StreamReader { database, shard: Shard { stream_arn, id } })
        })
        .await
    }

    /// Returns the last sequence number of the stream; 0 if it is empty.
    pub(super) async fn latest(&self) -> Result<SequenceNumber, StreamError> {
        let StreamReader { database, shard, .. } = self.clone();
        blocking(move || {
            let stream = database.describe_stream(parse(json!({"StreamArn": shard.stream_arn}))?)?.stream_description;
            let last =
                stream.shards.into_iter().next().and_then(|shard| shard.sequence_number_range.ending_sequence_number);
            Ok(last.and_then(|last| last.parse().ok()).unwrap_or(0))
        })
        .await
    }

    /// Returns up to 1,000 records after `position`; 0 is before the first record.
    pub(super) async fn after(
        &self,
        position: SequenceNumber,
        filter: Arc<Filter>,
    ) -> Result<Vec<ReadEntry>, StreamError> {
        let StreamReader { database, shard } = self.clone();
        blocking(move || {
            let mut request =
                json!({"StreamArn": shard.stream_arn, "ShardId": shard.id, "ShardIteratorType": "TRIM_HORIZON"});
            if position > 0 {
                request["ShardIteratorType"] = json!("AFTER_SEQUENCE_NUMBER");
                request["SequenceNumber"] = json!(position.to_string());
            }
            let iterator = database.get_shard_iterator(parse(request)?)?.shard_iterator;
            let records = database.get_records(parse(json!({"ShardIterator": iterator}))?)?.records;
            records
                .into_iter()
                .map(|record| {
                    let record = serde_json::to_value(record).unwrap_or_default();
                    let wanted = filter.accepts(&record);
                    let record = Record::new(record, &shard.stream_arn).ok_or(StreamError::Malformed)?;
                    Ok((record.sequence, wanted.then_some(record)))
                })
                .collect()
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, StreamError> + Send + 'static,
) -> Result<T, StreamError> {
    match tokio::task::spawn_blocking(call).await {
        Ok(result) => result,
        Err(panic) => Err(DynoxideError::InternalServerError(panic.to_string()).into()),
    }
}

fn parse<T: serde::de::DeserializeOwned>(request: Value) -> Result<T, StreamError> {
    serde_json::from_value(request).map_err(|error| DynoxideError::ValidationException(error.to_string()).into())
}
