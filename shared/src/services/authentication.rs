//! Authentication: from the `Authorization` header to a caller.

mod signature;
mod token;

pub use self::token::{KeysError, TokenIssuer, Tokens};
use crate::{
    domain::{
        api_key::{KeyHash, SecretKey},
        caller::Caller,
        system::System,
    },
    secrets::SecretsError,
    store::{Store, StoreError},
    telemetry,
};

/// The minimum length of an operator key after its prefix. Rejects a guessable key that someone chose.
const MIN_OPERATOR_KEY: usize = 32;

/// Why a credential is refused. For the log only; callers don't see it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Refusal {
    #[error("the header isn't `Bearer <credential>`")]
    NotBearer,
    #[error("the credential isn't a key")]
    Malformed,
    #[error("there is no such key")]
    UnknownKey,
    #[error("the key has expired")]
    ExpiredKey,
    #[error("the key has neither an owner nor the scope admin")]
    KeyWithoutOwner,
    #[error("the token is signed with {0}: only RS256 and ES256 are accepted")]
    TokenAlgorithm(&'static str),
    #[error("the token is signed with no key of the identity provider")]
    TokenKey,
    #[error("the token's signature is wrong")]
    TokenSignature,
    #[error("the token is from another issuer")]
    TokenIssuer,
    #[error("the token is for another audience")]
    TokenAudience,
    #[error("the token has expired or isn't valid yet")]
    TokenTime,
    #[error("the token lacks a required claim")]
    TokenClaims,
}

/// Why a caller isn't authenticated.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// The credential is invalid.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The table didn't respond, so the credential is neither valid nor invalid.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The origin secret couldn't be read.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The identity provider's keys couldn't be fetched.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

/// Authenticates callers by API key, operator key, or token.
#[derive(Clone, Debug)]
pub struct Authentication {
    store: Store,
    operator_keys: Vec<KeyHash>,
    /// `None` if the deployment accepts no tokens.
    tokens: Option<Tokens>,
    system: System,
}

impl Authentication {
    /// Creates the use case. `operator_keys` are hashes of admin keys without an item in the table.
    pub fn new(store: Store, operator_keys: Vec<KeyHash>, tokens: Option<Tokens>, system: System) -> Self {
        Self { store, operator_keys, tokens, system }
    }

    /// Opens the connections that the first request needs.
    pub async fn warm_up(&self) {
        let tokens = async {
            if let Some(tokens) = &self.tokens {
                tokens.warm_up(self.system.now()).await;
            }
        };
        tokio::join!(self.store.warm_up(), tokens);
    }

    /// Returns the caller of a request by its `Authorization` header.
    pub async fn authenticate(&self, authorization: &str) -> Result<Caller, AuthenticationError> {
        let credential = bearer(authorization).ok_or(Refusal::NotBearer)?;
        match SecretKey::parse(credential) {
            Some(key) => self.by_key(&key).await,
            // The operator key has no checksum and isn't in the table.
            None if is_operator_key(credential, &self.operator_keys) => Ok(Caller::admin("operator")),
            None if credential.starts_with("qk_") => Err(Refusal::Malformed.into()),
            None => match &self.tokens {
                Some(tokens) => tokens.caller(credential, self.system.now()).await,
                None => Err(Refusal::Malformed.into()),
            },
        }
    }

    async fn by_key(&self, secret: &SecretKey) -> Result<Caller, AuthenticationError> {
        let (hash, now) = (secret.hash(), self.system.now());
        let key = self.store.api_keys().get(hash.key_id()).await?;
        let key = key.filter(|key| key.hash.matches(&hash)).ok_or(Refusal::UnknownKey)?;
        if !key.is_valid(now) {
            return Err(Refusal::ExpiredKey.into());
        }
        // The time of last use is informational, so a failure doesn't refuse the key.
        if let Err(error) = self.store.api_keys().record_use(&key, now).await {
            tracing::warn!(error = telemetry::chain(&error), "API key use not recorded");
        }
        Ok(key.caller().ok_or(Refusal::KeyWithoutOwner)?)
    }
}

fn is_operator_key(credential: &str, hashes: &[KeyHash]) -> bool {
    let is_long = credential.strip_prefix("qk_").is_some_and(|key| key.len() >= MIN_OPERATOR_KEY);
    is_long && hashes.iter().any(|hash| hash.matches(&KeyHash::of(credential)))
}

/// The credential after `Bearer` (RFC 6750, section 2.1), which is case-insensitive (RFC 9110, section 11.1).
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, credential) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_key_must_be_long_and_complete() {
        let (old, new) = (format!("qk_{}", "a".repeat(32)), format!("qk_{}", "b".repeat(64)));
        let both = [KeyHash::of(&old), KeyHash::of(&new)];
        assert!(is_operator_key(&old, &both) && is_operator_key(&new, &both));
        for other in [&old[3..], "qk_", &old[..34], &format!("{old}a"), both[0].as_hex()] {
            assert!(!is_operator_key(other, &both), "{other}");
        }
        let without_prefix = "a".repeat(43);
        for weak in ["", "qk_", "qk_admin", &format!("qk_{}", "a".repeat(31)), &without_prefix] {
            assert!(!is_operator_key(weak, &[KeyHash::of(weak)]), "{weak}");
        }
        for text in ["", "x", &old] {
            assert!(!is_operator_key(&old, &[KeyHash::from_hex(text)]), "{text}");
        }
    }

    #[test]
    fn only_bearer_credentials_are_read() {
        assert_eq!(bearer("Bearer qk_1"), Some("qk_1"));
        assert_eq!(bearer("bearer  qk_1 "), Some("qk_1"));
        for other in ["", "Bearer", "qk_1", "Basic qk_1", "Bearerqk_1"] {
            assert_eq!(bearer(other), None, "{other}");
        }
    }
}
