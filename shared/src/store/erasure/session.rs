//! Erasure of a session and its data.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Erasures, ROUNDS, StoreError, Swept};
use crate::{
    domain::{
        chat::{Chat, ChatStatus},
        cursor::Position,
        erasure::{Erasure, Target},
        id::SessionId,
        session::Session,
        time::Timestamp,
    },
    store::{
        EventOwner,
        chat::CHAT,
        item::{self, Item, string},
        keys::{Key, events_key, inbox_key, pairing_pk, saved_names_pk, webhooks_pk},
        transaction::Transaction,
        update::Condition,
    },
};

/// Number of chats that are erased concurrently.
const PARALLEL: usize = 8;

/// Number of entries of chats or events in a page.
const PAGE: i32 = 100;

impl Erasures<'_> {
    /// Deletes a session, turns its claim of a number into a reservation for its owner, and writes the request to erase
    /// its data, in one transaction. Returns `None` if the session no longer exists.
    pub async fn start_session(self, session: &Session) -> Result<Option<Erasure>, StoreError> {
        let operation = "starting to erase a session";
        let mut session = session.clone();
        for _ in 0..ROUNDS {
            let mut erasure = Erasure::new(Target::Session(session.id), session.id, self.0.system.now());
            erasure.phone_number_id = session.phone_number_id.clone();
            // Refused if the session was paired concurrently: its number has to be reserved too.
            let unchanged = Condition::equals("phone_number_id", session.phone_number_id.as_ref());
            let unchanged = unchanged.and("attribute_exists(pk)".into());
            let mut actions =
                vec![self.put_request(&erasure)?, self.0.delete_action(&Key::session(session.id), unchanged)];
            if let Some(number) = &session.phone_number_id {
                actions.push(self.0.numbers().reserve(number, session.id).await?);
            }
            if let Transaction::Committed = self.0.transact(operation, actions).await? {
                return Ok(Some(erasure));
            }
            match self.0.sessions().get(session.id).await? {
                Some(found) => session = found,
                None => return Ok(None),
            }
        }
        Err(StoreError::Contention { operation })
    }

    pub(super) async fn erase_session(
        self,
        session_id: SessionId,
        erasure: &Erasure,
        deadline: Timestamp,
    ) -> Result<Swept, StoreError> {
        let renewed_at = self.0.sessions().get(session_id).await?.map(|session| session.created_at);
        let cutoff = erasure.covers_until(renewed_at, self.0.system.now());
        let mut all = Swept { complete: true, ..Swept::default() };
        for status in ChatStatus::ALL {
            for shard in 0..self.0.inbox_shards {
                let swept = self.erase_list(inbox_key(session_id, status, shard), cutoff, deadline).await?;
                all.erased += swept.erased;
                all.complete &= swept.complete;
                if self.0.system.now() > deadline {
                    return Ok(Swept { complete: false, ..all });
                }
            }
        }
        if let Some(number) = &erasure.phone_number_id {
            // A new owner keeps the events that they see.
            let owner = self.0.numbers().owner(number).await?.filter(|owner| owner.session_id != session_id);
            let cutoff = owner.map_or(cutoff, |owner| cutoff.min(owner.linked_at.before(Duration::from_millis(1))));
            self.erase_events(&EventOwner::Number(number.clone()), cutoff).await?;
        }
        self.erase_webhooks(session_id, cutoff).await?;
        // An hour that has counters of a new session with the same id as well is lost to it.
        self.delete_all(self.0.stats().keys_until(session_id, cutoff).await?).await?;
        if renewed_at.is_none() {
            self.0.changes().expire(session_id).await?;
        }
        // A new session with the same id keeps its own.
        self.erase_partition(Key::session(session_id).pk, "created_at", cutoff).await?;
        self.erase_partition(pairing_pk(session_id), "received_at", cutoff).await?;
        self.erase_partition(saved_names_pk(session_id), "received_at", cutoff).await?;
        Ok(all)
    }

    /// Deletes the session's webhooks with their positions, and the failed deliveries that aren't in a chat's partition.
    /// The changes stay until they expire: they have no content.
    async fn erase_webhooks(self, session_id: SessionId, cutoff: Timestamp) -> Result<(), StoreError> {
        for webhook in self.0.webhooks().list(Some(session_id)).await? {
            if webhook.created_at <= cutoff {
                self.0.webhooks().delete(&webhook).await?;
            }
        }
        self.erase_partition(webhooks_pk(Some(session_id)), "appended_at", cutoff).await
    }

    /// Erases the chats of one inbox list.
    async fn erase_list(self, key: String, cutoff: Timestamp, deadline: Timestamp) -> Result<Swept, StoreError> {
        let mut all = Swept { complete: true, ..Swept::default() };
        let mut start = None;
        loop {
            let (chats, next) = self.index_page(&key, start).await?;
            let swept: Vec<Swept> = stream::iter(chats)
                .map(|entry| async move { self.erase_listed(&entry, cutoff, deadline).await })
                .buffer_unordered(PARALLEL)
                .try_collect()
                .await?;
            for swept in swept {
                all.erased += swept.erased;
                all.complete &= swept.complete;
            }
            start = next;
            if start.is_none() {
                return Ok(all);
            }
            if self.0.system.now() > deadline {
                return Ok(Swept { complete: false, ..all });
            }
        }
    }

    /// Erases one chat. Deletes its messages first: if interrupted, the list still has the chat.
    async fn erase_listed(self, entry: &Item, cutoff: Timestamp, deadline: Timestamp) -> Result<Swept, StoreError> {
        if self.0.system.now() > deadline {
            return Ok(Swept::default());
        }
        let mut all = Swept { complete: true, ..Swept::default() };
        let Some(key) = Key::from_item(entry) else { return Ok(all) };
        // The index can still have a chat that was erased.
        let Some(item) = self.0.get("reading a chat to erase", &key).await? else { return Ok(all) };
        let chat: Chat = item::read(CHAT, item)?;
        for chat_id in chat.partitions() {
            let swept = self.sweep(chat_id, cutoff, deadline).await?;
            all.erased += swept.erased;
            all.has_later |= swept.has_later;
            all.complete &= swept.complete;
        }
        if all.complete && !all.has_later {
            for chat_id in chat.merged.iter().map(|merged| merged.chat_id).chain([chat.id]) {
                self.delete_chat(chat_id, cutoff).await?;
            }
        }
        Ok(all)
    }

    async fn erase_events(self, owner: &EventOwner, cutoff: Timestamp) -> Result<(), StoreError> {
        let key = events_key(owner);
        let mut start = None;
        loop {
            let (events, next) = self.index_page(&key, start).await?;
            let mut keys = Vec::new();
            // An event's position is when it was stored, and its id.
            let positions =
                events.iter().filter_map(|event| Position::parse(event.get("inbox_position")?.as_s().ok()?));
            for Position { id, .. } in positions.filter(|position| position.at <= cutoff) {
                keys.push(Key::event(id));
                keys.extend(self.partition(Key::raw_part(id.to_string(), 0).pk).await?);
            }
            self.delete_all(keys).await?;
            start = next;
            if start.is_none() {
                return Ok(());
            }
        }
    }

    /// Deletes the items of a partition that were stored up to `cutoff` by their attribute `stored_at`, except a session and
    /// the end of a change log.
    async fn erase_partition(self, pk: String, stored_at: &str, cutoff: Timestamp) -> Result<(), StoreError> {
        let query = self
            .0
            .client
            .query()
            .table_name(&self.0.table)
            .key_condition_expression("pk = :pk")
            .filter_expression(format!("{stored_at} <= :cutoff"))
            .expression_attribute_values(":pk", string(pk))
            .expression_attribute_values(":cutoff", string(cutoff.to_string()));
        let keys = self.0.query_keys("reading items of a session to erase", query).await?;
        self.delete_all(keys.into_iter().filter(|key| !key.is_session() && !key.is_change_log()).collect()).await
    }

    /// Returns a page of a partition of the `inbox` index, and the start of the next page.
    async fn index_page(
        self,
        key: &str,
        start: Option<std::collections::HashMap<String, AttributeValue>>,
    ) -> Result<(Vec<Item>, Option<std::collections::HashMap<String, AttributeValue>>), StoreError> {
        let output = self
            .0
            .client
            .query()
            .table_name(&self.0.table)
            .index_name("inbox")
            .key_condition_expression("inbox_key = :key")
            .expression_attribute_values(":key", string(key))
            .limit(PAGE)
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(StoreError::request("reading items to erase"))?;
        Ok((output.items.unwrap_or_default(), output.last_evaluated_key))
    }
}
