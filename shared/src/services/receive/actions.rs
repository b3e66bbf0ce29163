//! Statuses of stored messages. One that arrives before its message is stored as an early update.

use super::Receiver;
use crate::{
    domain::{message_key::MessageKey, status_update::StatusUpdate},
    store::{Applied, StoreError},
};

impl Receiver {
    /// Applies a status to its message, found by the key that WhatsApp returns, or by the wamid. A status without a
    /// message may belong to a message that is being stored, or to another application. It is stored as an early
    /// update, unless it has a key: the message was stored under its key before it was sent, so it was erased.
    pub(super) async fn apply_status(&self, update: &StatusUpdate, key: Option<MessageKey>) -> Result<(), StoreError> {
        let update = &StatusUpdate { at: update.at.clamped_to(self.system.now()), ..update.clone() };
        let messages = self.store.messages();
        let found = match key {
            Some(key) => Some(key),
            None => messages.find_by_wamid(&update.phone_number_id, &update.wamid).await?,
        };
        let applied = match found {
            Some(key) => messages.apply_status(&key, update).await?,
            None => Applied::Missing,
        };
        self.count_undelivered(applied);
        if applied == Applied::Missing && key.is_none() {
            messages.put_early_status(update).await?;
        }
        Ok(())
    }
}
