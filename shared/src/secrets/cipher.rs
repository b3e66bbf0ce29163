//! Secrets that the table keeps, encrypted under keys that it never sees.
//!
//! Each secret has a data key of its own. AWS KMS makes it and gives it in two forms: as it is, to encrypt with and
//! forget, and under the deployment's key, to be kept beside what it encrypts (AWS KMS developer guide, "Data keys"). The
//! encryption context names the number and the kind of secret, so that nothing opens in another's place, and a policy can
//! tell who may open which kind.

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
    domain::ciphertext::Ciphertext,
    domain::time::Timestamp,
};

/// How long an opened secret is remembered: KMS is asked once in this time, and a key that is disabled there is of no more
/// use after it.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Authorises the sends of a number.
    AccessToken,
    /// Signs the webhooks of a number.
    AppSecret,
}

impl Kind {
    /// As the encryption context has it; the policies of `template.yaml` name it.
    fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::AppSecret => "app_secret",
        }
    }
}

/// A secret could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum CipherError {
    /// KMS refused or did not answer.
    #[error("the data key of a number's credentials could not be had")]
    Key(#[source] CallError),
    /// What is kept is not what was sealed for this number and purpose.
    #[error("a number's credentials cannot be decrypted")]
    Damaged,
}

/// A secret and when it was opened.
type Opened = (Arc<str>, Timestamp);

/// Seals secrets and opens them.
#[derive(Clone)]
pub struct CredentialCipher {
    client: ServiceClient,
    key_id: String,
    opened: Arc<Mutex<HashMap<Ciphertext, Opened>>>,
}

impl fmt::Debug for CredentialCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CredentialCipher({})", self.key_id)
    }
}

impl CredentialCipher {
    /// A vault whose data keys are under the KMS key of this ARN.
    pub fn new(client: ServiceClient, key_id: String) -> Self {
        Self { client, key_id, opened: Arc::default() }
    }

    /// Encrypts a secret of a number under a new data key.
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

    /// A secret that was sealed for this number and purpose.
    pub async fn decrypt(
        &self,
        kind: Kind,
        phone_number_id: &str,
        ciphertext: &Ciphertext,
        now: Timestamp,
    ) -> Result<Arc<str>, CipherError> {
        if let Ok(opened) = self.opened.lock()
            && let Some((secret, opened_at)) = opened.get(ciphertext)
            && now.since(*opened_at) < LIFETIME
        {
            return Ok(Arc::clone(secret));
        }
        let (kept, text) = ciphertext.0.split_once('.').ok_or(CipherError::Damaged)?;
        let text = decode(text)?;
        let input = json!({
            "KeyId": self.key_id,
            "CiphertextBlob": kept,
            "EncryptionContext": encryption_context(kind, phone_number_id),
        });
        let key: DecryptedKey = self.client.call("TrentService.Decrypt", &input).await.map_err(CipherError::Key)?;
        let key = decode(&key.plaintext)?;
        let secret: Arc<str> = decrypt(&key, kind, phone_number_id, text).ok_or(CipherError::Damaged)?.into();
        if let Ok(mut opened) = self.opened.lock() {
            opened.retain(|_, (_, opened_at)| now.since(*opened_at) < LIFETIME);
            opened.insert(ciphertext.clone(), (Arc::clone(&secret), now));
        }
        Ok(secret)
    }
}

/// AWS KMS API Reference, "GenerateDataKey", "Response Syntax"; both values are base64.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DataKey {
    plaintext: String,
    ciphertext_blob: String,
}

/// AWS KMS API Reference, "Decrypt", "Response Syntax"; the value is base64.
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

/// A data key encrypts one secret once, and so does with a nonce that never changes.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn key(bytes: &[u8]) -> Option<LessSafeKey> {
    Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).ok()?))
}

fn context(kind: Kind, phone_number_id: &str) -> Aad<String> {
    Aad::from(format!("{phone_number_id}/{}", kind.as_str()))
}

fn encrypt(data_key: &[u8], kind: Kind, phone_number_id: &str, secret: &str) -> Option<Vec<u8>> {
    let mut text = secret.as_bytes().to_vec();
    key(data_key)?.seal_in_place_append_tag(nonce(), context(kind, phone_number_id), &mut text).ok()?;
    Some(text)
}

fn decrypt(data_key: &[u8], kind: Kind, phone_number_id: &str, mut text: Vec<u8>) -> Option<String> {
    let secret = key(data_key)?.open_in_place(nonce(), context(kind, phone_number_id), &mut text).ok()?;
    String::from_utf8(secret.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    proptest! {
        #[test]
        fn what_is_encrypted_decrypts(secret in any::<String>()) {
            let text = encrypt(&KEY, Kind::AccessToken, "1", &secret).unwrap();
            prop_assert_eq!(decrypt(&KEY, Kind::AccessToken, "1", text), Some(secret));
        }

        #[test]
        fn nothing_that_was_touched_decrypts(at in 0_usize..22, bit in 0_u32..8) {
            let mut text = encrypt(&KEY, Kind::AccessToken, "1", "secret").unwrap();
            text[at] ^= 1 << bit;
            prop_assert_eq!(decrypt(&KEY, Kind::AccessToken, "1", text), None);
        }
    }

    #[test]
    fn nothing_opens_in_anothers_place() {
        let text = || encrypt(&KEY, Kind::AccessToken, "1", "secret").unwrap();
        assert_eq!(decrypt(&KEY, Kind::AppSecret, "1", text()), None);
        assert_eq!(decrypt(&KEY, Kind::AccessToken, "2", text()), None);
        assert_eq!(decrypt(&[8; 32], Kind::AccessToken, "1", text()), None);
        assert_eq!(decrypt(&[7; 31], Kind::AccessToken, "1", text()), None);
        assert_eq!(decrypt(&KEY, Kind::AccessToken, "1", Vec::new()), None);
    }
}
