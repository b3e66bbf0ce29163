//! The secrets and signatures of outgoing webhooks (*Standard Webhooks* specification 1.0.0, "Signature scheme").
//!
//! Secrets are derived from the deployment's signing key and stored nowhere. A new version of a webhook's secret
//! replaces it.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::hmac::{Context, HMAC_SHA256, Key, Tag};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::id::WebhookId;

/// The length of the signing key and of the secrets, in bytes. The specification asks for 24 to 64.
const LENGTH: usize = 32;

/// Marks a symmetric secret in the specification.
const PREFIX: &str = "whsec_";

/// The key from which the secrets of all webhooks of a deployment are derived.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey([u8; LENGTH]);

/// The text isn't the base64 of a signing key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the base64 of {LENGTH} bytes")]
pub struct ParseKeyError;

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl SigningKey {
    /// Creates a key from three UUIDs, which have 122 random bits each.
    pub fn from_random(random: [Uuid; 3]) -> Self {
        Self(Sha256::digest(random.map(Uuid::into_bytes).concat()).into())
    }

    /// Reads the form that [`SigningKey::to_base64`] returns.
    ///
    /// # Errors
    /// If the text isn't the base64 of 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, ParseKeyError> {
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| ParseKeyError)?;
        Ok(Self(bytes.try_into().map_err(|_| ParseKeyError)?))
    }

    /// Returns the key as base64, for storage.
    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(self.0)
    }
}

/// The secret of a webhook, which its receiver also has.
#[derive(Clone)]
pub struct WebhookSecret(Vec<u8>);

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

impl WebhookSecret {
    /// Derives version `version` of the secret of a webhook: HMAC-SHA256 of `webhook`, the ID, and the version, separated
    /// by line feeds. This must never change: every receiver would have to get a new secret.
    pub fn derive(key: &SigningKey, id: WebhookId, version: u32) -> Self {
        Self(hmac(&key.0, &[format!("webhook\n{id}\n{version}").as_bytes()]).as_ref().to_vec())
    }

    /// Returns the secret as the receiver gets it: `whsec_` and base64.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", BASE64_STANDARD.encode(&self.0))
    }

    /// Returns a signature for the header `webhook-signature`: `v1,` and the base64 of the HMAC-SHA256 of
    /// `id.timestamp.body`. `id` and `timestamp`, in seconds, are the values of the headers `webhook-id` and
    /// `webhook-timestamp`.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let tag = hmac(&self.0, &[format!("{id}.{timestamp}.").as_bytes(), body]);
        format!("v1,{}", BASE64_STANDARD.encode(tag))
    }

    /// Returns the value of the header `X-Hub-Signature-256`, as Meta would send it (Meta, *Create a webhook endpoint*,
    /// validating payloads): `sha256=` and the hexadecimal HMAC-SHA256 of the body. The key is the whole text of
    /// [`WebhookSecret::reveal`], because users enter this text where their software expects an app secret.
    pub fn hub_signature(&self, body: &[u8]) -> String {
        format!("sha256={}", hex::encode(hmac(self.reveal().as_bytes(), &[body])))
    }
}

/// Returns the HMAC-SHA256 of the concatenated parts.
fn hmac(key: &[u8], parts: &[&[u8]]) -> Tag {
    let mut context = Context::with_key(&Key::new(HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    context.sign()
}

#[cfg(test)]
mod tests;
