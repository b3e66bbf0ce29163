//! Transactions that are retried while other writers hold the same items.

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update},
};

use super::{Store, StoreError, item::Item, keys::Key};

/// How often a transaction, or a write that collides with one, is tried in all. With the pauses between them that is
/// about four seconds, well under every function's timeout.
const ATTEMPTS: u32 = 12;

/// The most actions that DynamoDB takes in one transaction.
pub(super) const TRANSACTION_LIMIT: usize = 100;

/// What became of a transaction.
pub(super) enum Transaction {
    /// All of it is durable.
    Committed,
    /// None of it happened. For each action in order: whether its condition failed, and the item as it is.
    Refused(Vec<Refusal>),
}

/// What one action of a refused transaction found.
#[derive(Default)]
pub(super) struct Refusal {
    pub(super) failed: bool,
    pub(super) item: Option<Item>,
}

impl Store {
    /// Runs a transaction of up to 100 actions.
    pub(super) async fn transact(
        &self,
        operation: &'static str,
        actions: Vec<TransactWriteItem>,
    ) -> Result<Transaction, StoreError> {
        for attempt in 0..ATTEMPTS {
            let sent = self.client.transact_write_items().set_transact_items(Some(actions.clone())).send().await;
            let error = match sent {
                Ok(_) => return Ok(Transaction::Committed),
                Err(error) => error,
            };
            match refusals(&error) {
                Some(refusals) if refusals.iter().any(|refusal| refusal.failed) => {
                    return Ok(Transaction::Refused(refusals));
                }
                Some(_) => self.pause(attempt).await,
                None => return Err(StoreError::request(operation)(error)),
            }
        }
        Err(StoreError::Contention { operation })
    }

    /// Waits before another try: up to 25 ms, doubling up to 800 ms, with full jitter so that writers who collided once
    /// do not collide again (AWS Architecture Blog: "Exponential Backoff And Jitter").
    pub async fn pause(&self, attempt: u32) {
        let ceiling = 25_u64 << attempt.min(5);
        let random = u64::from(self.system.random_uuid().as_bytes()[0]);
        tokio::time::sleep(Duration::from_millis(ceiling * random / 255)).await;
    }

    /// Runs a single write again while a transaction holds its item.
    pub(super) async fn retry_on_conflict<T, E, R, F>(&self, mut write: impl FnMut() -> F) -> Result<T, SdkError<E, R>>
    where
        E: aws_sdk_dynamodb::error::ProvideErrorMetadata,
        F: Future<Output = Result<T, SdkError<E, R>>>,
    {
        let mut attempt = 0;
        loop {
            match write().await {
                Err(error) if attempt + 1 < ATTEMPTS && super::is_transaction_conflict(&error) => {
                    self.pause(attempt).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// An action that changes nothing, and is refused when there is such an item.
    pub(super) fn check_absent(&self, key: &Key) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(|source| StoreError::Request { operation: "looking for an item", source: source.into() })?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// An action that makes an item under a condition.
    pub(super) fn put(&self, item: Item, condition: &str) -> Put {
        #[allow(clippy::expect_used, reason = "both members that the builder asks for are set")]
        Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(condition)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .expect("table and item are set")
    }
}

/// `None` when the transaction was not cancelled but failed.
fn refusals<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<Vec<Refusal>> {
    let error = error.as_service_error()?;
    if super::is_transaction_conflict(error) {
        return Some(Vec::new());
    }
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else { return None };
    let mut refusals = Vec::new();
    for reason in cancelled.cancellation_reasons() {
        match reason.code() {
            None | Some("None" | "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded") => {
                refusals.push(Refusal::default());
            }
            Some("ConditionalCheckFailed") => {
                refusals.push(Refusal { failed: true, item: reason.item().cloned() });
            }
            Some(_) => return None,
        }
    }
    Some(refusals)
}

/// An action.
pub(super) fn put_action(put: Put) -> TransactWriteItem {
    TransactWriteItem::builder().put(put).build()
}

/// An action.
pub(super) fn delete_action(delete: Delete) -> TransactWriteItem {
    TransactWriteItem::builder().delete(delete).build()
}

/// An action.
pub(super) fn update_action(update: Update) -> TransactWriteItem {
    TransactWriteItem::builder().update(update).build()
}
