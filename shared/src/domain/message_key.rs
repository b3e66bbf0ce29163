//! Message keys.

#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use crate::domain::{
    cursor::Position,
    id::{ChatId, MessageId},
    time::Timestamp,
};

/// The prefix of a message's sort key.
const PREFIX: &str = "MESSAGE#";

/// The key of a message in the table. Its text form (`Display`) is sent as `biz_opaque_callback_data`, so that status
/// webhooks contain the key of their message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageKey {
    /// The chat.
    pub chat_id: ChatId,
    /// The message's [`timestamp`](crate::domain::message::Message::timestamp).
    pub time: Timestamp,
    /// The message.
    pub message_id: MessageId,
}

impl MessageKey {
    /// Returns the sort key of the message within its chat. Sort keys sort by time.
    pub fn sort_key(&self) -> String {
        Self::sort_key_at(Position { at: self.time, id: self.message_id.to_uuid() })
    }

    /// Returns the sort key of the message at a position in a chat.
    pub fn sort_key_at(position: Position) -> String {
        format!("{PREFIX}{position}")
    }

    /// Returns the key of the message of `chat_id` with this sort key. Returns `None` if it isn't a message's sort key.
    pub fn from_sort_key(chat_id: ChatId, sort_key: &str) -> Option<Self> {
        let (time, message_id) = sort_key.strip_prefix(PREFIX)?.split_once('#')?;
        Some(Self { chat_id, time: time.parse().ok()?, message_id: message_id.parse().ok()? })
    }

    /// Returns the text with which `chat_id` and its messages refer to this message: the sort key within the partition
    /// of `chat_id`, otherwise the whole key. A merged chat has messages in several partitions.
    pub fn link_from(&self, chat_id: ChatId) -> String {
        if self.chat_id == chat_id { self.sort_key() } else { self.to_string() }
    }

    /// Parses the text of [`MessageKey::link_from`].
    pub fn linked(chat_id: ChatId, link: &str) -> Option<Self> {
        Self::from_sort_key(chat_id, link).or_else(|| link.parse().ok())
    }
}

impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "qasid/{}/{}/{}", self.chat_id, self.time, self.message_id)
    }
}

/// The text is not a message key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a message key")]
pub struct ParseMessageKeyError;

impl FromStr for MessageKey {
    type Err = ParseMessageKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let ["qasid", chat_id, time, message_id] = parts[..] else { return Err(ParseMessageKeyError) };
        match (chat_id.parse(), time.parse(), message_id.parse()) {
            (Ok(chat_id), Ok(time), Ok(message_id)) => Ok(Self { chat_id, time, message_id }),
            _ => Err(ParseMessageKeyError),
        }
    }
}
