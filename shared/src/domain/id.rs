//! Typed IDs. An ID that must be unique is a hash (UUID version 5) of the values that make it unique. Concurrent
//! writers derive the same key, which prevents duplicates.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{identity::Identity, time::Timestamp};

/// The namespace of all derived IDs. It must never change: every owner would get a second session, and every contact a
/// second chat.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f6e_5c1d_9a0b_4c53_8f6e_71a5_1dc0_a51d);

/// The maximum length of an ID that isn't ours, such as a wamid, in bytes: what WhatsApp, workers, and callers give.
/// DynamoDB accepts partition keys of up to 2,048 bytes, which contain prefixes and other IDs too. Sort keys, of up to 1,024
/// bytes, contain a hash of the ID instead.
pub const MAX_ID_BYTES: usize = 1024;

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Returns the ID as a UUID.
            pub fn to_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            /// Parses the hyphenated form. `Uuid` itself would also accept braces and URNs.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match Uuid::try_parse(text) {
                    Ok(uuid) if text.len() == 36 => Ok(Self(uuid)),
                    _ => Err(ParseIdError),
                }
            }
        }
    )*};
}

/// The text is not a UUID in hyphenated form.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID")]
pub struct ParseIdError;

uuid_ids! {
    /// The ID of a session. An owner has one session.
    SessionId,
    /// The ID of a chat. A session has one chat per contact or group.
    ChatId,
    /// The ID of an inbound or outbound message.
    MessageId,
    /// The ID of a file of a message.
    MediaId,
    /// The ID of an API key.
    KeyId,
    /// The ID of an auto-reply rule.
    RuleId,
    /// The ID of a change in a session's change log. Receivers deduplicate by it.
    ChangeId,
    /// The ID of an endpoint that receives outgoing webhooks.
    WebhookId,
}

impl SessionId {
    /// No session: a test of a webhook for all sessions has it.
    pub const NIL: Self = Self(Uuid::nil());

    /// Creates the ID from the UUID that a key contains.
    pub(crate) fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Derives the ID of the session of `owner_id`.
    pub fn for_owner(owner_id: &str) -> Self {
        Self(derive(&NAMESPACE, &["session", owner_id]))
    }

    /// Returns the shard of the session, from 0 to `shards - 1`. The distribution is even, and a session's shard never
    /// changes.
    pub fn shard(self, shards: u8) -> u8 {
        self.0.as_bytes()[15] % shards
    }

    /// Returns the ID as 32 hexadecimal digits without hyphens.
    pub fn to_hex(self) -> String {
        self.0.simple().to_string()
    }

    /// Parses 32 hexadecimal digits, the inverse of [`SessionId::to_hex`].
    pub fn from_hex(hex: &str) -> Option<Self> {
        (hex.len() == 32).then(|| Uuid::try_parse(hex).ok().map(Self)).flatten()
    }
}

impl ChatId {
    /// Creates the ID from the UUID that a key contains.
    pub(crate) fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Derives the ID of the chat of `identity` in a session.
    pub fn for_identity(session_id: SessionId, identity: &Identity) -> Self {
        Self(derive(&session_id.0, &["chat", &identity.to_string()]))
    }

    /// Derives the ID of the chat of a contact who got `identity` after its former owner gave it up at `time`.
    pub fn for_successor(session_id: SessionId, identity: &Identity, time: Timestamp) -> Self {
        Self(derive(&session_id.0, &["chat", &identity.to_string(), &time.to_string()]))
    }

    /// Returns the shard of the chat, from 0 to `shards - 1`. The distribution is even, and a chat's shard never
    /// changes.
    pub fn shard(self, shards: u8) -> u8 {
        self.0.as_bytes()[15] % shards
    }
}

impl MessageId {
    /// Derives the ID of an inbound message. WhatsApp's IDs are unique per business number.
    pub fn for_inbound(phone_number_id: &str, wamid: &str) -> Self {
        Self(derive(&NAMESPACE, &["inbound", phone_number_id, wamid]))
    }

    /// Derives the ID of an imported message without a wamid. IDs of the system that it comes from are unique per session.
    pub fn for_import(session_id: SessionId, id: &str) -> Self {
        Self(derive(&session_id.0, &["import", id]))
    }

    /// Returns whether the ID is derived, as those of inbound messages and auto-replies are.
    pub fn is_derived(self) -> bool {
        self.0.get_version_num() == 5
    }

    /// Derives the ID of the auto-reply to an inbound message, which has at most one.
    pub fn for_reply(inbound: Self) -> Self {
        Self(derive(&NAMESPACE, &["reply", &inbound.to_string()]))
    }

    /// Creates the ID of an outbound message from a UUID of version 7, so that later IDs sort later.
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl MediaId {
    /// Returns the ID of the file of a received message, which has at most one. Both have the same ID.
    pub fn for_message(message_id: MessageId) -> Self {
        Self(message_id.0)
    }

    /// Creates the ID of an uploaded file from a UUID of version 7, so that the IDs of a session's uploads sort by age.
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl KeyId {
    /// Derives the ID of the key whose secret has this hash.
    pub fn for_hash(hash: &str) -> Self {
        Self(derive(&NAMESPACE, &["key", hash]))
    }

    /// Creates the ID from a UUID.
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl RuleId {
    /// Creates the ID of a rule from a UUID of version 7, so that the IDs of a session's rules sort by age.
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl ChangeId {
    /// Derives the ID of a change that a message has once, such as `message.delivered`.
    pub fn for_message(message_id: MessageId, kind: &str) -> Self {
        Self(derive(&NAMESPACE, &["change", &message_id.to_string(), kind]))
    }

    /// Derives the ID of a change of `kind` from the ID of the stream event that reports it.
    pub fn for_stream_event(event_id: &str, kind: &str) -> Self {
        Self(derive(&NAMESPACE, &["change", "stream", event_id, kind]))
    }

    /// Creates the ID of a change that isn't in the log, such as `webhook.test`, from a random UUID.
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl WebhookId {
    /// Derives the ID of the stored delivery of a change.
    pub fn delivery_id(self, change_id: ChangeId) -> Uuid {
        derive(&NAMESPACE, &["delivery", &self.to_string(), &change_id.to_string()])
    }

    /// Creates the ID of a webhook from a UUID of version 7, so that the IDs of a session's webhooks sort by age.
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

/// Derives an ID from `content`, for data from WhatsApp that has no ID.
pub fn content_id(content: &str) -> Uuid {
    derive(&NAMESPACE, &["content", content])
}

/// The length before each part distinguishes `["a", "bc"]` from `["ab", "c"]`.
fn derive(namespace: &Uuid, parts: &[&str]) -> Uuid {
    let name: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
    Uuid::new_v5(namespace, name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_stable() {
        assert_eq!(SessionId::for_owner("ada").to_string(), "117b233c-fcee-5c30-b5f9-00032fb4b9ea");
    }

    #[test]
    fn part_boundaries_change_the_id() {
        assert_ne!(MessageId::for_inbound("1", "23"), MessageId::for_inbound("12", "3"));
    }

    #[test]
    fn only_hyphenated_form_parses() {
        let id = SessionId::for_owner("ada");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "ada", &id.to_hex(), &format!("{{{id}}}"), &format!("urn:uuid:{id}")] {
            assert_eq!(text.parse::<SessionId>(), Err(ParseIdError), "{text}");
        }
        assert_eq!(SessionId::from_hex(&id.to_hex()), Some(id));
    }
}
