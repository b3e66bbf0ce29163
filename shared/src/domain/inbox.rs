//! The inbox: how its lists are asked for, and what a person of the business does to a chat.

use crate::{
    domain::chat::{Chat, ChatStatus, ChatType},
    domain::cursor::Position,
    domain::id::{ChatId, SessionId},
    domain::page::Order,
};

/// A caller's request for a page of a session's chats.
#[derive(Clone, Debug)]
pub struct ChatList {
    /// Whose chats.
    pub session_id: SessionId,
    /// Which of them.
    pub filter: ChatFilter,
    /// How many at most.
    pub limit: usize,
    /// Where the page before this one ended.
    pub after: Option<Position>,
}

/// Which chats of a session; `None` for whichever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChatFilter {
    /// Those of one list.
    pub status: Option<ChatStatus>,
    /// Those with persons, or those with groups.
    pub kind: Option<ChatType>,
    /// Those that are unread, or those that are not.
    pub unread: Option<bool>,
}

impl ChatFilter {
    /// Whether a chat is wanted.
    pub fn takes(&self, chat: &Chat) -> bool {
        self.status.is_none_or(|status| status == chat.status)
            && self.kind.is_none_or(|kind| kind == chat.kind)
            && self.unread.is_none_or(|unread| unread == chat.is_unread)
    }
}

impl ChatList {
    /// The cursor for the page that goes on at `next`.
    pub fn cursor(&self, next: Position) -> String {
        next.cursor(&self.name())
    }

    /// What tells this list from every other.
    pub(crate) fn name(&self) -> String {
        format!("chats/{}/{:?}", self.session_id, self.filter)
    }
}

/// A caller's request for a page of a chat's messages.
#[derive(Clone, Debug)]
pub struct MessageList {
    /// The chat.
    pub chat_id: ChatId,
    /// In which direction.
    pub order: Order,
    /// How many at most.
    pub limit: usize,
    /// Where the page before this one ended.
    pub after: Option<Position>,
}

impl MessageList {
    /// The cursor for the page that goes on at `next`.
    pub fn cursor(&self, next: Position) -> String {
        next.cursor(&self.name())
    }

    pub(crate) fn name(&self) -> String {
        format!("messages/{}", self.chat_id)
    }
}

/// What a person of the business changes about a chat; `None` leaves it as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatChange {
    /// The list that it goes to.
    pub status: Option<ChatStatus>,
    /// What the business calls the contact; empty for the contact's own name again.
    pub name: Option<String>,
    /// Whether it is to be looked at.
    pub is_unread: Option<bool>,
}

impl ChatChange {
    /// That the chat has been looked at.
    pub const READ: Self = Self { status: None, name: None, is_unread: Some(false) };
}
