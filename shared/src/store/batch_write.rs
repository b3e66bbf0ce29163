//! Writes of several items without conditions.

use aws_sdk_dynamodb::types::WriteRequest;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Store, StoreError};

/// The maximum number of items in a request (AWS: "BatchWriteItem").
const BATCH: usize = 25;

/// Concurrent requests.
const PARALLEL: usize = 8;

/// Attempts for the items that a throttled table leaves out.
const ATTEMPTS: u32 = 10;

impl Store {
    /// Writes or deletes items. Items that are written don't include one twice. If it fails, some are written.
    pub(super) async fn write_all(
        &self,
        operation: &'static str,
        requests: Vec<WriteRequest>,
    ) -> Result<(), StoreError> {
        let batches: Vec<Vec<WriteRequest>> = requests.chunks(BATCH).map(<[_]>::to_vec).collect();
        stream::iter(batches)
            .map(Ok)
            .try_for_each_concurrent(PARALLEL, |batch| self.write_batch(operation, batch))
            .await
    }

    async fn write_batch(&self, operation: &'static str, batch: Vec<WriteRequest>) -> Result<(), StoreError> {
        let mut rest = batch;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                self.pause(attempt).await;
            }
            let output = self
                .client
                .batch_write_item()
                .request_items(&self.table, rest)
                .send()
                .await
                .map_err(StoreError::request(operation))?;
            rest = output.unprocessed_items.unwrap_or_default().into_values().flatten().collect();
            if rest.is_empty() {
                return Ok(());
            }
        }
        Err(StoreError::Contention { operation })
    }
}
