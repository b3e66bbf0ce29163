//! Lists of chats and messages, and changes of a chat.

use std::{collections::HashSet, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::{
    Chats, Messages, Store, StoreError,
    chat::{CHANGED, CHAT},
    item::{self, Item, string},
    keys::{Key, inbox_key, message_key},
    lookup::{MessageMetadata, read_message},
    update::{UpdateBuilder, WriteOutcome},
};
use crate::domain::{
    chat::{Chat, ChatStatus, ChatType},
    cursor::{MessagePosition, Position},
    id::ChatId,
    inbox::{ChatChange, ChatList, ChatSource, MessageList, read_page},
    message::Message,
    page::{Order, Page, Segment, merge},
    time::Timestamp,
};

/// Concurrent requests.
const PARALLEL: usize = 16;

/// The number of messages to read at once if the requested ones don't include the end of a second.
const SECOND_PAGE: usize = 100;

/// A part of a chat's messages.
type MessageSegment = Segment<(Message, MessageMetadata), MessagePosition>;

/// Attempts to change a chat while it is merged into another one.
const ROUNDS: usize = 5;

impl Chats<'_> {
    /// Returns a page of a session's chats, newest message first. Takes one query per status and shard, and one request
    /// for the chats; more if many chats have a message of the interval in which the page ends. Eventually consistent.
    pub async fn list(self, list: &ChatList) -> Result<Page<Chat>, StoreError> {
        let statuses = list.filter.status.map_or(ChatStatus::ALL.to_vec(), |status| vec![status]);
        let keys: Vec<String> = statuses
            .iter()
            .flat_map(|&status| (0..self.0.inbox_shards).map(move |shard| inbox_key(list.session_id, status, shard)))
            .collect();
        read_page(list, &IndexLists { store: self.0, list, keys }).await
    }

    /// Changes a chat, or the chat that it was merged into since it was read. Returns the chat after the change; `None`
    /// if it no longer exists.
    pub async fn change(self, chat: &Chat, change: &ChatChange) -> Result<Option<Chat>, StoreError> {
        let operation = "changing a chat";
        let mut chat = chat.clone();
        for _ in 0..ROUNDS {
            let update = self.chat_update(&chat, change).returning_new();
            if let WriteOutcome::Written { item } = self.0.update(operation, update).await? {
                return item::read(CHAT, item.unwrap_or_default()).map(Some);
            }
            match self.get(chat.id).await? {
                Some(found) => chat = found,
                None => return Ok(None),
            }
        }
        Err(StoreError::Contention { operation })
    }

    fn chat_update(self, chat: &Chat, change: &ChatChange) -> UpdateBuilder {
        let shard = chat.id.shard(self.0.inbox_shards);
        let update = UpdateBuilder::new(&Key::chat(chat.id))
            .set("status", change.status)
            .set("inbox_key", change.status.map(|status| inbox_key(chat.session_id, status, shard)))
            .set("is_unread", change.is_unread)
            .set("unread_count", change.is_unread.filter(|is_unread| !is_unread).map(|_| 0))
            .set(CHANGED, self.0.system.now())
            .set("consent_api", change.consent.map(|marketing| chat.consent.next(marketing, self.0.system.now())))
            .condition("attribute_exists(pk) AND attribute_not_exists(merged_into)");
        match change.name.as_deref() {
            None => update,
            Some(name) => update.set_or_remove("custom_name", Some(name).filter(|name| !name.is_empty())),
        }
    }
}

/// The lists of the `inbox` index that a page of chats is read from.
struct IndexLists<'a> {
    store: &'a Store,
    list: &'a ChatList,
    /// The partition keys.
    keys: Vec<String>,
}

impl ChatSource for IndexLists<'_> {
    type Error = StoreError;

    async fn entries(&self, start: Option<Position>, count: usize) -> Result<Page<Position>, StoreError> {
        let (filter, lists) = (&self.list.filter, self.keys.len());
        // With a filter, `count` bounds what the page costs.
        let share = if filter.is_partial() { self.list.limit } else { count };
        let size = segment_size(share, lists).max(count / lists);
        let segments = stream::iter(self.keys.clone())
            .map(|key| self.store.inbox_segment("listing chats", key, filter.kind, start, size))
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        Ok(merge(segments, Order::Descending, usize::MAX, |_| true))
    }

    async fn chats(&self, entries: &[Position]) -> Result<Vec<(Position, Chat)>, StoreError> {
        let key = |entry: &Position| Key::chat(ChatId::from_uuid(entry.id));
        // A chat that moved between two lists while they were read is in both.
        let keys: HashSet<Key> = entries.iter().map(key).collect();
        let mut items = self.store.get_all_eventually("reading listed chats", keys.into_iter().collect()).await?;
        let found = entries.iter().filter_map(|entry| Some((*entry, items.remove(&key(entry))?)));
        found.map(|(entry, item)| Ok((entry, item::read(CHAT, item)?))).collect()
    }
}

impl Messages<'_> {
    /// Returns a page of a chat's messages, including those of the chats that were merged into it. Takes one query per
    /// chat, and more if many messages have the same second.
    pub async fn list(
        self,
        chat: &Chat,
        list: &MessageList,
    ) -> Result<Page<(Message, MessageMetadata), MessagePosition>, StoreError> {
        let partitions: Vec<ChatId> = chat.partitions().collect();
        let size = segment_size(list.limit, partitions.len());
        let segments = stream::iter(partitions)
            .map(|chat_id| self.segment(chat_id, list, size))
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        Ok(merge(segments, list.order, list.limit, |_| true))
    }

    /// Reads at least `size` messages of one partition, unless it has fewer. Sort keys don't order the messages of one
    /// second by arrival, so this reads seconds as a whole: from the start of the cursor's second to the end of another.
    async fn segment(self, chat_id: ChatId, list: &MessageList, size: usize) -> Result<MessageSegment, StoreError> {
        // The start key doesn't have to exist, so one cursor works for all partitions.
        let mut start = list.after.map(|after| second_edge(chat_id, after.second, list.order).attributes());
        let mut items: Vec<(MessagePosition, _)> = Vec::new();
        // One message more shows that a second has ended. Another one is the cursor's own.
        let mut limit = size + 1 + usize::from(list.after.is_some());
        loop {
            let output = self
                .0
                .client
                .query()
                .table_name(&self.0.table)
                .consistent_read(true)
                .key_condition_expression("pk = :pk AND begins_with(sk, :message)")
                .expression_attribute_values(":pk", string(Key::chat(chat_id).pk))
                .expression_attribute_values(":message", string("MESSAGE#"))
                .set_exclusive_start_key(start)
                .scan_index_forward(list.order == Order::Ascending)
                .limit(i32::try_from(limit).unwrap_or(i32::MAX))
                .send()
                .await
                .map_err(StoreError::request("listing messages"))?;
            start = output.last_evaluated_key;
            let mut last_second = None;
            for item in output.items.unwrap_or_default() {
                let (message, metadata) = read_message(item)?;
                let position = message.position();
                last_second = Some(position.second);
                if list.after.is_none_or(|after| list.order.is_before(after, position)) {
                    items.push((position, (message, metadata)));
                }
            }
            let is_complete = |position: &MessagePosition| start.is_none() || Some(position.second) != last_second;
            let complete = items.partition_point(|(position, _)| is_complete(position));
            if start.is_none() || complete >= size {
                items.truncate(complete);
                items.sort_by(|(a, _), (b, _)| if list.order == Order::Ascending { a.cmp(b) } else { b.cmp(a) });
                let reached = start.and(items.last().map(|(position, _)| *position));
                return Ok(Segment { items, reached });
            }
            limit = SECOND_PAGE;
        }
    }
}

/// Returns the key before the messages of a second in a list, in its order.
fn second_edge(chat_id: ChatId, second: Timestamp, order: Order) -> Key {
    let id = if order == Order::Ascending { Uuid::nil() } else { Uuid::max() };
    let at = if order == Order::Ascending { second } else { second.after(Duration::from_millis(999)) };
    message_key(chat_id, Position { at, id })
}

/// Returns how many entries of each segment to read for a list of `limit` entries. With few segments, all of them. With
/// many, about three times the even share, which nearly always is enough.
fn segment_size(limit: usize, segments: usize) -> usize {
    if segments <= ChatStatus::ALL.len() { limit } else { limit.min(3 * limit / segments + 8) }
}

impl Store {
    /// Reads up to `size` entries of one partition of the `inbox` index before `start` with one request, newest first.
    /// Leaves out chats of another type than `kind`.
    pub(super) async fn inbox_segment(
        &self,
        operation: &'static str,
        key: String,
        kind: Option<ChatType>,
        start: Option<Position>,
        size: usize,
    ) -> Result<Segment<Position>, StoreError> {
        let start = start.map_or_else(|| "~".to_owned(), |start| start.to_string());
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("inbox")
            .key_condition_expression("inbox_key = :key AND inbox_position < :start")
            .expression_attribute_values(":key", string(key))
            .expression_attribute_values(":start", string(start))
            .projection_expression("inbox_position")
            .scan_index_forward(false)
            .limit(i32::try_from(size).unwrap_or(i32::MAX));
        if let Some(kind) = kind {
            query = query
                .filter_expression("#type = :type")
                .expression_attribute_names("#type", "type")
                .expression_attribute_values(":type", item::value(&kind)?);
        }
        let output = query.send().await.map_err(StoreError::request(operation))?;
        let position = |item: &Item| Position::parse(item.get("inbox_position")?.as_s().ok()?);
        let reached = output.last_evaluated_key().and_then(position);
        let items = output.items().iter().filter_map(position).map(|position| (position, position)).collect();
        Ok(Segment { items, reached })
    }
}
