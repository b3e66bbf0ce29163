//! A fake on-failure queue.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    batch::{Batch, Condition},
    reader::Shard,
};
use crate::output::{Kind, Output};

/// The messages of all on-failure queues, in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct FailureQueue {
    messages: Arc<Mutex<Vec<Value>>>,
}

impl FailureQueue {
    /// Returns the messages, oldest first, in Lambda's format: the position in the stream, without the records (Lambda
    /// Developer Guide, *Retain discarded records for a DynamoDB event source in Lambda*).
    pub fn messages(&self) -> Vec<Value> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reports discarded records on the output, and to `queue` (a logical ID) if the mapping has one.
    pub(super) fn discard(
        &self,
        function: &str,
        queue: Option<&str>,
        shard: &Shard,
        discarded: &DiscardedBatch<'_>,
        output: &Output,
    ) {
        let (Some(first), Some(last)) = (discarded.batch.records.first(), discarded.batch.records.last()) else {
            return;
        };
        output.line(
            Kind::Problem,
            format!(
                "{function}: discarded {} record(s), {:?}, shard {}, sequence numbers {} to {}, {}",
                discarded.batch.records.len(),
                discarded.condition,
                shard.id,
                first.sequence,
                last.sequence,
                queue.map_or("no on-failure queue".to_owned(), |queue| format!("sent to {queue}")),
            ),
        );
        if queue.is_some() {
            let message = discarded.message(function, shard);
            self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        }
    }
}

/// Records that Lambda discards.
pub(super) struct DiscardedBatch<'a> {
    pub(super) batch: &'a Batch,
    pub(super) condition: Condition,
    /// Whether the last invocation ended with a function error rather than an invalid response.
    pub(super) function_error: bool,
    pub(super) now: Timestamp,
}

impl DiscardedBatch<'_> {
    fn message(&self, function: &str, shard: &Shard) -> Value {
        let records = &self.batch.records;
        let seconds = |time: Option<Timestamp>| time.map(|time| format!("{:.0}", time));
        let mut response = json!({"statusCode": 200, "executedVersion": "$LATEST"});
        if self.function_error {
            response["functionError"] = json!("Unhandled");
        }
        json!({
            "requestContext": {
                "requestId": uuid::Uuid::new_v4(),
                "functionArn": format!("arn:aws:lambda:us-east-1:000000000000:function:{function}"),
                "condition": format!("{:?}", self.condition),
                "approximateInvokeCount": self.batch.invocations,
            },
            "responseContext": response,
            "version": "1.0",
            "timestamp": format!("{:.3}", self.now),
            "DDBStreamBatchInfo": {
                "shardId": shard.id,
                "startSequenceNumber": records.first().map(|record| record.sequence.to_string()),
                "endSequenceNumber": records.last().map(|record| record.sequence.to_string()),
                "approximateArrivalOfFirstRecord": seconds(records.first().map(|record| record.created)),
                "approximateArrivalOfLastRecord": seconds(records.last().map(|record| record.created)),
                "batchSize": records.len(),
                "streamArn": shard.stream_arn,
            },
        })
    }
}
