//! The key that names a message across the system.

#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use crate::domain::{
    cursor::Position,
    id::{ChatId, MessageId},
    time::Timestamp,
};

/// The start of every sort key of a message.
const PREFIX: &str = "MESSAGE#";

/// Where a message is stored. Sends carry its text (`Display`) as `biz_opaque_callback_data`, so that every status names
/// the message that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageKey {
    /// The chat.
    pub chat_id: ChatId,
    /// The message's own time; see [`Message::timestamp`](crate::domain::message::Message::timestamp).
    pub time: Timestamp,
    /// The message.
    pub message_id: MessageId,
}

impl MessageKey {
    /// Returns the sort key of the message within its chat. Sort keys sort by time.
    pub fn sort_key(&self) -> String {
        Self::sort_key_at(Position { at: self.time, id: self.message_id.to_uuid() })
    }

    /// Returns the sort key of the message at this position of a chat.
    pub fn sort_key_at(position: Position) -> String {
        format!("{PREFIX}{position}")
    }

    /// Returns the position that a message's sort key names.
    pub fn position_of(sort_key: &str) -> Option<Position> {
        Position::parse(sort_key.strip_prefix(PREFIX)?)
    }

    /// Returns the message of `chat_id` with this sort key; `None` if it isn't a message's sort key.
    pub fn from_sort_key(chat_id: ChatId, sort_key: &str) -> Option<Self> {
        let (time, message_id) = sort_key.strip_prefix(PREFIX)?.split_once('#')?;
        Some(Self { chat_id, time: time.parse().ok()?, message_id: message_id.parse().ok()? })
    }

    /// Returns the text by which `chat_id` or one of its messages refers to this message: the sort key within the same
    /// chat, else the whole key. A chat into which another was merged has messages in both.
    pub fn link_from(&self, chat_id: ChatId) -> String {
        if self.chat_id == chat_id { self.sort_key() } else { self.to_string() }
    }

    /// Reads the text that [`MessageKey::link_from`] writes.
    pub fn linked(chat_id: ChatId, link: &str) -> Option<Self> {
        Self::from_sort_key(chat_id, link).or_else(|| link.parse().ok())
    }
}

impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "qasid/{}/{}/{}", self.chat_id, self.time, self.message_id)
    }
}

/// The text isn't a message key of this system.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a message key")]
pub struct NotAMessageKey;

impl FromStr for MessageKey {
    type Err = NotAMessageKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let ["qasid", chat_id, time, message_id] = parts[..] else { return Err(NotAMessageKey) };
        match (chat_id.parse(), time.parse(), message_id.parse()) {
            (Ok(chat_id), Ok(time), Ok(message_id)) => Ok(Self { chat_id, time, message_id }),
            _ => Err(NotAMessageKey),
        }
    }
}
