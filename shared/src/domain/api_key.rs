//! API keys: the secret, which only the holder has, and its hash, which the table stores.

use std::{collections::BTreeSet, fmt};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::domain::{caller::Caller, cursor::Position, id::KeyId, scope::Scope, time::Timestamp};

/// The prefix of every key, by which people and secret scanners recognize one.
const PREFIX: &str = "qk_";

/// The number of random bytes in a key, and of the checksum bytes after them. The checksum detects a mistyped key
/// without reading the table.
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

    /// Parses a credential. Returns `None` if it isn't a key of this API: mistyped, truncated, or of another kind.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        if bytes.len() != RANDOM + CHECKSUM {
            return None;
        }
        let (random, check) = bytes.split_at(RANDOM);
        (checksum(random) == check).then(|| Self(text.to_owned()))
    }

    /// Returns the secret as text, to show it to its holder.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns the hash that the table stores.
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
    /// Hashes a credential.
    pub fn of(credential: &str) -> Self {
        Self(hex::encode(Sha256::digest(credential)))
    }

    /// Reads a hash in lowercase hexadecimal digits. Other text matches no credential.
    pub fn from_hex(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Returns the hash in lowercase hexadecimal digits.
    pub fn as_hex(&self) -> &str {
        &self.0
    }

    /// Returns the ID of the key with this hash. It is derived from the hash, so that the secret and the ID lead to the
    /// same item.
    pub fn key_id(&self) -> KeyId {
        KeyId::for_hash(&self.0)
    }

    /// Returns whether two hashes are equal, comparing them in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

/// A key as stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiKey {
    /// The ID, derived from the hash.
    pub id: KeyId,
    /// The hash of the secret.
    pub hash: KeyHash,
    /// The name that its creator chose.
    pub name: String,
    /// The owner that the key acts for. Informational for a key with the scope `admin`, which acts for every owner.
    pub owner_id: Option<String>,
    /// The permissions.
    pub scopes: BTreeSet<Scope>,
    /// When the key was created.
    pub created_at: Timestamp,
    /// When the key expires. `None` if it doesn't.
    pub valid_until: Option<Timestamp>,
    /// When the key was last used, to within an hour.
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// Returns whether the key has not expired at `now`.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.valid_until.is_none_or(|until| now < until)
    }

    /// Returns the caller that this key authenticates, or `None` if it has neither an owner nor the scope `admin`.
    pub fn caller(&self) -> Option<Caller> {
        let id = self.id.to_string();
        match &self.owner_id {
            Some(owner) => Some(Caller::tenant(id, owner.clone(), self.scopes.iter().copied())),
            None => self.scopes.contains(&Scope::Admin).then(|| Caller::admin(id)),
        }
    }

    /// Returns the key's position in the list of all keys.
    pub fn position(&self) -> Position {
        Position { at: self.created_at, id: self.id.to_uuid() }
    }

    /// Returns the key as shown in API responses.
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

/// A key as shown in API responses: `null` where unset, and without its secret and hash.
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
        fn secret_round_trips_and_checksum_detects_wrong_character(
            random in any::<[u128; 3]>(),
            at in 3_usize..51,
            other in "[A-Za-z0-9_-]",
        ) {
            let secret = key(random);
            prop_assert_eq!(SecretKey::parse(secret.reveal()), Some(secret.clone()));
            let mut mistyped = secret.reveal().to_owned();
            mistyped.replace_range(at..=at, &other);
            prop_assert_eq!(SecretKey::parse(&mistyped).is_some(), mistyped == secret.reveal());
        }

        #[test]
        fn arbitrary_text_is_rejected(text in any::<String>()) {
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
