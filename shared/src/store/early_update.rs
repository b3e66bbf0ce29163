//! What came before the message that it is about: it waits under the message's wamid, and whoever stores the message, or
//! learns its wamid, looks there afterwards.
//!
//! The `wamid` index, by which messages are found, follows the table by a moment. Something that was parked in that
//! moment, by one who did not see the message yet, is looked at once more a little later, by the keeper.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Applied, Store, StoreError,
    item::{self, Item, number, string},
    keys::{Key, due_shard, wamid_pk},
    update::UpdateBuilder,
};
use crate::{
    domain::id::ChatId, domain::message_action::MessageAction, domain::message_key::MessageKey,
    domain::status_update::StatusUpdate, domain::time::Timestamp,
};

/// How long something waits for its message. WhatsApp repeats webhooks for 7 days.
const LIFETIME: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// When it is looked at once more. The index takes a second at most, as a rule.
const RECHECK_AFTER: Duration = Duration::from_secs(60);

const STATUS: &str = "early_status";
const EFFECT: &str = "early_action";

/// Something that waits for its message.
#[derive(Clone, Debug)]
pub enum EarlyUpdate {
    /// A status.
    Status(StatusUpdate),
    /// A reaction, an edit or a deletion.
    MessageAction(EarlyAction),
}

/// An effect that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlyAction {
    /// The number that it came to.
    pub phone_number_id: String,
    /// The chat that its message should come to.
    pub chat_id: ChatId,
    /// Until when it waits.
    pub until: Timestamp,
    /// The effect.
    #[serde(flatten)]
    pub action: MessageAction,
}

impl EarlyAction {
    /// An effect that waits from now on.
    pub fn new(phone_number_id: &str, action: MessageAction, chat_id: ChatId, now: Timestamp) -> Self {
        let phone_number_id = phone_number_id.to_owned();
        Self { phone_number_id, chat_id, until: now.after(LIFETIME), action }
    }
}

impl EarlyUpdate {
    fn message(&self) -> (&str, &str) {
        match self {
            Self::Status(update) => (&update.phone_number_id, &update.wamid),
            Self::MessageAction(early) => (&early.phone_number_id, &early.action.target),
        }
    }

    fn read(item: Item) -> Result<Option<Self>, StoreError> {
        let entity = item.get("entity").and_then(|entity| entity.as_s().ok()).map(String::as_str);
        Ok(match entity {
            Some(STATUS) => Some(Self::Status(item::read(STATUS, item)?)),
            Some(EFFECT) => Some(Self::MessageAction(item::read(EFFECT, item)?)),
            _ => None,
        })
    }
}

impl Store {
    /// Keeps a status until its message is known. Once per message, status and participant.
    pub async fn put_early_status(&self, update: &StatusUpdate) -> Result<(), StoreError> {
        let participant = update.participant.as_deref();
        let key = Key::early_status(&update.phone_number_id, &update.wamid, update.receipt, participant);
        self.put_early(STATUS, &key, update).await
    }

    /// Keeps an effect until its message is known, and notes on the chat that one of its messages is awaited, so that
    /// whoever stores the next one looks. In that order: who sees the note finds what is parked.
    pub async fn put_early_action(&self, early: &EarlyAction) -> Result<(), StoreError> {
        let EarlyAction { phone_number_id, chat_id, until, action } = early;
        let key = Key::early_action(phone_number_id, &action.target, &action.wamid);
        self.put_early(EFFECT, &key, early).await?;
        self.update_live_chat("recording a pending annotation", *chat_id, |update| {
            update
                .set("pending_annotation_until", *until)
                .condition("attribute_exists(pk)")
                .condition(("attribute_not_exists(pending_annotation_until) OR pending_annotation_until < ?", *until))
        })
        .await
    }

    async fn put_early<T: Serialize>(&self, entity: &'static str, key: &Key, row: &T) -> Result<(), StoreError> {
        let mut item = item::write(entity, key, row)?;
        let now = self.system.now();
        item.insert("expires_at".to_owned(), number(now.after(LIFETIME).seconds()));
        item.insert("received_at".to_owned(), string(now.to_string()));
        item.insert("due_key".to_owned(), string(due_shard(&key.pk)));
        item.insert("due_at".to_owned(), string(now.after(RECHECK_AFTER).to_string()));
        self.put_if_absent("parking", item).await
    }

    /// Applies what waits for the message at `key`, which WhatsApp knows as `wamid`.
    pub async fn apply_early_updates(
        &self,
        phone_number_id: &str,
        wamid: &str,
        key: &MessageKey,
    ) -> Result<Vec<Applied>, StoreError> {
        let mut applied = Vec::new();
        for early in self.early_updates(phone_number_id, wamid).await? {
            applied.push(self.apply_one(&early, key).await?);
        }
        Ok(applied)
    }

    async fn apply_one(&self, early: &EarlyUpdate, key: &MessageKey) -> Result<Applied, StoreError> {
        match early {
            EarlyUpdate::Status(update) => self.apply_status(key, update).await,
            EarlyUpdate::MessageAction(EarlyAction { phone_number_id, chat_id, until, action }) => {
                let found = self.apply_action(phone_number_id, key, action).await?;
                if !found {
                    return Ok(Applied::Missing);
                }
                self.end_waiting(*chat_id, *until).await?;
                Ok(Applied::Known)
            }
        }
    }

    /// Takes the note off a chat that one of its messages is awaited until this time.
    pub(super) async fn end_waiting(&self, chat_id: ChatId, until: Timestamp) -> Result<(), StoreError> {
        self.update_live_chat("clearing a pending annotation", chat_id, |update| {
            update.remove(["pending_annotation_until"]).condition(("pending_annotation_until = ?", until))
        })
        .await
    }

    /// What waits for a message.
    async fn early_updates(&self, phone_number_id: &str, wamid: &str) -> Result<Vec<EarlyUpdate>, StoreError> {
        let items = self.under_wamid(phone_number_id, wamid).await?;
        let early: Result<Vec<Option<EarlyUpdate>>, StoreError> = items.into_iter().map(EarlyUpdate::read).collect();
        Ok(early?.into_iter().flatten().collect())
    }

    /// Everything that is kept under a wamid.
    pub(super) async fn under_wamid(&self, phone_number_id: &str, wamid: &str) -> Result<Vec<Item>, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", string(wamid_pk(phone_number_id, wamid)))
            .consistent_read(true)
            .send()
            .await
            .map_err(StoreError::request("reading what waits for a message"))?;
        Ok(output.items.unwrap_or_default())
    }

    /// The second look at something that waits: it is applied if its message can be found by now, and stays for whoever
    /// brings the message if not.
    pub async fn recheck(&self, key: &Key) -> Result<Option<Applied>, StoreError> {
        let Some(item) = self.get("reading what waits", key).await? else { return Ok(None) };
        let mut applied = None;
        if let Some(early) = EarlyUpdate::read(item)? {
            let (phone_number_id, wamid) = early.message();
            if let Some(message) = self.message_by_wamid(phone_number_id, wamid).await? {
                applied = Some(self.apply_one(&early, &message).await?);
            }
        }
        let update = UpdateBuilder::new(key).remove(["due_key", "due_at"]).condition("attribute_exists(pk)");
        self.update_if("ending a recheck", update).await?;
        Ok(applied)
    }
}
