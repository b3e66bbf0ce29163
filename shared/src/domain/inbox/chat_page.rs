//! A page of the inbox. Its index orders chats by interval, and only the chats themselves have the exact order.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
};

use uuid::Uuid;

use super::{ChatList, INDEX_INTERVAL, end_of_interval};
use crate::domain::{
    chat::Chat,
    cursor::Position,
    page::{Order, Page, Segment, merge},
};

/// The maximum number of chats to read at once (AWS: "BatchGetItem").
const MAX_BATCH: usize = 100;

/// The number of entries to look at for one page of a filtered list. The page ends after them, whether it is full or not.
const FILTERED_ENTRIES: usize = 400;

/// The lists of chats that a page is read from.
pub(crate) trait ChatSource {
    /// Why a read fails.
    type Error;

    /// Returns entries of the index before `start`, newest first: about `count`, or fewer with a position after which to
    /// continue.
    fn entries(
        &self,
        start: Option<Position>,
        count: usize,
    ) -> impl Future<Output = Result<Page<Position>, Self::Error>> + Send;

    /// Returns the chats that up to 100 entries lead to.
    fn chats(&self, entries: &[Position]) -> impl Future<Output = Result<Vec<(Position, Chat)>, Self::Error>> + Send;
}

/// Reads a page of chats in their exact order.
pub(crate) async fn read_page<S: ChatSource>(list: &ChatList, source: &S) -> Result<Page<Chat>, S::Error> {
    let mut page = ChatPage { list, chats: BTreeMap::new() };
    // Some more entries than chats show in which interval the page ends.
    let mut count = if list.filter.is_partial() { FILTERED_ENTRIES } else { list.limit + list.limit / 2 + 1 };
    let mut start = list.after.map(|after| Position { at: after.at.start_of(INDEX_INTERVAL), id: Uuid::max() });
    loop {
        let found = source.entries(start, count).await?;
        let mut rest = found.items.as_slice();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(page.batch_length(rest));
            for (entry, chat) in source.chats(batch).await? {
                page.add(entry, chat);
            }
            rest = later;
            if let Some(unread) = rest.first().copied().filter(|unread| page.is_full(*unread)) {
                return Ok(page.finish(Some(unread)));
            }
        }
        match found.next {
            None => return Ok(page.finish(None)),
            Some(next) if page.is_full(next) || (list.filter.is_partial() && page.is_past_cursor(next)) => {
                return Ok(page.finish(Some(next)));
            }
            Some(next) => start = Some(next),
        }
        // A long interval takes few queries.
        count = (2 * count).max(MAX_BATCH);
    }
}

/// A page while its chats are read.
struct ChatPage<'a> {
    list: &'a ChatList,
    /// The newest chats that were read, one more than the page has.
    chats: BTreeMap<Position, Chat>,
}

impl ChatPage<'_> {
    /// Adds a chat that an entry of the index leads to, if it belongs on the page.
    fn add(&mut self, entry: Position, chat: Chat) {
        // A chat that moved between two lists while they were read has been found twice.
        self.chats.retain(|position, _| position.id != entry.id);
        // An eventually consistent read can return a chat as it was before it moved to this entry.
        let at = chat.last_message_at.map_or(entry.at, |at| at.max(entry.at));
        let position = Position { at, id: entry.id };
        let is_listed = chat.merged_into.is_none() && self.list.filter.matches(&chat);
        if is_listed && self.list.after.is_none_or(|after| position < after) {
            self.chats.insert(position, chat);
        }
        if self.chats.len() > self.list.limit + 1 {
            self.chats.pop_first();
        }
    }

    /// Returns how many of the next entries to read: as many as the page lacks, and the rest of the last one's interval.
    fn batch_length(&self, entries: &[Position]) -> usize {
        let lacking = self.list.limit.saturating_sub(self.chats.len());
        // Only the chats show whether they are unread.
        let wanted = if self.list.filter.unread.is_some() { MAX_BATCH } else { lacking.clamp(1, MAX_BATCH) };
        let (first, rest) = entries.split_at(wanted.min(entries.len()));
        let same = rest.iter().take_while(|entry| first.last().is_some_and(|last| last.at == entry.at));
        (first.len() + same.count()).min(MAX_BATCH)
    }

    /// Returns whether the page has its number of chats that no chat of this entry or a later one can precede.
    fn is_full(&self, unread: Position) -> bool {
        self.chats.range((Excluded(end_of_interval(unread.at)), Unbounded)).count() >= self.list.limit
    }

    /// Returns whether the page can end before this entry: the next one starts after this one did.
    fn is_past_cursor(&self, unread: Position) -> bool {
        self.list.after.is_none_or(|after| end_of_interval(unread.at) < after)
    }

    /// Returns the page if the entries were read up to `unread`; `None` if all were.
    fn finish(self, unread: Option<Position>) -> Page<Chat> {
        let reached = unread.map(|unread| end_of_interval(unread.at));
        let segment = Segment { items: self.chats.into_iter().rev().collect(), reached };
        merge(vec![segment], Order::Descending, self.list.limit, |_| true)
    }
}
