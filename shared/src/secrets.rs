//! The deployment's secrets. AWS Secrets Manager has the Meta app's credentials and the origin secret that CloudFront
//! sends; Parameter Store has the [signing key](signing_key) of outgoing webhooks.

pub mod cipher;
pub mod refreshing_cache;
pub mod signing_key;

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::json;
use subtle::ConstantTimeEq;

use crate::{
    aws::{CallError, ServiceClient},
    domain::{api_key::KeyHash, time::Timestamp},
    secrets::refreshing_cache::{MIN_REFRESH_INTERVAL, Refresh, RefreshingCache},
};

/// The Meta app's credentials. JSON: `{"appSecret", "verifyToken", "accessToken"}`. The first two can each be a list,
/// so that both values are valid during a rotation.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhatsAppSecrets {
    /// The keys of webhook signatures.
    #[serde(default)]
    pub app_secret: Values,
    /// The tokens that Meta sends when it subscribes the webhook.
    #[serde(default)]
    pub verify_token: Values,
    /// Authorizes requests to the Cloud API, unless the number has its own token.
    #[serde(default)]
    pub access_token: String,
}

impl std::fmt::Debug for WhatsAppSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WhatsAppSecrets(…)")
    }
}

/// The minimum length of an origin secret. The deployment generates 43 characters; this rejects an empty or guessable
/// value that replaced it.
const MIN_ORIGIN_SECRET: usize = 32;

/// The secret that CloudFront adds to each request. JSON: `{"first", "second"}`. CloudFront sends the value that the
/// template's parameter `OriginKey` names. The other one is empty, except during a rotation, when both are valid.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
pub struct OriginSecret {
    #[serde(default)]
    first: String,
    #[serde(default)]
    second: String,
}

impl OriginSecret {
    /// Returns whether `text` is one of the two values. Compares hashes, so that the duration reveals neither content
    /// nor length.
    pub fn contains(&self, text: &str) -> bool {
        let text = KeyHash::of(text);
        let mut values = [&self.first, &self.second].into_iter().filter(|value| value.len() >= MIN_ORIGIN_SECRET);
        values.any(|value| text.matches(&KeyHash::of(value)))
    }
}

impl std::fmt::Debug for OriginSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OriginSecret(…)")
    }
}

/// One secret value, or several that are valid at the same time. Empty values are dropped, so they never match.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Values(Vec<String>);

impl Values {
    /// Iterates over the values.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Returns whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether `text` is one of the values. Compares in constant time.
    pub fn contains(&self, text: &str) -> bool {
        self.iter().any(|value| value.as_bytes().ct_eq(text.as_bytes()).into())
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Values(…)")
    }
}

impl FromIterator<String> for Values {
    fn from_iter<I: IntoIterator<Item = String>>(values: I) -> Self {
        Self(values.into_iter().filter(|value| !value.is_empty()).collect())
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum OneOrMore {
            One(String),
            More(Vec<String>),
        }
        Ok(match OneOrMore::deserialize(deserializer)? {
            OneOrMore::One(value) => Self::from_iter([value]),
            OneOrMore::More(values) => Self::from_iter(values),
        })
    }
}

/// A failure to read a secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// Secrets Manager refused the request or didn't respond.
    #[error("the secret can't be fetched")]
    Fetch(#[source] CallError),
    /// The value isn't text, or not the JSON that its type expects. The cause is left out, because it could quote the
    /// secret.
    #[error("the secret has an unexpected format")]
    Format,
}

/// The response of `GetSecretValue` (Secrets Manager API Reference).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetSecretValueOutput {
    secret_string: Option<String>,
}

/// Reads a secret and caches its value. Clones share the cache.
#[derive(Debug)]
pub struct Secrets<T = WhatsAppSecrets> {
    client: ServiceClient,
    secret_id: String,
    cache: RefreshingCache<T>,
}

impl<T> Clone for Secrets<T> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), secret_id: self.secret_id.clone(), cache: self.cache.clone() }
    }
}

impl<T: DeserializeOwned + PartialEq> Secrets<T> {
    /// Creates a reader for the secret with this name or ARN.
    pub fn new(client: ServiceClient, secret_id: String) -> Self {
        Self { client, secret_id, cache: RefreshingCache::new("secret") }
    }

    /// Returns the value. If Secrets Manager doesn't respond, returns the last known value.
    ///
    /// # Errors
    /// If the value can't be fetched and none is cached.
    pub async fn get(&self, now: Timestamp) -> Result<Arc<T>, SecretsError> {
        self.cache.get(now, self.fetch()).await
    }

    /// Returns a value other than `used`, which didn't work, if there is one. Fetches it at most once per
    /// [`MIN_REFRESH_INTERVAL`], because callers can cause failures at will.
    pub async fn refresh_if(&self, used: &Arc<T>, now: Timestamp) -> Option<Arc<T>> {
        match self.refresh_if_older(used, MIN_REFRESH_INTERVAL, now).await {
            Refresh::Value(newer) => Some(newer),
            Refresh::Same | Refresh::NotYet => None,
        }
    }

    /// Returns the replacement for `used`, which didn't work. Fetches it if the last fetch is at least `min_age` ago.
    pub(crate) async fn refresh_if_older(&self, used: &Arc<T>, min_age: Duration, now: Timestamp) -> Refresh<T> {
        self.cache.refresh_if(used, min_age, now, self.fetch()).await
    }

    async fn fetch(&self) -> Result<T, SecretsError> {
        let input = json!({"SecretId": self.secret_id});
        let output: GetSecretValueOutput =
            self.client.call("secretsmanager.GetSecretValue", &input).await.map_err(SecretsError::Fetch)?;
        output.secret_string.and_then(|text| serde_json::from_str(&text).ok()).ok_or(SecretsError::Format)
    }
}

#[cfg(test)]
mod tests;
