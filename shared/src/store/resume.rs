//! Letting a session's messages go on.

use aws_sdk_dynamodb::types::{ReturnValuesOnConditionCheckFailure as OnFailure, Update};
use serde_json::json;

use super::{
    Store, StoreError,
    item::{self, string},
    keys::{Key, due_key},
    session::SESSION,
    transaction::{Transaction, put_action, update_action},
};
use crate::{domain::id::SessionId, domain::session::Session};

/// What resuming a session found.
#[derive(Debug)]
pub enum Resumed {
    /// It was paused and is not any more.
    Resumed(Session),
    /// It was not paused.
    NotPaused(Session),
    /// There is no such session.
    Missing,
}

impl Store {
    /// Ends a session's pause, and in the same transaction leaves the order for `deliver` to look at every message that
    /// waited through it.
    pub async fn resume(&self, id: SessionId) -> Result<Resumed, StoreError> {
        let operation = "resuming a session";
        let now = self.system.now().to_string();
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(Key::session(id).attributes()))
            .update_expression("SET updated_at = :now REMOVE paused_reason")
            .condition_expression("attribute_exists(paused_reason)")
            .expression_attribute_values(":now", string(&now))
            .return_values_on_condition_check_failure(OnFailure::AllOld)
            .build()
            .map_err(|source| StoreError::Request { operation, source: source.into() })?;
        let row = json!({"session_id": id, "due_key": due_key(0), "due_at": now});
        // An order that has not been carried out yet is replaced.
        let order = self
            .put(item::write("resume", &Key::resume(id), &row)?, "attribute_not_exists(pk) OR attribute_exists(pk)");
        match self.transact(operation, vec![update_action(update), put_action(order)]).await? {
            Transaction::Committed => Ok(self.session(id).await?.map_or(Resumed::Missing, Resumed::Resumed)),
            Transaction::Refused(refusals) => match refusals.into_iter().next().and_then(|refusal| refusal.item) {
                Some(item) => Ok(Resumed::NotPaused(item::read::<Session>(SESSION, item)?)),
                None => Ok(Resumed::Missing),
            },
        }
    }
}
