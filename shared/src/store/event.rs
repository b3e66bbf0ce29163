//! What WhatsApp sends beside messages and statuses, and what could not be read: kept as it came.

use aws_sdk_dynamodb::{operation::put_item::PutItemError, types::TransactWriteItem};
use serde_json::json;

use super::{
    Store, StoreError,
    item::{self, Item},
    keys::Key,
    transaction::{Transaction, put_action},
};
use crate::id::content_id;

impl Store {
    /// Keeps `raw`, once, with what it is (a webhook field such as `account_update`) and what was wrong with it.
    pub async fn keep_event(&self, field: &str, reason: Option<&str>, raw: &str) -> Result<(), StoreError> {
        let id = content_id(raw);
        let (own, parts) = self.keep_raw(id.to_string(), raw)?;
        let received_at = (self.system.now)();
        let row = json!({"field": field, "reason": reason, "raw": own, "received_at": received_at});
        self.keep("keeping an event", item::write("event", &Key::event(id), &row)?, parts).await
    }

    /// Writes an item and its parts unless it is there already.
    pub(super) async fn keep(
        &self,
        operation: &'static str,
        item: Item,
        parts: Vec<TransactWriteItem>,
    ) -> Result<(), StoreError> {
        if !parts.is_empty() {
            let own = put_action(self.put(item, "attribute_not_exists(pk)"));
            return match self.transact(operation, std::iter::once(own).chain(parts).collect()).await? {
                Transaction::Committed | Transaction::Refused(_) => Ok(()),
            };
        }
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        match put.condition_expression("attribute_not_exists(pk)").send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(StoreError::request(operation)(error)),
            },
        }
    }
}
