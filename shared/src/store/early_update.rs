//! Statuses and actions that arrive before their message, and a device's copies of messages whose worker has not
//! reported their wamid. They wait under the message's wamid. A writer that stores the
//! message, or learns its wamid, applies them afterwards.
//!
//! A writer that stores a message and one that stores its early update can miss each other: the `wamid` index is
//! eventually consistent, and neither looks twice. The `DuePoller` therefore rechecks each early update once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Applied, Messages, StoreError,
    action::{annotations, has_version},
    item::{self, Item, number, string},
    keys::{Key, due_shard, wamid_pk},
    message_item,
    transaction::Transaction,
    update::UpdateBuilder,
};
use crate::domain::{
    id::ChatId,
    message::Message,
    message_action::{Annotations, MessageAction},
    message_key::MessageKey,
    status_update::StatusUpdate,
    time::Timestamp,
};

/// How long an early update is kept. WhatsApp retries webhooks for 7 days.
const LIFETIME: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// When an early update is rechecked. The index usually follows within a second.
const RECHECK_AFTER: Duration = Duration::from_secs(60);

/// Attempts to remove a device's copy of a message while other writers annotate it.
const ROUNDS: u32 = 20;

pub(super) const EARLY_STATUS: &str = "early_status";
pub(super) const EARLY_ACTION: &str = "early_action";
pub(super) const EARLY_ECHO: &str = "early_echo";

/// A status or an action that arrived before its message.
#[derive(Clone, Debug)]
pub enum EarlyUpdate {
    /// A status.
    Status(StatusUpdate),
    /// A reaction, an edit, or a deletion.
    MessageAction(EarlyAction),
    /// A message that the business sent from a linked device.
    Echo(EarlyEcho),
}

/// An action that arrived before its message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlyAction {
    /// The business number that received it.
    pub phone_number_id: String,
    /// The chat in which its message is expected.
    pub chat_id: ChatId,
    /// When the chat stops waiting for the message.
    pub until: Timestamp,
    /// The action.
    #[serde(flatten)]
    pub action: MessageAction,
}

/// A stored message that the business sent from a linked device. It is a copy of a message of the API if a worker
/// reports that the device sent this one with the same ID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlyEcho {
    /// The number of the worker's session.
    pub phone_number_id: String,
    /// The device's ID.
    pub wamid: String,
    /// The key of the stored message.
    pub message: String,
    /// Whether the message counts as an agent's only after no worker has reported it.
    #[serde(default)]
    pub may_be_copy: bool,
}

impl EarlyAction {
    /// Returns an action that waits from `now` on.
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
            Self::Echo(early) => (&early.phone_number_id, &early.wamid),
        }
    }

    /// Returns the message that the update belongs to, of those with its wamid.
    fn message_of<'a>(&self, keys: &'a [MessageKey]) -> Option<&'a MessageKey> {
        let is_copy = |key: &MessageKey| matches!(self, Self::Echo(echo) if echo.message == key.to_string());
        keys.iter().find(|key| !is_copy(key))
    }

    fn read(item: Item) -> Result<Option<Self>, StoreError> {
        let entity = item.get("entity").and_then(|entity| entity.as_s().ok()).map(String::as_str);
        Ok(match entity {
            Some(EARLY_STATUS) => Some(Self::Status(item::read(EARLY_STATUS, item)?)),
            Some(EARLY_ACTION) => Some(Self::MessageAction(item::read(EARLY_ACTION, item)?)),
            Some(EARLY_ECHO) => Some(Self::Echo(item::read(EARLY_ECHO, item)?)),
            _ => None,
        })
    }
}

impl Messages<'_> {
    /// Stores a status until its message is known: once per message, status, and participant.
    pub async fn put_early_status(self, update: &StatusUpdate) -> Result<(), StoreError> {
        let participant = update.participant.as_deref();
        let key = Key::early_status(&update.phone_number_id, &update.wamid, update.receipt, participant);
        self.put_early(EARLY_STATUS, &key, update).await
    }

    /// Stores an action until its message is known, then marks the chat with a pending annotation: a writer that stores
    /// the next message of the chat looks for it. In that order, a writer that sees the mark finds the action.
    pub async fn put_early_action(self, early: &EarlyAction) -> Result<(), StoreError> {
        let EarlyAction { phone_number_id, chat_id, until, action } = early;
        let key = Key::early_action(phone_number_id, &action.target, &action.wamid);
        self.put_early(EARLY_ACTION, &key, early).await?;
        self.0
            .chats()
            .update_live("recording a pending annotation", *chat_id, |update| {
                update.set("pending_annotation_until", *until).condition("attribute_exists(pk)").condition((
                    "attribute_not_exists(pending_annotation_until) OR pending_annotation_until < ?",
                    *until,
                ))
            })
            .await
    }

    /// Records the stored message at `key`, which the business sent from a linked device, until a worker reports that
    /// the API sent it. Removes it if that has been reported.
    pub async fn put_early_echo(
        self,
        phone_number_id: &str,
        wamid: &str,
        message: &MessageKey,
        may_be_copy: bool,
    ) -> Result<(), StoreError> {
        let (phone_number_id, wamid, message) = (phone_number_id.to_owned(), wamid.to_owned(), message.to_string());
        let early = EarlyEcho { phone_number_id, wamid, message, may_be_copy };
        self.put_early(EARLY_ECHO, &Key::early_echo(&early.phone_number_id, &early.wamid), &early).await?;
        let early = EarlyUpdate::Echo(early);
        let (phone_number_id, wamid) = early.message();
        let keys = self.keys_by_wamid(phone_number_id, wamid).await?;
        match early.message_of(&keys) {
            Some(key) => self.apply_one(&early, key).await.map(drop),
            None => Ok(()),
        }
    }

    async fn put_early<T: Serialize>(self, entity: &'static str, key: &Key, row: &T) -> Result<(), StoreError> {
        let mut item = item::write(entity, key, row)?;
        let now = self.0.system.now();
        item.insert("expires_at".to_owned(), number(now.after(LIFETIME).seconds()));
        item.insert("received_at".to_owned(), string(now.to_string()));
        item.insert("due_key".to_owned(), string(due_shard(&key.pk)));
        item.insert("due_at".to_owned(), string(now.after(RECHECK_AFTER).to_string()));
        self.0.put_if_absent("storing an early update", item).await
    }

    /// Applies the early updates of the message at `key` with this wamid.
    pub async fn apply_early_updates(
        self,
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

    async fn apply_one(self, early: &EarlyUpdate, key: &MessageKey) -> Result<Applied, StoreError> {
        match early {
            EarlyUpdate::Status(update) => self.apply_status(key, update).await,
            EarlyUpdate::MessageAction(EarlyAction { phone_number_id, chat_id, until, action }) => {
                let found = self.apply_action(phone_number_id, key, action, *chat_id).await?;
                if !found {
                    return Ok(Applied::Missing);
                }
                self.clear_pending_annotation(*chat_id, *until).await?;
                Ok(Applied::Known)
            }
            EarlyUpdate::Echo(echo) => {
                let copy = echo.message.parse().ok().filter(|copy: &MessageKey| copy != key);
                let Some(copy) = copy else { return Ok(Applied::Missing) };
                self.replace_copy(&copy, key).await?;
                Ok(Applied::Known)
            }
        }
    }

    /// Replaces a device's copy of a message by the message at `key`, which gets the copy's reactions, edit, and deletion.
    /// If the copy is in another chat, both are chats of one contact, and they are merged.
    async fn replace_copy(self, copy: &MessageKey, key: &MessageKey) -> Result<(), StoreError> {
        let operation = "removing a device's copy of a message";
        for attempt in 0..ROUNDS {
            let Some(item) = self.0.get(operation, &Key::message(copy)).await? else { return Ok(()) };
            let message: Message = message_item::read(item.clone())?;
            if !message.from_me {
                return Ok(());
            }
            if !self.0.chats().are_one(copy.chat_id, key.chat_id).await? {
                let (one, other) = (self.0.chats().get(key.chat_id).await?, self.0.chats().get(copy.chat_id).await?);
                if one.map(|chat| chat.kind) != other.map(|chat| chat.kind) {
                    return Ok(());
                }
                self.0.chats().merge(key.chat_id, copy.chat_id).await?;
            }
            let annotations = annotations(item)?;
            let add = |own: &mut Annotations, target: &mut Message| own.add_from_copy(target, &message, &annotations);
            self.annotate(key, add).await?;
            let action = self.0.delete_action(&Key::message(copy), has_version(annotations.version));
            if let Transaction::Committed = self.0.transact(operation, vec![action]).await? {
                return Ok(());
            }
            self.0.pause(attempt).await;
        }
        Err(StoreError::Contention { operation })
    }

    /// Counts a message that the business sent from a linked device as an agent's, unless a worker may still report it.
    /// Returns whether that is decided.
    async fn confirm_echo(self, echo: &EarlyEcho) -> Result<bool, StoreError> {
        let Ok(key) = echo.message.parse::<MessageKey>() else { return Ok(true) };
        let Some(chat) = self.0.chats().get(key.chat_id).await? else { return Ok(true) };
        if self.0.outbox().is_sending_in(&chat).await? {
            return Ok(false);
        }
        let operation = "recording an agent's reply";
        let set = |update: UpdateBuilder| {
            let is_latest = ("attribute_not_exists(answered_at) OR answered_at < ?", key.time);
            update.set("answered_at", key.time).condition("attribute_exists(pk)").condition(is_latest)
        };
        self.0.chats().update_live(operation, chat.id, set).await?;
        let read = |update: UpdateBuilder| {
            update.set("is_unread", false).set("unread_count", 0).condition(("last_message_at <= ?", key.time))
        };
        self.0.chats().update_live(operation, chat.id, read).await?;
        Ok(true)
    }

    /// Removes a chat's mark for a pending annotation, if it is the one that ends at `until`.
    pub(super) async fn clear_pending_annotation(self, chat_id: ChatId, until: Timestamp) -> Result<(), StoreError> {
        self.0
            .chats()
            .update_live("clearing a pending annotation", chat_id, |update| {
                update.remove(["pending_annotation_until"]).condition(("pending_annotation_until = ?", until))
            })
            .await
    }

    /// Returns the early updates of a message, in the order in which they apply.
    async fn early_updates(self, phone_number_id: &str, wamid: &str) -> Result<Vec<EarlyUpdate>, StoreError> {
        in_order(self.items_by_wamid(phone_number_id, wamid).await?)
    }

    /// Returns all items under a wamid.
    pub(super) async fn items_by_wamid(self, phone_number_id: &str, wamid: &str) -> Result<Vec<Item>, StoreError> {
        let mut found = self
            .0
            .client
            .query()
            .table_name(&self.0.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", string(wamid_pk(phone_number_id, wamid)))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut items = Vec::new();
        while let Some(item) = found.next().await {
            items.push(item.map_err(StoreError::request("reading early updates"))?);
        }
        Ok(items)
    }

    /// Applies an early update if its message is found by now. Otherwise it stays for the writer that stores the
    /// message.
    pub async fn recheck_early_update(self, key: &Key) -> Result<Option<Applied>, StoreError> {
        let Some((phone_number_id, wamid)) = key.wamid() else { return Ok(None) };
        let keys = self.keys_by_wamid(phone_number_id, wamid).await?;
        let mut applied = None;
        // Most updates belong to another application. Those aren't read.
        if !keys.is_empty() || key.is_early_echo() {
            let Some(item) = self.0.get("reading an early update", key).await? else { return Ok(None) };
            if let Some(early) = EarlyUpdate::read(item)? {
                if let Some(message) = early.message_of(&keys) {
                    applied = Some(self.apply_one(&early, message).await?);
                } else if let EarlyUpdate::Echo(echo) = &early
                    && echo.may_be_copy
                    && !self.confirm_echo(echo).await?
                {
                    let again = self.0.system.now().after(RECHECK_AFTER);
                    let update = UpdateBuilder::new(key).set("due_at", again).condition("attribute_exists(pk)");
                    self.0.update_if("postponing a recheck", update).await?;
                    return Ok(None);
                }
            }
        }
        let update = UpdateBuilder::new(key).remove(["due_key", "due_at"]).condition("attribute_exists(pk)");
        self.0.update_if("ending a recheck", update).await?;
        Ok(applied)
    }
}

/// Reads the early updates among the items of a wamid. Sorts the actions by their times, and those of one second by their
/// arrival, because the later of two edits in one second applies.
fn in_order(items: Vec<Item>) -> Result<Vec<EarlyUpdate>, StoreError> {
    let mut found = Vec::new();
    for item in items {
        let received_at = item.get("received_at").and_then(|at| at.as_s().ok()).cloned();
        found.extend(EarlyUpdate::read(item)?.map(|early| (early, received_at)));
    }
    found.sort_by_cached_key(|(early, received_at)| match early {
        EarlyUpdate::MessageAction(early) => (early.action.at, received_at.clone()),
        // A copy can be in another chat. Its actions belong to this one once the chats are merged.
        EarlyUpdate::Echo(_) => (Timestamp::MIN, None),
        EarlyUpdate::Status(_) => (Timestamp::MAX, None),
    });
    Ok(found.into_iter().map(|(early, _)| early).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message_action::ActionKind;

    fn early_edit(wamid: &str, at: i64, received_at: i64) -> Item {
        let action = MessageAction {
            target: "w".to_owned(),
            wamid: wamid.to_owned(),
            at: Timestamp::from_seconds(at).unwrap(),
            from_me: false,
            by: "contact".to_owned(),
            also_by: Vec::new(),
            kind: ActionKind::Edit { body: None, content: None },
        };
        let chat_id = "3c1a3c50-5f0d-5d0e-9c7e-0b9e6f7a1c2d".parse().unwrap();
        let early = EarlyAction::new("1065", action, chat_id, Timestamp::MIN);
        let mut item = item::write(EARLY_ACTION, &Key::early_action("1065", "w", wamid), &early).unwrap();
        let received_at = Timestamp::from_milliseconds(received_at).unwrap();
        item.insert("received_at".to_owned(), string(received_at.to_string()));
        item
    }

    #[test]
    fn early_actions_apply_in_the_order_of_their_times_and_then_of_arrival() {
        let mut items: Vec<Item> = (0..9).map(|n| early_edit(&format!("e{n}"), 5, 100_000 + n)).collect();
        items.push(early_edit("first", 4, 200_000));
        items.push(early_edit("last", 6, 1));
        // A query returns them in the order of their hashes.
        items.sort_by_key(|item| item["sk"].as_s().unwrap().clone());
        let wamid = |early: EarlyUpdate| match early {
            EarlyUpdate::MessageAction(early) => early.action.wamid,
            other => panic!("{other:?}"),
        };
        let wamids: Vec<String> = in_order(items).unwrap().into_iter().map(wamid).collect();
        assert_eq!(wamids, ["first", "e0", "e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8", "last"]);
    }
}
