//! Statuses of stored messages. One that arrives before its message is stored as an early update.

use super::Receiver;
use crate::{
    domain::{message_key::MessageKey, status_update::StatusUpdate},
    store::{Applied, StoreError},
};

/// A step of the search for a status's message.
enum Step {
    /// By the key that WhatsApp returned.
    Key(Option<MessageKey>),
    Wamid,
    /// Store the status as an early update.
    StoreEarly,
}

impl Receiver {
    /// Applies a status to its message, found by the key that WhatsApp returns, or by the wamid. A status without a
    /// message may belong to a send that isn't settled yet, or to another application. It is stored as an early update.
    /// The second search finds a message that was stored in between.
    pub(super) async fn apply_status(&self, update: &StatusUpdate, key: Option<MessageKey>) -> Result<(), StoreError> {
        let update = &StatusUpdate { at: update.at.clamped_to(self.system.now()), ..update.clone() };
        for step in [Step::Key(key), Step::Wamid, Step::StoreEarly, Step::Wamid] {
            let key = match step {
                Step::Key(key) => key,
                Step::Wamid => self.store.messages().find_by_wamid(&update.phone_number_id, &update.wamid).await?,
                Step::StoreEarly => {
                    self.store.messages().put_early_status(update).await?;
                    None
                }
            };
            if let Some(key) = key {
                let applied = self.store.messages().apply_status(&key, update).await?;
                if applied != Applied::Missing {
                    self.count_undelivered(applied);
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
