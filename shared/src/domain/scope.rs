//! Scopes: the permissions of API keys.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A permission of an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Create, read, resume, and erase sessions, and erase their chats.
    #[serde(rename = "sessions")]
    Sessions,
    /// Send messages.
    #[serde(rename = "messages:send")]
    MessagesSend,
    /// Read chats, messages, and events.
    #[serde(rename = "messages:read")]
    MessagesRead,
    /// Update chats, and mark them as read.
    #[serde(rename = "chats:write")]
    ChatsWrite,
    /// Manage auto-reply rules.
    #[serde(rename = "rules")]
    Rules,
    /// Manage the webhooks that receive changes. Creating and changing one also needs [`Self::MessagesRead`].
    #[serde(rename = "webhooks")]
    Webhooks,
    /// Claim and settle messages as a session's linked-device worker.
    #[serde(rename = "worker")]
    Worker,
    /// Everything, for every owner.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 8] = [
        Self::Sessions,
        Self::MessagesSend,
        Self::MessagesRead,
        Self::ChatsWrite,
        Self::Rules,
        Self::Webhooks,
        Self::Worker,
        Self::Admin,
    ];

    /// The scopes of an identity provider's token: everything an owner's own application needs. The scopes of workers
    /// and of the operator (`worker`, `admin`) need an API key, and so does `webhooks`: a token expires within hours, but a
    /// webhook that someone created with a stolen one would stay.
    pub const OF_TOKENS: [Self; 5] =
        [Self::Sessions, Self::MessagesSend, Self::MessagesRead, Self::ChatsWrite, Self::Rules];

    /// Returns the scope's name in requests and responses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::MessagesSend => "messages:send",
            Self::MessagesRead => "messages:read",
            Self::ChatsWrite => "chats:write",
            Self::Rules => "rules",
            Self::Webhooks => "webhooks",
            Self::Worker => "worker",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not the name of a scope.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a scope")]
pub struct NotAScope;

impl FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(NotAScope)
    }
}
