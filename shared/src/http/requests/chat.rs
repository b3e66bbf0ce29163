//! Chats, and the queries for lists of chats and messages, as requests contain them.

use crate::{
    domain::{
        chat::{ChatStatus, ChatType},
        consent::MarketingConsent,
        contact_name::{NAME_LIMIT, clean_name},
        cursor::{MessagePosition, Position},
        id::{ChatId, SessionId},
        inbox::{ChatChange, ChatFilter, ChatList, ChatLookup, MessageList},
        page::Order,
    },
    http::{ApiError, Body, ErrorCode, JsonObject, Query},
};

/// The default and the maximum number of items on a page.
const DEFAULT_LIMIT: u32 = 25;
const MAX_LIMIT: u32 = 100;

/// A request for chats.
#[derive(Debug)]
pub enum ChatQuery {
    /// A page of a session's chats.
    List(ChatList),
    /// The chat of one contact or group.
    Lookup(ChatLookup),
}

impl ChatQuery {
    /// Parses `sessionId`, `phone`, `status`, `type`, `unread`, `limit`, and `cursor`.
    pub fn read(query: &Query) -> Result<Self, ApiError> {
        let list = ChatList::read(query)?;
        let Some(address) = query.address("phone")? else { return Ok(Self::List(list)) };
        if list.after.is_some() {
            let message = "cursor can't be combined with phone, which finds at most one chat";
            return Err(ApiError::new(ErrorCode::InvalidQuery, message));
        }
        Ok(Self::Lookup(ChatLookup { session_id: list.session_id, address, filter: list.filter }))
    }

    /// Returns the session of the chats.
    pub fn session_id(&self) -> SessionId {
        match self {
            Self::List(list) => list.session_id,
            Self::Lookup(lookup) => lookup.session_id,
        }
    }
}

impl ChatList {
    fn read(query: &Query) -> Result<Self, ApiError> {
        let session_id = query.session_id()?;
        let statuses = ChatStatus::ALL.map(|status| (status.as_str(), status));
        let filter = ChatFilter {
            status: query.choice("status", &statuses)?,
            kind: query.choice("type", &[("INDIVIDUAL", ChatType::Individual), ("GROUP", ChatType::Group)])?,
            unread: query.choice("unread", &[("true", true), ("false", false)])?,
        };
        let mut list = Self { session_id, filter, limit: limit(query, DEFAULT_LIMIT)?, after: None };
        list.after = query.cursor(&list.name(), Position::from_cursor)?;
        Ok(list)
    }
}

impl MessageList {
    /// Parses `limit`, `cursor`, and `order`. A cursor of the list is valid in both orders.
    pub fn read(chat_id: ChatId, query: &Query) -> Result<Self, ApiError> {
        let order = query.choice("order", &[("asc", Order::Ascending), ("desc", Order::Descending)])?;
        Self::page(chat_id, query, order.unwrap_or(Order::Descending), DEFAULT_LIMIT)
    }

    /// Parses `limit` and `cursor` of an export, which starts with the oldest message.
    pub fn export(chat_id: ChatId, query: &Query) -> Result<Self, ApiError> {
        Self::page(chat_id, query, Order::Ascending, MAX_LIMIT)
    }

    fn page(chat_id: ChatId, query: &Query, order: Order, default_limit: u32) -> Result<Self, ApiError> {
        let mut list = Self { chat_id, order, limit: limit(query, default_limit)?, after: None };
        list.after = query.cursor(&list.name(), MessagePosition::from_cursor)?;
        Ok(list)
    }
}

pub(super) fn limit(query: &Query, default: u32) -> Result<usize, ApiError> {
    let limit = query.whole_number("limit", 1..=MAX_LIMIT)?.unwrap_or(default);
    Ok(usize::try_from(limit).unwrap_or(usize::MAX))
}

impl ChatChange {
    /// Parses `{"status"?, "name"?, "isUnread"?, "consent": {"marketing"}?}`, of which at least one is required.
    pub fn read(body: &Body) -> Result<Self, ApiError> {
        let body = body.object(&["status", "name", "isUnread", "consent"])?;
        let status = body.string("status")?.map(|word| {
            let found = ChatStatus::ALL.into_iter().find(|status| status.as_str() == word);
            found.ok_or_else(|| ApiError::invalid_field("status must be INBOX, PENDING, RESOLVED or ARCHIVED"))
        });
        let name = body.string("name")?.map(read_name).transpose()?;
        let consent = body.object("consent", &["marketing"])?.map(|consent| read_consent(&consent)).transpose()?;
        let change = Self { status: status.transpose()?, name, is_unread: body.boolean("isUnread")?, consent };
        if change == (Self { status: None, name: None, is_unread: None, consent: None }) {
            return Err(ApiError::new(ErrorCode::MissingField, "Give status, name, isUnread or consent"));
        }
        Ok(change)
    }
}

fn read_consent(consent: &JsonObject) -> Result<MarketingConsent, ApiError> {
    let word = consent.required("marketing")?;
    let found = MarketingConsent::ALL.into_iter().find(|marketing| marketing.as_str() == word);
    found.ok_or_else(|| consent.invalid("marketing", "must be granted, denied or unknown"))
}

/// Parses a chat's name. An empty one restores the contact's own.
fn read_name(name: &str) -> Result<String, ApiError> {
    if name.trim().chars().count() > NAME_LIMIT {
        return Err(ApiError::invalid_field(format!("name must have at most {NAME_LIMIT} characters")));
    }
    if name.is_empty() {
        return Ok(String::new());
    }
    clean_name(name).ok_or_else(|| {
        let hint = "give a name with a visible character, or \"\" for the contact's own name";
        ApiError::invalid_field(format!("name shows nothing: {hint}"))
    })
}
