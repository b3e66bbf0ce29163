//! Encryption of the numbers' credentials, which the table stores as ciphertext.
//!
//! Envelope encryption (AWS KMS Developer Guide, "Data keys"): each secret is encrypted with its own data key, and the
//! data key, encrypted under the deployment's KMS key, is stored beside it. The encryption context contains the number
//! and the kind of secret. So a ciphertext decrypts only in its place, and IAM policies can restrict who decrypts which
//! kind.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde::Deserialize;
use serde_json::json;

use crate::{
    aws::{CallError, ServiceClient},
    domain::{ciphertext::Ciphertext, time::Timestamp},
};

/// How long a decrypted secret is cached. Disabling the KMS key takes effect within this time.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// The purpose of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Authorizes a number's requests to the Cloud API.
    AccessToken,
    /// The keys of a number's webhook signatures.
    AppSecret,
}

impl Kind {
    /// Returns the name in the encryption context. The policies in `template.yaml` contain it too.
    fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::AppSecret => "app_secret",
        }
    }
}

/// A failure to encrypt or decrypt a secret.
#[derive(Debug, thiserror::Error)]
pub enum CipherError {
    /// KMS refused the request or didn't respond.
    #[error("AWS KMS didn't provide the data key of a number's credentials")]
    Key(#[source] CallError),
    /// The ciphertext is damaged, or belongs to another number or purpose.
    #[error("a number's credentials can't be decrypted")]
    Damaged,
}

/// A decrypted secret and the time of decryption.
type Decrypted = (Arc<str>, Timestamp);

/// Encrypts and decrypts secrets. Clones share a cache of decrypted ones.
#[derive(Clone)]
pub struct CredentialCipher {
    client: ServiceClient,
    key_id: String,
    cache: Arc<Mutex<HashMap<Ciphertext, Decrypted>>>,
}

impl fmt::Debug for CredentialCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CredentialCipher({})", self.key_id)
    }
}

impl CredentialCipher {
    /// Creates a cipher that uses the KMS key with this ARN.
    pub fn new(client: ServiceClient, key_id: String) -> Self {
        Self { client, key_id, cache: Arc::default() }
    }

    /// Encrypts a number's secret with a new data key.
    ///
    /// # Errors
    /// If KMS doesn't provide a data key.
    pub async fn encrypt(&self, kind: Kind, phone_number_id: &str, secret: &str) -> Result<Ciphertext, CipherError> {
        let input = json!({
            "KeyId": self.key_id,
            "KeySpec": "AES_256",
            "EncryptionContext": encryption_context(kind, phone_number_id),
        });
        let key: DataKey = self.client.call("TrentService.GenerateDataKey", &input).await.map_err(CipherError::Key)?;
        let text = encrypt(&decode(&key.plaintext)?, kind, phone_number_id, secret).ok_or(CipherError::Damaged)?;
        Ok(Ciphertext(format!("{}.{}", key.ciphertext_blob, BASE64_STANDARD.encode(text))))
    }

    /// Decrypts a secret that was encrypted for this number and purpose.
    ///
    /// # Errors
    /// If KMS doesn't decrypt the data key, or the ciphertext is damaged or belongs to another number or purpose.
    pub async fn decrypt(
        &self,
        kind: Kind,
        phone_number_id: &str,
        ciphertext: &Ciphertext,
        now: Timestamp,
    ) -> Result<Arc<str>, CipherError> {
        if let Ok(cache) = self.cache.lock()
            && let Some((secret, decrypted_at)) = cache.get(ciphertext)
            && now.since(*decrypted_at) < LIFETIME
        {
            return Ok(Arc::clone(secret));
        }
        let (encrypted_key, text) = ciphertext.0.split_once('.').ok_or(CipherError::Damaged)?;
        let text = decode(text)?;
        let input = json!({
            "KeyId": self.key_id,
            "CiphertextBlob": encrypted_key,
            "EncryptionContext": encryption_context(kind, phone_number_id),
        });
        let key: DecryptedKey = self.client.call("TrentService.Decrypt", &input).await.map_err(CipherError::Key)?;
        let key = decode(&key.plaintext)?;
        let secret: Arc<str> = decrypt(&key, kind, phone_number_id, text).ok_or(CipherError::Damaged)?.into();
        if let Ok(mut cache) = self.cache.lock() {
            cache.retain(|_, (_, decrypted_at)| now.since(*decrypted_at) < LIFETIME);
            cache.insert(ciphertext.clone(), (Arc::clone(&secret), now));
        }
        Ok(secret)
    }
}

/// The response of `GenerateDataKey` (AWS KMS API Reference). Both values are base64.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DataKey {
    plaintext: String,
    ciphertext_blob: String,
}

/// The response of `Decrypt` (AWS KMS API Reference). The value is base64.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DecryptedKey {
    plaintext: String,
}

fn encryption_context(kind: Kind, phone_number_id: &str) -> serde_json::Value {
    json!({"phone_number_id": phone_number_id, "credential": kind.as_str()})
}

fn decode(base64: &str) -> Result<Vec<u8>, CipherError> {
    BASE64_STANDARD.decode(base64).map_err(|_| CipherError::Damaged)
}

/// Returns the nonce, a constant, because each data key encrypts only one secret.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn key(bytes: &[u8]) -> Option<LessSafeKey> {
    Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).ok()?))
}

fn additional_data(kind: Kind, phone_number_id: &str) -> Aad<String> {
    Aad::from(format!("{phone_number_id}/{}", kind.as_str()))
}

fn encrypt(data_key: &[u8], kind: Kind, phone_number_id: &str, secret: &str) -> Option<Vec<u8>> {
    let mut text = secret.as_bytes().to_vec();
    key(data_key)?.seal_in_place_append_tag(nonce(), additional_data(kind, phone_number_id), &mut text).ok()?;
    Some(text)
}

fn decrypt(data_key: &[u8], kind: Kind, phone_number_id: &str, mut text: Vec<u8>) -> Option<String> {
    let secret = key(data_key)?.open_in_place(nonce(), additional_data(kind, phone_number_id), &mut text).ok()?;
    String::from_utf8(secret.to_vec()).ok()
}

#[cfg(test)]
mod tests;
