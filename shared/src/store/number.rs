//! The numbers of a deployment. All are in one partition: they are few, written by hand, and read together.

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Delete, TransactWriteItem, Update};

use super::{
    Store, StoreError,
    item::{self, string},
    keys::{Key, NUMBERS},
    transaction::{Transaction, update_action},
};
use crate::{
    domain::ciphertext::Ciphertext,
    domain::id::SessionId,
    domain::number::{NumberRequest, RegisteredNumber},
};

const NUMBER_SETTINGS: &str = "number_settings";

/// What became of a number that was put.
#[derive(Debug, PartialEq, Eq)]
pub enum NumberChange {
    /// It is as it should be.
    Done,
    /// There is none to delete.
    Missing,
    /// It is linked to a session: of another owner, when it was to be put.
    Linked,
}

/// The new credentials of a number, encrypted.
#[derive(Default)]
pub struct EncryptedCredentials {
    /// Its access token; `None` keeps the one that there is.
    pub access_token: Option<Ciphertext>,
    /// Its app secrets; `None` keeps those that there are.
    pub app_secret: Option<Ciphertext>,
}

impl Store {
    /// Makes a number, or changes it, unless a session of another owner is linked to it.
    pub async fn put_number(
        &self,
        put: &NumberRequest,
        credentials: &EncryptedCredentials,
    ) -> Result<NumberChange, StoreError> {
        const OPERATION: &str = "putting a number";
        let now = string(self.system.now().to_string());
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(Key::number_settings(&put.phone_number_id).attributes()))
            .expression_attribute_values(":entity", string(NUMBER_SETTINGS))
            .expression_attribute_values(":id", string(&put.phone_number_id))
            .expression_attribute_values(":display", string(&put.display_phone_number))
            .expression_attribute_values(":now", now);
        let mut expression = "SET entity = :entity, phone_number_id = :id, display_phone_number = :display, \
                              created_at = if_not_exists(created_at, :now), updated_at = :now"
            .to_owned();
        let given =
            [("access_token", credentials.access_token.as_ref()), ("app_secret", credentials.app_secret.as_ref())];
        for (attribute, ciphertext) in given {
            if let Some(ciphertext) = ciphertext {
                expression.push_str(&format!(", {attribute} = :{attribute}"));
                update = update.expression_attribute_values(format!(":{attribute}"), item::value(ciphertext)?);
            }
        }
        let claim = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(Key::number(&put.phone_number_id).attributes()));
        let mut actions = Vec::new();
        match (put.session_id(), &put.owner_id) {
            (Some(session_id), Some(owner_id)) => {
                expression.push_str(", owner_id = :owner, session_id = :session");
                let session_id = string(session_id.to_string());
                update = update
                    .expression_attribute_values(":owner", string(owner_id))
                    .expression_attribute_values(":session", session_id.clone());
                let claim = claim
                    .condition_expression("attribute_not_exists(pk) OR session_id = :session")
                    .expression_attribute_values(":session", session_id)
                    .build()
                    .map_err(|source| StoreError::Request { operation: OPERATION, source: source.into() })?;
                actions.push(TransactWriteItem::builder().condition_check(claim).build());
            }
            _ => expression.push_str(" REMOVE owner_id, session_id"),
        }
        let update = update
            .update_expression(expression)
            .build()
            .map_err(|source| StoreError::Request { operation: OPERATION, source: source.into() })?;
        actions.push(update_action(update));
        Ok(match self.transact(OPERATION, actions).await? {
            Transaction::Committed => NumberChange::Done,
            Transaction::Refused(_) => NumberChange::Linked,
        })
    }

    /// Deletes a number that no session is linked to.
    pub async fn delete_number(&self, phone_number_id: &str) -> Result<NumberChange, StoreError> {
        const OPERATION: &str = "deleting a number";
        let failed = |source: aws_sdk_dynamodb::error::BuildError| StoreError::Request {
            operation: OPERATION,
            source: source.into(),
        };
        let unlinked = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(Key::number(phone_number_id).attributes()))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(failed)?;
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(Key::number_settings(phone_number_id).attributes()))
            .condition_expression("attribute_exists(pk)")
            .build()
            .map_err(failed)?;
        let actions = vec![
            TransactWriteItem::builder().delete(delete).build(),
            TransactWriteItem::builder().condition_check(unlinked).build(),
        ];
        Ok(match self.transact(OPERATION, actions).await? {
            Transaction::Committed => NumberChange::Done,
            Transaction::Refused(refusals) if refusals.first().is_some_and(|delete| delete.failed) => {
                NumberChange::Missing
            }
            Transaction::Refused(_) => NumberChange::Linked,
        })
    }

    /// A number.
    pub async fn number(&self, phone_number_id: &str) -> Result<Option<RegisteredNumber>, StoreError> {
        let item = self.get("reading a number", &Key::number_settings(phone_number_id)).await?;
        item.map(|item| item::read(NUMBER_SETTINGS, item)).transpose()
    }

    /// Every number, in the order of their ids. Not read consistently: a process that goes on with these for minutes gains
    /// nothing by that.
    pub async fn numbers(&self) -> Result<Vec<RegisteredNumber>, StoreError> {
        let mut numbers = Vec::new();
        let mut start = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.table)
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

    /// In a transaction: whether the number is free for this session's owner.
    pub(super) fn allowed(
        &self,
        phone_number_id: &str,
        session_id: SessionId,
    ) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(Key::number_settings(phone_number_id).attributes()))
            .condition_expression("attribute_not_exists(session_id) OR session_id = :session")
            .expression_attribute_values(":session", AttributeValue::S(session_id.to_string()))
            .build()
            .map_err(|source| StoreError::Request { operation: "pairing", source: source.into() })?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }
}
