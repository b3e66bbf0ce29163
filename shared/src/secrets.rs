//! The deployment's secrets, kept in AWS Secrets Manager: those of the Meta app, the operator's key, and what CloudFront
//! shows.

pub mod cipher;
pub mod refreshing_cache;
use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::json;
use subtle::ConstantTimeEq;

use crate::{
    aws::{CallError, ServiceClient},
    domain::api_key::KeyHash,
    domain::time::Timestamp,
    secrets::refreshing_cache::{MIN_REFRESH_INTERVAL, Refresh, RefreshingCache},
};

/// The secret's JSON: `{"appSecret", "verifyToken", "accessToken"}`. The first two may each be a list, so that the old
/// value and the new one both hold while one replaces the other.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhatsAppSecrets {
    /// Sign webhooks.
    #[serde(default)]
    pub app_secret: Values,
    /// Prove Meta's request to subscribe.
    #[serde(default)]
    pub verify_token: Values,
    /// Authorises sends.
    #[serde(default)]
    pub access_token: String,
}

impl std::fmt::Debug for WhatsAppSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WhatsAppSecrets(…)")
    }
}

/// The secret's JSON: `{"operatorKey"}`, one or a list. With `qk_` before it, it is the key that makes the first API key.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorSecret {
    /// Made by the deployment.
    #[serde(default)]
    pub operator_key: Values,
}

impl std::fmt::Debug for OperatorSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OperatorSecret(…)")
    }
}

/// The shortest secret of CloudFront's that is accepted. The deployment makes one of 43 characters; this keeps out a word
/// that somebody put in its place, and the empty one.
const MIN_ORIGIN_SECRET: usize = 32;

/// The secret's JSON: `{"first", "second"}`. CloudFront sends the one that the template's `OriginKey` names; the other one
/// is empty, or holds beside it while one replaces the other.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
pub struct OriginSecret {
    #[serde(default)]
    first: String,
    #[serde(default)]
    second: String,
}

impl OriginSecret {
    /// Whether `text` is one of the two. Compares hashes, so that neither the comparison's duration nor a difference in
    /// length tells anything.
    pub fn has(&self, text: &str) -> bool {
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

/// One secret value, or several that hold at the same time. An empty one is none, and never matches anything.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Values(Vec<String>);

impl Values {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether `text` is one of them. Compares in constant time.
    pub fn contain(&self, text: &str) -> bool {
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

/// The secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// Secrets Manager refused or did not answer.
    #[error("the secret could not be fetched")]
    Fetch(#[source] CallError),
    /// The value is no text, or not the JSON described at its type. The cause is left out: it could quote
    /// the secret.
    #[error("the secret is not the JSON that it should be")]
    Format,
}

/// Secrets Manager API Reference, "GetSecretValue", "Response Syntax".
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetSecretValueOutput {
    secret_string: Option<String>,
}

/// A reader that keeps the value while it is fresh.
#[derive(Debug)]
pub struct Secrets<T = WhatsAppSecrets> {
    client: ServiceClient,
    secret_id: String,
    current: RefreshingCache<T>,
}

impl<T> Clone for Secrets<T> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), secret_id: self.secret_id.clone(), current: self.current.clone() }
    }
}

impl<T: DeserializeOwned + PartialEq> Secrets<T> {
    /// A reader of the secret with this name or ARN.
    pub fn new(client: ServiceClient, secret_id: String) -> Self {
        Self { client, secret_id, current: RefreshingCache::new("secret") }
    }

    /// The current value. When Secrets Manager does not answer, an older value goes on being used.
    pub async fn get(&self, now: Timestamp) -> Result<Arc<T>, SecretsError> {
        self.current.get(now, self.fetch()).await
    }

    /// A newer value than `used`, which did not work, if there is one. Asked for only now and then, whoever makes it fail.
    pub async fn refresh_if(&self, used: &Arc<T>, now: Timestamp) -> Option<Arc<T>> {
        match self.refresh_if_older(used, MIN_REFRESH_INTERVAL, now).await {
            Refresh::Value(newer) => Some(newer),
            Refresh::Same | Refresh::NotYet => None,
        }
    }

    /// What there is in place of `used`, which did not work; asked for unless that was done less than `age` ago.
    pub(crate) async fn refresh_if_older(&self, used: &Arc<T>, age: Duration, now: Timestamp) -> Refresh<T> {
        self.current.refresh_if(used, age, now, self.fetch()).await
    }

    async fn fetch(&self) -> Result<T, SecretsError> {
        let input = json!({"SecretId": self.secret_id});
        let output: GetSecretValueOutput =
            self.client.call("secretsmanager.GetSecretValue", &input).await.map_err(SecretsError::Fetch)?;
        output.secret_string.and_then(|text| serde_json::from_str(&text).ok()).ok_or(SecretsError::Format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<WhatsAppSecrets> {
        serde_json::from_str(json).ok()
    }

    #[test]
    fn a_secret_is_one_value_or_several() {
        let secrets = read(r#"{"appSecret": "a", "verifyToken": ["b", "c"], "accessToken": "d", "other": 1}"#).unwrap();
        assert_eq!(secrets.app_secret.iter().collect::<Vec<_>>(), ["a"]);
        assert!(secrets.verify_token.contain("b") && secrets.verify_token.contain("c"));
        assert!(!secrets.verify_token.contain("a") && !secrets.verify_token.contain("bc"));
        assert_eq!(secrets.access_token, "d");
    }

    #[test]
    fn an_empty_value_matches_nothing() {
        for json in ["{}", r#"{"verifyToken": ""}"#, r#"{"verifyToken": ["", ""]}"#, r#"{"verifyToken": []}"#] {
            let secrets = read(json).unwrap();
            assert_eq!(secrets.verify_token.iter().count(), 0, "{json}");
            assert!(!secrets.verify_token.contain(""), "{json}");
        }
        assert!(read(r#"{"appSecret": 1}"#).is_none() && read(r#"{"appSecret": [1]}"#).is_none());
    }

    #[test]
    fn cloudfront_shows_one_of_two_long_values() {
        let read = |json: serde_json::Value| serde_json::from_value::<OriginSecret>(json).unwrap();
        let (old, new) = ("a".repeat(43), "b".repeat(43));
        let both = read(serde_json::json!({"first": old, "second": new}));
        assert!(both.has(&old) && both.has(&new));
        for other in ["", &old[1..], &format!("{old}a"), &format!("{old},{new}"), &old.to_uppercase()] {
            assert!(!both.has(other), "{other}");
        }
        let ended = read(serde_json::json!({"first": "", "second": new}));
        assert!(ended.has(&new) && !ended.has(&old) && !ended.has(""));
        for weak in ["", "secret", &"a".repeat(31)] {
            assert!(!read(serde_json::json!({"first": weak})).has(weak), "{weak}");
        }
        assert!(!format!("{both:?}").contains(&old));
    }

    #[test]
    fn no_secret_is_shown() {
        let shown = format!("{:?}", read(r#"{"appSecret": "hunter2", "accessToken": "hunter2"}"#).unwrap());
        assert!(!shown.contains("hunter2"));
    }
}
