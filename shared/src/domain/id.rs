//! Identifiers. Each kind is a type, so that one cannot stand for another, and each id that must be unique is derived
//! from what makes it unique: two writers arrive at the same key, and the key is the deduplication.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{identity::Identity, time::Timestamp};

/// The namespace of every id derived here. Changing it would give every owner a second session and every contact a
/// second chat.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f6e_5c1d_9a0b_4c53_8f6e_71a5_1dc0_a51d);

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id as what it is.
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
            type Err = NotAUuid;

            /// Only the hyphenated form that answers use is an id; `Uuid` alone would also take braces and URNs.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match Uuid::try_parse(text) {
                    Ok(uuid) if text.len() == 36 => Ok(Self(uuid)),
                    _ => Err(NotAUuid),
                }
            }
        }
    )*};
}

/// The text is no UUID in hyphenated form.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID")]
pub struct NotAUuid;

uuid_ids! {
    /// A session: one owner, one WhatsApp number.
    SessionId,
    /// A chat: one session, one person or group.
    ChatId,
    /// A message, inbound or outbound.
    MessageId,
    /// An API key.
    KeyId,
    /// An auto-reply rule.
    RuleId,
}

impl SessionId {
    /// The one session of `owner_id`.
    pub fn for_owner(owner_id: &str) -> Self {
        Self(derive(&NAMESPACE, &["session", owner_id]))
    }

    /// The 32 hexadecimal digits of this id, without hyphens.
    pub fn to_hex(self) -> String {
        self.0.simple().to_string()
    }

    /// The inverse of [`SessionId::to_hex`].
    pub fn from_hex(hex: &str) -> Option<Self> {
        (hex.len() == 32).then(|| Uuid::try_parse(hex).ok().map(Self)).flatten()
    }
}

impl ChatId {
    /// The chat that `identity` has in a session when nothing says otherwise.
    pub fn for_identity(session_id: SessionId, identity: &Identity) -> Self {
        Self(derive(&session_id.0, &["chat", &identity.to_string()]))
    }

    /// The chat of whoever has `identity` after its former owner gave it up at `time`.
    pub fn for_successor(session_id: SessionId, identity: &Identity, time: Timestamp) -> Self {
        Self(derive(&session_id.0, &["chat", &identity.to_string(), &time.to_string()]))
    }

    /// An even spread of chats over `shards` shards, the same for ever for one chat.
    pub fn shard(self, shards: u8) -> u8 {
        self.0.as_bytes()[15] % shards
    }
}

impl MessageId {
    /// An inbound message: WhatsApp's id is unique for one business number.
    pub fn for_inbound(phone_number_id: &str, wamid: &str) -> Self {
        Self(derive(&NAMESPACE, &["inbound", phone_number_id, wamid]))
    }

    /// The automatic reply to an inbound message: there is never more than one.
    pub fn for_reply(inbound: Self) -> Self {
        Self(derive(&NAMESPACE, &["reply", &inbound.to_string()]))
    }

    /// An outbound message, from a UUID of version 7: ids made later sort later.
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl KeyId {
    /// The key whose secret has this hash.
    pub fn for_hash(hash: &str) -> Self {
        Self(derive(&NAMESPACE, &["key", hash]))
    }

    /// The key with this id.
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The id itself.
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

impl RuleId {
    /// A rule, from a UUID of version 7: the ids of a session's rules sort by age.
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

/// The id of something WhatsApp sent that has no id of its own: its content.
pub fn content_id(content: &str) -> Uuid {
    derive(&NAMESPACE, &["content", content])
}

/// The length before each part keeps `["a", "bc"]` and `["ab", "c"]` apart.
fn derive(namespace: &Uuid, parts: &[&str]) -> Uuid {
    let name: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
    Uuid::new_v5(namespace, name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_never_change() {
        assert_eq!(SessionId::for_owner("ada").to_string(), "117b233c-fcee-5c30-b5f9-00032fb4b9ea");
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(MessageId::for_inbound("1", "23"), MessageId::for_inbound("12", "3"));
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let id = SessionId::for_owner("ada");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "ada", &id.to_hex(), &format!("{{{id}}}"), &format!("urn:uuid:{id}")] {
            assert_eq!(text.parse::<SessionId>(), Err(NotAUuid), "{text}");
        }
        assert_eq!(SessionId::from_hex(&id.to_hex()), Some(id));
    }
}
