//! The inbox: how its lists are asked for, and what a person of the business does to a chat.

use serde::Serialize;

use crate::{
    domain::chat::{Chat, ChatResponse, ChatStatus, ChatType},
    domain::cursor::Position,
    domain::id::{ChatId, SessionId},
    domain::page::Order,
    http::{ApiError, JsonObject, Query},
};

/// How many items a page has unless the caller says otherwise, and how many at most.
const DEFAULT_LIMIT: u32 = 25;
const MAX_LIMIT: u32 = 100;

/// The longest name that the business may give a chat, in characters.
const NAME_LIMIT: usize = 256;

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
    /// Reads `sessionId`, `status`, `type`, `unread`, `limit` and `cursor`.
    pub fn read(query: &Query) -> Result<Self, ApiError> {
        let session_id = query.session_id()?;
        let statuses = ChatStatus::ALL.map(|status| (status.as_str(), status));
        let filter = ChatFilter {
            status: query.choice("status", &statuses)?,
            kind: query.choice("type", &[("INDIVIDUAL", ChatType::Individual), ("GROUP", ChatType::Group)])?,
            unread: query.choice("unread", &[("true", true), ("false", false)])?,
        };
        let mut list = Self { session_id, filter, limit: limit(query)?, after: None };
        list.after = cursor(query, &list.name())?;
        Ok(list)
    }

    /// The cursor for the page that goes on at `next`.
    pub fn cursor(&self, next: Position) -> String {
        next.cursor(&self.name())
    }

    /// What tells this list from every other.
    fn name(&self) -> String {
        format!("chats/{}/{:?}", self.session_id, self.filter)
    }
}

/// A caller's request for a page of a chat's messages.
#[derive(Clone, Debug)]
pub struct MessageList {
    chat_id: ChatId,
    /// In which direction.
    pub order: Order,
    /// How many at most.
    pub limit: usize,
    /// Where the page before this one ended.
    pub after: Option<Position>,
}

impl MessageList {
    /// Reads `limit`, `cursor` and `order`. A cursor of the list is good in both directions.
    pub fn read(chat_id: ChatId, query: &Query) -> Result<Self, ApiError> {
        let order = query.choice("order", &[("asc", Order::Ascending), ("desc", Order::Descending)])?;
        let order = order.unwrap_or(Order::Descending);
        let mut list = Self { chat_id, order, limit: limit(query)?, after: None };
        list.after = cursor(query, &list.name())?;
        Ok(list)
    }

    /// The same for an export, which begins with the oldest.
    pub fn export(chat_id: ChatId, query: &Query) -> Result<Self, ApiError> {
        let limit = query.whole_number("limit", 1..=MAX_LIMIT)?.unwrap_or(MAX_LIMIT);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut list = Self { chat_id, order: Order::Ascending, limit, after: None };
        list.after = cursor(query, &list.name())?;
        Ok(list)
    }

    /// The cursor for the page that goes on at `next`.
    pub fn cursor(&self, next: Position) -> String {
        next.cursor(&self.name())
    }

    fn name(&self) -> String {
        format!("messages/{}", self.chat_id)
    }
}

fn limit(query: &Query) -> Result<usize, ApiError> {
    let limit = query.whole_number("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    Ok(usize::try_from(limit).unwrap_or(usize::MAX))
}

fn cursor(query: &Query, list: &str) -> Result<Option<Position>, ApiError> {
    let position = query.one("cursor")?.map(|cursor| Position::from_cursor(&cursor, list)).transpose();
    position.map_err(|error| ApiError::bad_request("invalid_cursor", error.to_string()))
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

    /// Reads `{"status"?, "name"?, "isUnread"?}`.
    pub fn read(body: &JsonObject) -> Result<Self, ApiError> {
        let status = body.string("status")?.map(|word| {
            let found = ChatStatus::ALL.into_iter().find(|status| status.as_str() == word);
            let message = "status must be INBOX, PENDING, RESOLVED or ARCHIVED";
            found.ok_or_else(|| ApiError::bad_request("invalid_field", message))
        });
        let name = body.string("name")?.map(|name| name.trim().to_owned());
        if name.as_ref().is_some_and(|name| name.chars().count() > NAME_LIMIT) {
            let message = format!("name must have at most {NAME_LIMIT} characters");
            return Err(ApiError::bad_request("invalid_field", message));
        }
        let change = Self { status: status.transpose()?, name, is_unread: body.boolean("isUnread")? };
        if change == (Self { status: None, name: None, is_unread: None }) {
            return Err(ApiError::bad_request("missing_field", "Give status, name or isUnread"));
        }
        Ok(change)
    }
}

/// A chat as the inbox gives it: `null` where unset.
#[derive(Debug, Serialize)]
pub struct ChatDetailResponse {
    #[serde(flatten)]
    row: ChatResponse,
    /// When the contact last wrote.
    last_inbound_at: Option<crate::domain::time::Timestamp>,
    /// Until when the contact may be sent anything, and not templates only.
    window_until: Option<crate::domain::time::Timestamp>,
}

impl From<&Chat> for ChatDetailResponse {
    fn from(chat: &Chat) -> Self {
        Self { row: chat.response(), last_inbound_at: chat.last_inbound_at, window_until: chat.window_until() }
    }
}
