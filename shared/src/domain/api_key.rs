//! API keys: the secret that its holder has, and the hash that the table stores.

use std::{collections::BTreeSet, fmt};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::domain::{caller::Caller, cursor::Position, id::KeyId, scope::Scope, time::Timestamp};

/// The prefix of every key, by which people and secret scanners recognize one.
const PREFIX: &str = "qk_";

/// Random bytes of a key, and the checksum bytes after them, which reveal a mistyped key without reading the table.
const RANDOM: usize = 32;
const CHECKSUM: usize = 4;

/// The maximum length of a key's name, in characters.
pub const NAME_LIMIT: usize = 100;

/// The secret of a key: `qk_`, then 256 random bits and their checksum in base64url. It is returned once and never
/// stored.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(String);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

impl SecretKey {
    /// Creates a key from three UUIDs, which have 122 random bits each.
    pub fn from_random(random: [Uuid; 3]) -> Self {
        let mut bytes = Sha256::digest(random.map(Uuid::into_bytes).concat()).to_vec();
        bytes.extend(checksum(&bytes));
        Self(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Parses a credential. `None` if it isn't a key of this API: mistyped, truncated, or of another kind.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        if bytes.len() != RANDOM + CHECKSUM {
            return None;
        }
        let (random, check) = bytes.split_at(RANDOM);
        (checksum(random) == check).then(|| Self(text.to_owned()))
    }

    /// The key's text, for its holder.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The hash that the table stores.
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&self.0)
    }
}

fn checksum(random: &[u8]) -> [u8; CHECKSUM] {
    let mut hash = Sha256::new_with_prefix(PREFIX);
    hash.update(random);
    let digest = hash.finalize();
    std::array::from_fn(|index| digest[index])
}

/// SHA-256 of a credential, in hexadecimal digits. A key has 256 random bits, so a slow password hash would add no
/// protection.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyHash(String);

impl KeyHash {
    /// The hash of a credential.
    pub fn of(credential: &str) -> Self {
        Self(Sha256::digest(credential).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The ID of the key with this hash. It is derived from the hash, so the same item is found by key and by ID.
    pub fn key_id(&self) -> KeyId {
        KeyId::for_hash(&self.0)
    }

    /// Whether two hashes are equal, compared in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

/// A key as the table stores it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiKey {
    /// Derived from the hash.
    pub id: KeyId,
    /// The hash of the secret.
    pub hash: KeyHash,
    /// The name that its creator gave it.
    pub name: String,
    /// The owner that it acts for. A key with the scope `admin` acts for every owner, and this is informational.
    pub owner_id: Option<String>,
    /// Its permissions.
    pub scopes: BTreeSet<Scope>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it expires; `None` for never.
    pub valid_until: Option<Timestamp>,
    /// When it was last used, to within an hour.
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether the key hasn't expired at `now`.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.valid_until.is_none_or(|until| now < until)
    }

    /// The caller that this key authenticates. `None` if it has neither an owner nor the scope `admin`.
    pub fn caller(&self) -> Option<Caller> {
        let id = self.id.to_string();
        match &self.owner_id {
            Some(owner) => Some(Caller::tenant(id, owner.clone(), self.scopes.iter().copied())),
            None => self.scopes.contains(&Scope::Admin).then(|| Caller::admin(id)),
        }
    }

    /// The key's position in the list of all keys.
    pub fn place(&self) -> Position {
        Position { at: self.created_at, id: self.id.uuid() }
    }

    /// The key as responses contain it.
    pub fn response(&self) -> KeyResponse<'_> {
        KeyResponse {
            id: self.id,
            name: &self.name,
            owner_id: self.owner_id.as_deref(),
            scopes: &self.scopes,
            created_at: self.created_at,
            expires_at: self.valid_until,
            last_used_at: self.last_used_at,
        }
    }
}

/// A key as responses contain it: `null` where unset, and without its secret or hash.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of ApiKey")]
pub struct KeyResponse<'a> {
    pub id: KeyId,
    pub name: &'a str,
    pub owner_id: Option<&'a str>,
    pub scopes: &'a BTreeSet<Scope>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(random: [u128; 3]) -> SecretKey {
        SecretKey::from_random(random.map(Uuid::from_u128))
    }

    proptest! {
        #[test]
        fn a_key_reads_back_and_a_wrong_character_is_detected(random in any::<[u128; 3]>(), at in 3_usize..51, other in "[A-Za-z0-9_-]") {
            let secret = key(random);
            prop_assert_eq!(SecretKey::parse(secret.reveal()), Some(secret.clone()));
            let mut mistyped = secret.reveal().to_owned();
            mistyped.replace_range(at..=at, &other);
            prop_assert_eq!(SecretKey::parse(&mistyped).is_some(), mistyped == secret.reveal());
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            prop_assert_eq!(SecretKey::parse(&text), None);
            let prefixed = format!("qk_{text}");
            prop_assert_eq!(SecretKey::parse(&prefixed), None);
        }
    }

    #[test]
    fn keys_differ_and_debug_hides_the_secret() {
        let (one, other) = (key([1, 2, 3]), key([1, 2, 4]));
        assert_eq!(one.reveal().len(), 51);
        assert!(!one.hash().matches(&other.hash()) && one.hash().matches(&one.hash()));
        assert_ne!(one.hash().key_id(), other.hash().key_id());
        assert!(!format!("{one:?}").contains(&one.reveal()[3..]));
    }
}
