use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;
use crate::domain::{
    identity::Address,
    page::{Page, Segment, merge},
};

/// Chats, and the entry of each in the index.
#[derive(Clone, Debug)]
struct Inbox {
    now: Timestamp,
    chats: Vec<Chat>,
    entries: Vec<Option<Position>>,
    /// Number of changes of an entry.
    moves: usize,
}

/// The lists of an inbox: one for each status.
struct Lists<'a> {
    inbox: &'a Inbox,
    filter: ChatFilter,
    /// The maximum number of entries in a query.
    max: usize,
    queries: AtomicUsize,
    batches: AtomicUsize,
    chats: AtomicUsize,
}

impl Lists<'_> {
    fn segment(&self, status: ChatStatus, start: Option<Position>, size: usize) -> Segment<Position> {
        let chats = self.inbox.chats.iter().zip(&self.inbox.entries);
        let is_in = |chat: &Chat| chat.status == status && self.filter.kind.is_none_or(|kind| chat.kind == kind);
        let entries = chats.filter(|(chat, _)| is_in(chat)).filter_map(|(_, entry)| *entry);
        let mut entries: Vec<Position> = entries.filter(|entry| start.is_none_or(|start| *entry < start)).collect();
        entries.sort_by(|a, b| b.cmp(a));
        let reached = (entries.len() > size).then(|| entries[size - 1]);
        Segment { items: entries.into_iter().take(size).map(|entry| (entry, entry)).collect(), reached }
    }
}

impl ChatSource for Lists<'_> {
    type Error = Infallible;

    async fn entries(&self, start: Option<Position>, count: usize) -> Result<Page<Position>, Infallible> {
        self.queries.fetch_add(1, Relaxed);
        let statuses = self.filter.status.map_or(ChatStatus::ALL.to_vec(), |status| vec![status]);
        let segments = statuses.into_iter().map(|status| self.segment(status, start, count.min(self.max))).collect();
        Ok(merge(segments, Order::Descending, usize::MAX, |_| true))
    }

    async fn chats(&self, entries: &[Position]) -> Result<Vec<(Position, Chat)>, Infallible> {
        assert!((1..=100).contains(&entries.len()), "a request for {} chats", entries.len());
        self.batches.fetch_add(1, Relaxed);
        self.chats.fetch_add(entries.len(), Relaxed);
        let chat = |id: Uuid| self.inbox.chats.iter().find(move |chat| chat.id.to_uuid() == id);
        Ok(entries.iter().filter_map(|entry| Some((*entry, chat(entry.id)?.clone()))).collect())
    }
}

impl Inbox {
    /// Returns an inbox of chats in all statuses, of which every third is unread and every fifth is a group's.
    fn new(count: usize, start: i64) -> Self {
        let now = Timestamp::from_milliseconds(1_700_000_000_000 + start).unwrap();
        let session_id = SessionId::for_owner("ada");
        let chat = |n: usize| {
            let id = Uuid::from_u128(u128::try_from(n * 7919 % 1009).unwrap());
            let address = Address::Phone(format!("2010{n:08}"));
            let status = ChatStatus::ALL[n % 7 % 4];
            let chat = Chat::new(ChatId::from_uuid(id), session_id, &address, n.to_string(), now);
            let kind = if n.is_multiple_of(5) { ChatType::Group } else { ChatType::Individual };
            Chat { status, kind, is_unread: n.is_multiple_of(3), ..chat }
        };
        Self { now, chats: (0..count).map(chat).collect(), entries: vec![None; count], moves: 0 }
    }

    /// Receives a message in a chat, `gap` milliseconds after the last message of any chat.
    fn receive(&mut self, chat: usize, gap: u64) {
        self.now = self.now.after(Duration::from_millis(gap));
        self.chats[chat].last_message_at = Some(self.now);
        let entry = Some(index_position(self.now, self.chats[chat].id));
        self.moves += usize::from(self.entries[chat] != entry);
        self.entries[chat] = entry;
    }

    fn receive_all(&mut self, messages: &[(usize, u64)]) {
        for (chat, gap) in messages {
            self.receive(chat % self.chats.len(), *gap);
        }
    }

    /// Returns the chats of a list that have a message, in order.
    fn listed(&self, list: &ChatList) -> Vec<ChatId> {
        let listed = self.chats.iter().filter(|chat| list.filter.matches(chat));
        let mut positions: Vec<Position> = listed.filter_map(position).collect();
        positions.sort_by(|a, b| b.cmp(a));
        positions.into_iter().map(|position| ChatId::from_uuid(position.id)).collect()
    }

    fn lists(&self, list: &ChatList, max: usize) -> Lists<'_> {
        let [queries, batches, chats] = [0; 3].map(AtomicUsize::new);
        Lists { inbox: self, filter: list.filter, max, queries, batches, chats }
    }

    /// Reads all pages and calls `between` after each one.
    fn pages(&mut self, list: &ChatList, max: usize, mut between: impl FnMut(&mut Self)) -> Vec<ChatId> {
        let (mut list, mut seen) = (list.clone(), Vec::new());
        loop {
            let page = read(&list, &self.lists(&list, max));
            assert!(page.items.len() <= list.limit);
            assert!(list.filter.is_partial() || page.items.len() == list.limit || page.next.is_none(), "a short page");
            seen.extend(page.items.iter().map(|chat| chat.id));
            let Some(next) = page.next else { return seen };
            assert!(list.after.is_none_or(|after| next < after), "a page makes progress");
            list.after = Some(next);
            between(self);
        }
    }
}

fn read(list: &ChatList, source: &impl ChatSource<Error = Infallible>) -> Page<Chat> {
    let Ok(page) = read_page(list, source).now_or_never().unwrap();
    page
}

fn position(chat: &Chat) -> Option<Position> {
    Some(Position { at: chat.last_message_at?, id: chat.id.to_uuid() })
}

fn list(limit: usize) -> ChatList {
    ChatList { session_id: SessionId::for_owner("ada"), filter: ChatFilter::default(), limit, after: None }
}

fn ids(page: &Page<Chat>) -> Vec<ChatId> {
    page.items.iter().map(|chat| chat.id).collect()
}

fn messages(max: usize) -> impl Strategy<Value = Vec<(usize, u64)>> {
    let gaps = prop_oneof![
        4 => prop::sample::select(vec![0, 1, 999, 1_000, 9_999, 10_000, 10_001]),
        4 => 0..20_u64,
        1 => 0..60_000_u64,
    ];
    prop::collection::vec((any::<usize>(), gaps), 0..max)
}

fn filters() -> impl Strategy<Value = ChatFilter> {
    let status = prop::option::of(prop::sample::select(ChatStatus::ALL.to_vec()));
    let kind = prop::option::of(prop::sample::select(vec![ChatType::Individual, ChatType::Group]));
    (status, kind, any::<Option<bool>>()).prop_map(|(status, kind, unread)| ChatFilter { status, kind, unread })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_chat_is_listed_within_the_interval_of_its_last_message(at in 0..10_000_000_000_000_i64, gap in 0..30_000_u64) {
        let (at, id) = (Timestamp::from_milliseconds(at).unwrap(), ChatId::from_uuid(Uuid::nil()));
        let entry = index_position(at, id);
        prop_assert!(entry.at <= at && at.since(entry.at) < INDEX_INTERVAL);
        let next = index_position(at.after(Duration::from_millis(gap)), id);
        prop_assert!(next >= entry);
        prop_assert_eq!(next == entry, u128::from(gap) < (INDEX_INTERVAL - at.since(entry.at)).as_millis());
    }

    #[test]
    fn pages_contain_each_chat_once_in_exact_order(
        count in 1..300_usize, start in 0..10_000_i64, messages in messages(600), filter in filters(),
        limit in 1..30_usize, max in 1..200_usize,
    ) {
        let mut inbox = Inbox::new(count, start);
        inbox.receive_all(&messages);
        let list = ChatList { filter, ..list(limit) };
        let expected = inbox.listed(&list);
        prop_assert_eq!(inbox.pages(&list, max, |_| {}), expected);
    }

    /// The client sees every chat without a new message once, and no chat twice.
    #[test]
    fn messages_do_not_shift_pages(
        count in 1..100_usize, start in 0..10_000_i64, before in messages(200), during in messages(50),
        filter in filters(), limit in 1..20_usize, max in 1..30_usize,
    ) {
        let mut inbox = Inbox::new(count, start);
        inbox.receive_all(&before);
        let list = ChatList { filter, ..list(limit) };
        let listed = inbox.listed(&list);
        let mut moved = BTreeSet::new();
        let mut messages = during.into_iter();
        let seen = inbox.pages(&list, max, |inbox| {
            if let Some((chat, gap)) = messages.next() {
                let chat = chat % inbox.chats.len();
                inbox.receive(chat, gap + 1);
                moved.insert(inbox.chats[chat].id);
            }
        });
        let unique: BTreeSet<ChatId> = seen.iter().copied().collect();
        prop_assert_eq!(unique.len(), seen.len());
        prop_assert!(listed.iter().all(|id| unique.contains(id) || moved.contains(id)));
    }
}

#[test]
fn messages_of_one_interval_move_a_chat_once() {
    let mut inbox = Inbox::new(2, 0);
    inbox.receive_all(&[(0, 0), (1, 500), (0, 300), (0, 9_199)]);
    assert_eq!((inbox.moves, inbox.listed(&list(2))), (2, vec![inbox.chats[0].id, inbox.chats[1].id]));
    assert_eq!(ids(&read(&list(2), &inbox.lists(&list(2), 100))), inbox.listed(&list(2)));
    inbox.receive(0, 1);
    assert_eq!(inbox.moves, 3);
}

#[test]
fn a_page_reads_only_its_chats_and_the_rest_of_its_last_interval() {
    let (mut quiet, mut busy) = (Inbox::new(900, 0), Inbox::new(900, 0));
    for chat in 0..900 {
        quiet.receive(chat, 10_000);
        // Eighty intervals of ten chats, and one of a hundred.
        busy.receive(chat, if chat < 800 { 1_000 } else { 0 });
    }
    for (inbox, after, expected) in
        [(&quiet, None, [1, 1, 25]), (&busy, None, [1, 2, 101]), (&busy, position(&busy.chats[700]), [1, 2, 40])]
    {
        let list = ChatList { after, ..list(25) };
        let lists = inbox.lists(&list, 100);
        assert_eq!(read(&list, &lists).items.len(), 25);
        assert_eq!([lists.queries, lists.batches, lists.chats].map(AtomicUsize::into_inner), expected);
    }
}

/// Entries, each with the chat as it is read.
struct Found<'a>(&'a [(Position, &'a Chat)]);

impl ChatSource for Found<'_> {
    type Error = Infallible;

    async fn entries(&self, _: Option<Position>, _: usize) -> Result<Page<Position>, Infallible> {
        Ok(Page { items: self.0.iter().map(|(entry, _)| *entry).collect(), next: None })
    }

    async fn chats(&self, entries: &[Position]) -> Result<Vec<(Position, Chat)>, Infallible> {
        let read = self.0.iter().filter(|(entry, _)| entries.contains(entry));
        Ok(read.map(|(entry, chat)| (*entry, (*chat).clone())).collect())
    }
}

#[test]
fn chats_that_change_during_the_reads_are_listed_once() {
    let mut inbox = Inbox::new(3, 0);
    inbox.receive_all(&[(0, 0), (1, 60_000), (2, 60_000)]);
    let [a, b, c] = [0, 1, 2].map(|n| (inbox.entries[n].unwrap(), &inbox.chats[n]));
    assert_eq!(ids(&read(&list(3), &Found(&[c, b, a]))), [c.1.id, b.1.id, a.1.id]);

    // The index still has the old entry of a chat whose last message is now the newest, or both entries.
    let later = Chat { last_message_at: Some(inbox.now.after(Duration::from_secs(63))), ..a.1.clone() };
    let moved = index_position(later.last_message_at.unwrap(), later.id);
    assert_eq!(ids(&read(&list(3), &Found(&[c, b, (a.0, &later)]))), [later.id, c.1.id, b.1.id]);
    let both = [(moved, a.1), c, b, (a.0, &later)];
    assert_eq!(ids(&read(&list(4), &Found(&both))), [later.id, c.1.id, b.1.id]);
    // On a later page, it isn't listed again.
    let second = ChatList { after: position(c.1), ..list(3) };
    assert_eq!(ids(&read(&second, &Found(&[b, (a.0, &later)]))), [b.1.id]);

    // A chat that was read before its last message is listed where its entry is.
    assert_eq!(ids(&read(&list(3), &Found(&[(moved, a.1), c, b]))), [a.1.id, c.1.id, b.1.id]);

    // A chat that has changed its status, and one that was merged into another, are no longer in the list.
    let resolved = Chat { status: ChatStatus::Resolved, ..b.1.clone() };
    let merged = Chat { merged_into: Some(a.1.id), ..c.1.clone() };
    assert_eq!(ids(&read(&list(3), &Found(&[(c.0, &merged), (b.0, &resolved), a]))), [b.1.id, a.1.id]);
    let filter = ChatFilter { status: Some(b.1.status), ..ChatFilter::default() };
    assert_eq!(ids(&read(&ChatList { filter, ..list(3) }, &Found(&[b]))), [b.1.id]);
    assert_eq!(ids(&read(&ChatList { filter, ..list(3) }, &Found(&[(b.0, &resolved)]))), []);
}
