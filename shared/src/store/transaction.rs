//! Transactions, retried while other writers hold the same items.

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem},
};

use super::{
    Store, StoreError,
    item::Item,
    keys::Key,
    update::{Condition, UpdateBuilder},
};

/// Attempts for a transaction, or for a write that conflicts with one. With the pauses between them, they take about
/// four seconds, well under every function's timeout.
const ATTEMPTS: u32 = 12;

/// The maximum number of actions in a transaction (AWS: "TransactWriteItems").
pub(super) const TRANSACTION_LIMIT: usize = 100;

/// The outcome of a transaction.
pub(super) enum Transaction {
    /// All of it is durable.
    Committed,
    /// None of it happened. Has one result for each action, in order.
    Refused(Vec<Refusal>),
}

/// The result of one action of a refused transaction.
#[derive(Default)]
pub(super) struct Refusal {
    /// Whether the action's condition failed.
    pub(super) failed: bool,
    /// The item as it is, if the condition failed.
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

    /// Waits before another attempt: up to 25 ms, doubling up to 800 ms. Full jitter keeps writers that conflicted once
    /// from conflicting again (AWS Architecture Blog: "Exponential Backoff And Jitter").
    pub async fn pause(&self, attempt: u32) {
        let ceiling = 25_u64 << attempt.min(5);
        let random = u64::from(self.system.random_uuid().as_bytes()[0]);
        tokio::time::sleep(Duration::from_millis(ceiling * random / 255)).await;
    }

    /// Runs a single write, again while a transaction holds its item.
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

    /// Returns an action that updates an item.
    pub(super) fn update_action(&self, update: UpdateBuilder) -> TransactWriteItem {
        update.into_action(&self.table)
    }

    /// Returns an action that requires an item to be absent.
    pub(super) fn check_absent(&self, key: &Key) -> TransactWriteItem {
        self.update_action(UpdateBuilder::new(key).condition("attribute_not_exists(pk)"))
    }

    /// Returns an action that writes an item.
    #[allow(clippy::expect_used, reason = "the members that the SDK requires are set")]
    pub(super) fn put_action(&self, item: Item, condition: impl Into<Condition>) -> TransactWriteItem {
        let (condition, bindings) = condition.into().build();
        let (names, values) = bindings.into_parts();
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .set_condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build();
        TransactWriteItem::builder().put(put.expect("table and item are set")).build()
    }

    /// Returns an action that deletes an item.
    #[allow(clippy::expect_used, reason = "the members that the SDK requires are set")]
    pub(super) fn delete_action(&self, key: &Key, condition: impl Into<Condition>) -> TransactWriteItem {
        let (condition, bindings) = condition.into().build();
        let (names, values) = bindings.into_parts();
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .set_condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .build();
        TransactWriteItem::builder().delete(delete.expect("table and key are set")).build()
    }
}

/// Returns the results of a canceled transaction; `None` for any other error.
fn refusals<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<Vec<Refusal>> {
    let error = error.as_service_error()?;
    if super::is_transaction_conflict(error) {
        return Some(Vec::new());
    }
    let TransactWriteItemsError::TransactionCanceledException(canceled) = error else { return None };
    let mut refusals = Vec::new();
    for reason in canceled.cancellation_reasons() {
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
