//! The outbox: claiming and settling pending messages, in the order of their chat.

use uuid::Uuid;

use super::{
    Chats, Outbox, StoreError,
    item::{self, string},
    keys::{Key, due_key, wamid_key},
    message_item,
    update::{Condition, UpdateBuilder, WriteOutcome},
};
use crate::domain::{
    delivery::OutboxMessage,
    id::ChatId,
    message::{Attempt, AttemptOutcome, DeliveryEvent, Message, MessageStatus, Priority},
    message_key::MessageKey,
    time::Timestamp,
};

/// The outcome of claiming a message.
#[derive(Debug)]
pub enum Claim {
    /// The caller may send the message until the lease ends.
    Claimed(Box<OutboxMessage>),
    /// Another invocation has claimed it, it is settled, or it isn't due.
    Taken,
    /// There is no such message.
    Missing,
}

/// The lease of a claim.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// A random id, by which a retry after a lost response recognizes its own claim.
    pub id: Uuid,
    /// The time of the claim.
    pub now: Timestamp,
    /// When the lease ends.
    pub until: Timestamp,
    /// The chat's pair rate limit after this message.
    pub pair_tat: Timestamp,
}

/// A change of an outbound message's status.
#[derive(Clone, Debug)]
pub struct Change {
    event: DeliveryEvent,
    wamid: Option<String>,
    message_status: Option<String>,
    error: Option<String>,
    due_at: Option<Timestamp>,
    not_before: Option<Timestamp>,
    attempt: Option<Attempt>,
}

impl Change {
    /// Returns the change that an event makes.
    pub fn new(event: DeliveryEvent) -> Self {
        Self { event, wamid: None, message_status: None, error: None, due_at: None, not_before: None, attempt: None }
    }

    /// Sets the id that WhatsApp, or the worker's device, gave to the message.
    #[must_use]
    pub fn wamid(self, wamid: &str) -> Self {
        Self { wamid: Some(wamid.to_owned()), ..self }
    }

    /// Sets why WhatsApp holds back the message that it accepted.
    #[must_use]
    pub fn message_status(self, message_status: Option<String>) -> Self {
        Self { message_status, ..self }
    }

    /// Sets the message's error. Without one, the change removes it.
    #[must_use]
    pub fn error(self, error: &str) -> Self {
        Self { error: Some(error.to_owned()), ..self }
    }

    /// Sets when the `DuePoller` looks at the message again. The stream may deliver it earlier.
    #[must_use]
    pub fn due_at(self, due_at: Timestamp) -> Self {
        Self { due_at: Some(due_at), ..self }
    }

    /// Keeps the message from being sent before a time, which is when it is due again.
    #[must_use]
    pub fn not_before(self, not_before: Timestamp) -> Self {
        Self { not_before: Some(not_before), ..self.due_at(not_before) }
    }

    /// Adds an attempt to the message's attempts.
    #[must_use]
    pub fn attempt(self, attempt: Attempt) -> Self {
        Self { attempt: Some(attempt), ..self }
    }
}

impl Outbox<'_> {
    /// Claims a pending message that is due. Of several concurrent claims, one succeeds.
    pub async fn claim(self, key: &MessageKey, lease: &Lease) -> Result<Claim, StoreError> {
        let id = lease.id.to_string();
        let update = claim(key, &id, lease.until)
            .set("pair_tat", lease.pair_tat)
            .add("attempt_count", 1)
            .remove(["not_before"])
            .condition(("attribute_not_exists(not_before) OR not_before <= ?", lease.now))
            .returning_new();
        let item = match self.0.update("claiming a message", update).await? {
            WriteOutcome::Written { item } => item,
            // The SDK retries an update whose response was lost.
            WriteOutcome::Refused { item: Some(item) } if item.get("lease") == Some(&string(&id)) => Some(item),
            WriteOutcome::Refused { item: Some(_) } => return Ok(Claim::Taken),
            WriteOutcome::Refused { item: None } => None,
        };
        match item {
            Some(item) => Ok(Claim::Claimed(Box::new(message_item::read(item)?))),
            None => Ok(Claim::Missing),
        }
    }

    /// Records the result of a send, unless the lease has ended or a status has settled the message.
    pub async fn settle(self, claimed: &OutboxMessage, lease: Uuid, change: &Change) -> Result<(), StoreError> {
        let Some(update) = self.transition(&claimed.message, MessageStatus::Sending, change)? else { return Ok(()) };
        let update = update.condition(("lease = ?", lease));
        match self.0.update("settling a message", update).await? {
            WriteOutcome::Written { .. } => Ok(()),
            WriteOutcome::Refused { item } => {
                let is_settled = item.is_some_and(|item| item.contains_key("accepted_at"));
                if let (Some(wamid), false) = (&change.wamid, is_settled) {
                    self.settle_late(&claimed.message, wamid, change).await?;
                }
                Ok(())
            }
        }
    }

    /// Records that WhatsApp accepted a message whose lease has ended or that a status has settled. Like the receipt
    /// `sent`, it moves the status forward only: the first update is for a message without a later status, the second
    /// for one with.
    async fn settle_late(self, message: &Message, wamid: &str, change: &Change) -> Result<(), StoreError> {
        let operation = "settling a message";
        let (now, sent) = (self.0.system.now(), MessageStatus::Sent);
        let accepted = UpdateBuilder::new(&Key::message(&message.key()))
            .set_if_absent("wamid", wamid)
            .set_if_absent("wamid_key", wamid_key(&message.phone_number_id, wamid))
            .set_if_absent("accepted_at", now)
            .condition("attribute_exists(pk)");
        let moved = accepted
            .clone()
            .set("status", sent)
            .set("status_rank", sent.rank())
            .set("message_status", change.message_status.as_ref())
            .remove(["error", "lease", "lease_until", "due_key", "due_at", "not_before"])
            .condition(("status_rank < ?", sent.rank()));
        if self.0.update_if(operation, moved).await? || self.0.update_if(operation, accepted).await? {
            return Ok(());
        }
        Err(StoreError::Contention { operation })
    }

    /// Changes a message without a live lease, if it is as it was read. Returns whether it was.
    pub async fn change_if(self, found: &OutboxMessage, change: &Change) -> Result<bool, StoreError> {
        let Some(update) = self.transition(&found.message, found.message.status, change)? else { return Ok(false) };
        let update = update.condition(Condition::equals("lease_until", found.lease_until));
        self.0.update_if("changing a message's status", update).await
    }

    /// Makes a pending bulk message a normal one.
    pub async fn promote(self, message: &Message) -> Result<(), StoreError> {
        let due_key = due_key(Priority::Normal, message.session_id, message.chat_id, self.0.inbox_shards);
        let update = UpdateBuilder::new(&Key::message(&message.key()))
            .remove(["priority"])
            .set("due_key", due_key)
            .condition(("#status = ?", MessageStatus::Pending));
        self.0.update_if("promoting a message", update).await.map(drop)
    }

    /// Postpones a pending message until `due_at`.
    pub async fn postpone(self, key: &MessageKey, due_at: Timestamp) -> Result<(), StoreError> {
        let update = UpdateBuilder::new(&Key::message(key))
            .set("due_at", due_at)
            .condition(("#status = ?", MessageStatus::Pending));
        self.0.update_if("postponing a message", update).await.map(drop)
    }

    /// Returns the update that a change makes to a message with status `from`; `None` if its event doesn't apply there.
    pub(super) fn transition(
        self,
        message: &Message,
        from: MessageStatus,
        change: &Change,
    ) -> Result<Option<UpdateBuilder>, StoreError> {
        from.on(change.event).map(|to| self.status_update(message, from, to, change)).transpose()
    }

    /// Returns the update that moves a message from one status to another.
    pub(super) fn status_update(
        self,
        message: &Message,
        from: MessageStatus,
        to: MessageStatus,
        change: &Change,
    ) -> Result<UpdateBuilder, StoreError> {
        let now = self.0.system.now();
        // `accepted_at` stands for the accepted attempt.
        let failed = change.attempt.clone().filter(|attempt| attempt.outcome != AttemptOutcome::Accepted);
        let attempts = failed.map(|attempt| item::value(&message.attempts_with(Some(attempt))));
        let wamid = change.wamid.as_ref();
        let update = UpdateBuilder::new(&Key::message(&message.key()))
            .set("status", to)
            .set("status_rank", to.rank())
            .set("wamid", wamid)
            .set("wamid_key", wamid.map(|wamid| wamid_key(&message.phone_number_id, wamid)))
            .set("accepted_at", wamid.map(|_| now))
            .set("message_status", change.message_status.as_ref())
            .set_if_absent("failed_at", (to == MessageStatus::Failed).then_some(now))
            .set("attempts", attempts.transpose()?)
            .set_or_remove("error", change.error.as_ref())
            .remove(["lease", "lease_until"])
            .condition(("#status = ?", from));
        if to.is_final() {
            return Ok(update.remove(["due_key", "due_at", "not_before"]));
        }
        Ok(update.set("due_at", change.due_at).set("not_before", change.not_before))
    }

    /// Returns a message with the attributes that `deliver` uses.
    pub async fn get(self, key: &MessageKey) -> Result<Option<OutboxMessage>, StoreError> {
        self.0.get("reading a message", &Key::message(key)).await?.map(message_item::read).transpose()
    }
}

impl Chats<'_> {
    /// Records the WhatsApp id of a chat's contact.
    pub async fn record_wa_id(self, chat_id: ChatId, wa_id: &str) -> Result<(), StoreError> {
        self.update_live("recording a contact's WhatsApp id", chat_id, |update| {
            update.set("wa_id", wa_id).condition("attribute_exists(pk)")
        })
        .await
    }
}

/// Returns the update that moves a pending message to `sending` under a lease.
pub(super) fn claim(key: &MessageKey, lease: &str, until: Timestamp) -> UpdateBuilder {
    UpdateBuilder::new(&Key::message(key))
        .set("status", MessageStatus::Sending)
        .set("status_rank", MessageStatus::Sending.rank())
        .set("lease", lease)
        .set("lease_until", until)
        .condition(("#status = ?", MessageStatus::Pending))
}
