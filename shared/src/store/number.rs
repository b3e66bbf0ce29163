//! Registered numbers. All are in one partition: there are few, and they are read together.

use aws_sdk_dynamodb::types::TransactWriteItem;

use super::{
    Numbers, StoreError,
    item::{self, string},
    keys::{Key, NUMBERS},
    transaction::Transaction,
    update::UpdateBuilder,
};
use crate::domain::{
    ciphertext::Ciphertext,
    id::SessionId,
    number::{NumberRequest, RegisteredNumber},
};

const NUMBER_SETTINGS: &str = "number_settings";

/// The outcome of writing or deleting a number.
#[derive(Debug, PartialEq, Eq)]
pub enum NumberChange {
    /// The number was written or deleted.
    Done,
    /// There is no such number to delete.
    Missing,
    /// A session is linked to the number. When writing, a session of another owner.
    Linked,
}

/// The encrypted new credentials of a number.
#[derive(Default)]
pub struct EncryptedCredentials {
    /// The access token; `None` keeps the current one.
    pub access_token: Option<Ciphertext>,
    /// The app secrets; `None` keeps the current ones.
    pub app_secret: Option<Ciphertext>,
}

impl Numbers<'_> {
    /// Creates or changes a number, unless a session of another owner is linked to it.
    pub async fn put(
        self,
        put: &NumberRequest,
        credentials: &EncryptedCredentials,
    ) -> Result<NumberChange, StoreError> {
        const OPERATION: &str = "writing a number";
        let now = self.0.system.now();
        let update = UpdateBuilder::new(&Key::number_settings(&put.phone_number_id))
            .set("entity", NUMBER_SETTINGS)
            .set("phone_number_id", &put.phone_number_id)
            .set("display_phone_number", &put.display_phone_number)
            .set_if_absent("created_at", now)
            .set("updated_at", now)
            .set("access_token", credentials.access_token.as_ref().map(item::value).transpose()?)
            .set("app_secret", credentials.app_secret.as_ref().map(item::value).transpose()?);
        let actions = match (put.session_id(), &put.owner_id) {
            (Some(session_id), Some(owner_id)) => {
                let available = UpdateBuilder::new(&Key::number(&put.phone_number_id))
                    .condition(("attribute_not_exists(pk) OR session_id = ?", session_id));
                let update = update.set("owner_id", owner_id).set("session_id", session_id);
                vec![self.0.update_action(available), self.0.update_action(update)]
            }
            _ => vec![self.0.update_action(update.remove(["owner_id", "session_id"]))],
        };
        Ok(match self.0.transact(OPERATION, actions).await? {
            Transaction::Committed => NumberChange::Done,
            Transaction::Refused(_) => NumberChange::Linked,
        })
    }

    /// Deletes a number that no session is linked to.
    pub async fn delete(self, phone_number_id: &str) -> Result<NumberChange, StoreError> {
        const OPERATION: &str = "deleting a number";
        let actions = vec![
            self.0.delete_action(&Key::number_settings(phone_number_id), "attribute_exists(pk)"),
            self.0.check_absent(&Key::number(phone_number_id)),
        ];
        Ok(match self.0.transact(OPERATION, actions).await? {
            Transaction::Committed => NumberChange::Done,
            Transaction::Refused(refusals) if refusals.first().is_some_and(|delete| delete.failed) => {
                NumberChange::Missing
            }
            Transaction::Refused(_) => NumberChange::Linked,
        })
    }

    /// Returns a number.
    pub async fn get(self, phone_number_id: &str) -> Result<Option<RegisteredNumber>, StoreError> {
        let item = self.0.get("reading a number", &Key::number_settings(phone_number_id)).await?;
        item.map(|item| item::read(NUMBER_SETTINGS, item)).transpose()
    }

    /// Returns all numbers, sorted by id. Eventually consistent: callers cache them for minutes.
    pub async fn list(self) -> Result<Vec<RegisteredNumber>, StoreError> {
        let mut numbers = Vec::new();
        let mut start = None;
        loop {
            let page = self
                .0
                .client
                .query()
                .table_name(&self.0.table)
                .key_condition_expression("pk = :numbers")
                .expression_attribute_values(":numbers", string(NUMBERS))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(StoreError::request("reading the numbers"))?;
            for item in page.items.unwrap_or_default() {
                numbers.push(item::read(NUMBER_SETTINGS, item)?);
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(numbers);
            }
        }
    }

    /// Returns an action that requires a number to be available to a session's owner.
    pub(super) fn check_available(self, phone_number_id: &str, session_id: SessionId) -> TransactWriteItem {
        let available = ("attribute_not_exists(session_id) OR session_id = ?", session_id);
        self.0.update_action(UpdateBuilder::new(&Key::number_settings(phone_number_id)).condition(available))
    }
}
