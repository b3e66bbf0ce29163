//! From the `Authorization` header to a caller.

use lambda_runtime::Error;
use shared::{
    domain::api_key::{KeyHash, SecretKey},
    domain::caller::Caller,
    domain::system::System,
    secrets::{OperatorSecret, Secrets},
    store::Store,
    telemetry,
};

use crate::token::Tokens;

/// The shortest operator's key that is accepted. The deployment makes one of 43 characters; this keeps out a word that
/// somebody put in its place, and the empty one.
const MIN_OPERATOR_KEY: usize = 32;

/// Why a credential is nobody's. For the log: callers are told nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the header is not Bearer and a credential")]
    NotBearer,
    #[error("no key has this form")]
    Malformed,
    #[error("there is no such key")]
    UnknownKey,
    #[error("the key has expired")]
    ExpiredKey,
    #[error("the key names neither an owner nor the scope admin")]
    NobodysKey,
    #[error("the token is signed with no key of the identity provider")]
    TokenKey,
    #[error("the token's signature is not right")]
    TokenSignature,
    #[error("the token is from another issuer")]
    TokenIssuer,
    #[error("the token is for another audience")]
    TokenAudience,
    #[error("the token has expired, or is not good yet")]
    TokenTime,
    #[error("the token has not all the claims that it needs")]
    TokenClaims,
}

/// Knows callers by their credentials.
#[derive(Clone)]
pub(crate) struct Authentication {
    store: Store,
    operator: Secrets<OperatorSecret>,
    /// Where the deployment takes tokens.
    tokens: Option<Tokens>,
    system: System,
}

impl Authentication {
    pub(crate) fn new(store: Store, operator: Secrets<OperatorSecret>, tokens: Option<Tokens>, system: System) -> Self {
        Self { store, operator, tokens, system }
    }

    /// Opens the connections that the first event will need.
    pub(crate) async fn warm_up(&self) {
        let tokens = async {
            if let Some(tokens) = &self.tokens {
                tokens.warm_up(self.system.now()).await;
            }
        };
        tokio::join!(self.store.warm_up(), tokens);
    }

    /// Who sent this `Authorization` header. An error means that nobody could be asked, which is not a refusal.
    pub(crate) async fn authenticate(&self, authorization: &str) -> Result<Result<Caller, Refused>, Error> {
        let Some(credential) = bearer(authorization) else { return Ok(Err(Refused::NotBearer)) };
        match SecretKey::parse(credential) {
            Some(key) => self.by_key(&key).await,
            // The operator's key has no checksum, and is none of the keys in the table.
            None if credential.starts_with("qk_") => self.by_operator_key(credential).await,
            None => match &self.tokens {
                Some(tokens) => Ok(tokens.caller(credential, self.system.now()).await?),
                None => Ok(Err(Refused::Malformed)),
            },
        }
    }

    async fn by_key(&self, secret: &SecretKey) -> Result<Result<Caller, Refused>, Error> {
        let (hash, now) = (secret.hash(), self.system.now());
        let key = self.store.api_keys().get(hash.key_id()).await?;
        let Some(key) = key.filter(|key| key.hash.matches(&hash)) else { return Ok(Err(Refused::UnknownKey)) };
        if !key.is_valid(now) {
            return Ok(Err(Refused::ExpiredKey));
        }
        // The time of last use is for people to see: without it the key is as good.
        if let Err(error) = self.store.api_keys().record_use(&key, now).await {
            tracing::warn!(error = telemetry::chain(&error), "the use of a key could not be noted");
        }
        Ok(key.caller().ok_or(Refused::NobodysKey))
    }

    async fn by_operator_key(&self, credential: &str) -> Result<Result<Caller, Refused>, Error> {
        let now = self.system.now();
        let known = self.operator.get(now).await?;
        let is_known = is_operators(credential, &known)
            || self.operator.refresh_if(&known, now).await.is_some_and(|newer| is_operators(credential, &newer));
        Ok(if is_known { Ok(Caller::admin("operator")) } else { Err(Refused::Malformed) })
    }
}

/// Compares hashes, so that neither the comparison's duration nor a difference in length tells anything.
fn is_operators(credential: &str, secret: &OperatorSecret) -> bool {
    let credential = KeyHash::of(credential);
    let mut keys = secret.operator_key.iter().filter(|key| key.len() >= MIN_OPERATOR_KEY);
    keys.any(|key| credential.matches(&KeyHash::of(&format!("qk_{key}"))))
}

/// What comes after `Bearer` (RFC 6750, section 2.1; the word in any case, RFC 9110, section 11.1).
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, credential) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operators_key_is_long_and_whole() {
        let secret =
            |keys: &[&str]| OperatorSecret { operator_key: keys.iter().map(|key| (*key).to_owned()).collect() };
        let (old, new) = ("a".repeat(43), "b".repeat(43));
        let both = secret(&[&old, &new]);
        assert!(is_operators(&format!("qk_{old}"), &both) && is_operators(&format!("qk_{new}"), &both));
        for other in [&old, "qk_", &format!("qk_{}", &old[1..]), &format!("qk_{old}a")] {
            assert!(!is_operators(other, &both), "{other}");
        }
        for weak in ["", "admin", &"a".repeat(31)] {
            assert!(!is_operators(&format!("qk_{weak}"), &secret(&[weak])), "{weak}");
        }
    }

    #[test]
    fn only_a_bearer_is_read() {
        assert_eq!(bearer("Bearer qk_1"), Some("qk_1"));
        assert_eq!(bearer("bearer  qk_1 "), Some("qk_1"));
        for other in ["", "Bearer", "qk_1", "Basic qk_1", "Bearerqk_1"] {
            assert_eq!(bearer(other), None, "{other}");
        }
    }
}
