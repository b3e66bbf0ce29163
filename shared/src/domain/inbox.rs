//! The inbox: requests for its lists, positions in its index, and changes to chats.

mod chat_page;

use std::time::Duration;

use uuid::Uuid;

use crate::domain::{
    chat::{Chat, ChatStatus, ChatType},
    consent::MarketingConsent,
    cursor::{MessagePosition, Position},
    id::{ChatId, SessionId},
    page::Order,
    time::Timestamp,
};

pub(crate) use chat_page::{ChatSource, read_page};

/// The intervals by which the index of the inbox orders chats.
///
/// A message writes to the index only if the chat has none in the same interval yet. In return, a page has to read every
/// chat of the intervals that it ends in: up to 800 at WhatsApp's default throughput of 80 messages a second.
pub const INDEX_INTERVAL: Duration = Duration::from_secs(10);

/// Returns the position of a chat in the index of the inbox: the start of the interval of its last message.
pub fn index_position(last_message_at: Timestamp, chat_id: ChatId) -> Position {
    Position { at: last_message_at.start_of(INDEX_INTERVAL), id: chat_id.to_uuid() }
}

/// Returns the last position of a chat, by its last message, whose position in the index has this time.
fn end_of_interval(at: Timestamp) -> Position {
    let end = at.start_of(INDEX_INTERVAL).after(INDEX_INTERVAL - Duration::from_millis(1));
    Position { at: end, id: Uuid::max() }
}

/// A request for a page of a session's chats.
#[derive(Clone, Debug)]
pub struct ChatList {
    /// The session.
    pub session_id: SessionId,
    /// The filter.
    pub filter: ChatFilter,
    /// The maximum number of chats on the page.
    pub limit: usize,
    /// The end of the previous page.
    pub after: Option<Position>,
}

/// A request for the chat of one contact or group.
#[derive(Clone, Debug)]
pub struct ChatLookup {
    /// The session.
    pub session_id: SessionId,
    /// The address as the caller wrote it.
    pub address: String,
    /// The filter.
    pub filter: ChatFilter,
}

/// A filter for chats. `None` matches all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChatFilter {
    /// The inbox status.
    pub status: Option<ChatStatus>,
    /// The chat type.
    pub kind: Option<ChatType>,
    /// Whether the chat is unread.
    pub unread: Option<bool>,
}

impl ChatFilter {
    /// Returns whether a chat matches the filter.
    pub fn matches(&self, chat: &Chat) -> bool {
        self.status.is_none_or(|status| status == chat.status)
            && self.kind.is_none_or(|kind| kind == chat.kind)
            && self.unread.is_none_or(|unread| unread == chat.is_unread)
    }

    /// Returns whether the filter leaves out chats of the lists that it selects.
    pub(crate) fn is_partial(&self) -> bool {
        self.kind.is_some() || self.unread.is_some()
    }
}

impl ChatList {
    /// Returns the cursor for the page that starts after `next`.
    pub fn cursor(&self, next: Position) -> String {
        next.cursor(&self.name())
    }

    /// Returns the name that binds cursors to this list.
    pub(crate) fn name(&self) -> String {
        format!("chats/{}/{:?}", self.session_id, self.filter)
    }
}

/// A request for a page of a chat's messages.
#[derive(Clone, Debug)]
pub struct MessageList {
    /// The chat.
    pub chat_id: ChatId,
    /// The sort order.
    pub order: Order,
    /// The maximum number of messages on the page.
    pub limit: usize,
    /// The end of the previous page.
    pub after: Option<MessagePosition>,
}

impl MessageList {
    /// Returns the cursor for the page that starts after `next`.
    pub fn cursor(&self, next: MessagePosition) -> String {
        next.cursor(&self.name())
    }

    pub(crate) fn name(&self) -> String {
        format!("messages/{}", self.chat_id)
    }
}

/// A change to a chat. `None` leaves a field unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatChange {
    /// The new inbox status.
    pub status: Option<ChatStatus>,
    /// The new name of the contact. An empty name restores the contact's profile name.
    pub name: Option<String>,
    /// Whether the chat is unread.
    pub is_unread: Option<bool>,
    /// The contact's consent to marketing messages, as the business knows it.
    pub consent: Option<MarketingConsent>,
}

impl ChatChange {
    /// Marks the chat as read.
    pub const READ: Self = Self { status: None, name: None, is_unread: Some(false), consent: None };
}

#[cfg(test)]
mod tests;
