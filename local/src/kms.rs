//! A fake AWS KMS with the template's symmetric keys and the two operations of envelope encryption. Data keys are
//! really encrypted, under a key that belongs to the run or to its data folder.

use std::path::{Path, PathBuf};

use axum::http::StatusCode;
use base64::{Engine, prelude::BASE64_STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::file;

/// An error that prevents the fake KMS from starting.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key file in the data folder cannot be read or written.
    #[error("cannot use the key in {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// No random numbers are available, or the file does not contain a key of 32 bytes.
    #[error("no key of 32 bytes is available")]
    NoKey,
}

/// The KMS keys of a run.
pub struct Kms {
    /// The ARNs of the keys.
    key_arns: Vec<String>,
    /// The key material behind all ARNs.
    key: LessSafeKey,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    key_id: Option<String>,
    key_spec: Option<String>,
    ciphertext_blob: Option<String>,
    #[serde(default)]
    encryption_context: Map<String, Value>,
}

type KmsResponse = (StatusCode, Value);

impl Kms {
    /// Creates the keys with these ARNs. Loads the key material from `folder`, an existing directory, or creates it
    /// there. Without a folder, the key material lasts for the run.
    ///
    /// # Errors
    /// Returns a [`KeyError`] if the key file is damaged or cannot be read or written.
    pub fn new(key_arns: Vec<String>, folder: Option<&Path>) -> Result<Kms, KeyError> {
        let bytes = match folder {
            Some(folder) => load_or_create(folder)?,
            None => random::<32>()?.to_vec(),
        };
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| KeyError::NoKey)?;
        Ok(Kms { key_arns, key: LessSafeKey::new(key) })
    }

    /// Handles an operation of `TrentService`, the service name of KMS in the `X-Amz-Target` header.
    pub(crate) fn handle(&self, operation: &str, body: &[u8]) -> KmsResponse {
        let Ok(request) = serde_json::from_slice::<Request>(body) else {
            return error("SerializationException", "The request body is invalid for this operation.");
        };
        match operation {
            "GenerateDataKey" => self.generate_data_key(&request),
            "Decrypt" => self.decrypt(request),
            _ => error("UnknownOperationException", "The local run does not support this operation."),
        }
    }

    /// Implements `GenerateDataKey` for `AES_256` (KMS API Reference).
    fn generate_data_key(&self, request: &Request) -> KmsResponse {
        let Some(id) = request.key_id.as_ref().filter(|id| self.key_arns.contains(id)) else {
            return error("NotFoundException", "The key does not exist.");
        };
        if request.key_spec.as_deref() != Some("AES_256") {
            return error("ValidationException", "The local run supports only AES_256.");
        }
        let (Ok(plain), Ok(nonce)) = (random::<32>(), random::<NONCE_LEN>()) else {
            return error("KMSInternalException", "No random numbers are available.");
        };
        let mut text = plain.to_vec();
        let encrypted = self.key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            context(id, &request.encryption_context),
            &mut text,
        );
        if encrypted.is_err() {
            return error("KMSInternalException", "Cannot encrypt the data key.");
        }
        let blob = [id.as_bytes(), b"\n", &nonce[..], &text].concat();
        let response = json!({
            "KeyId": id,
            "Plaintext": BASE64_STANDARD.encode(plain),
            "CiphertextBlob": BASE64_STANDARD.encode(blob),
        });
        (StatusCode::OK, response)
    }

    /// Implements `Decrypt` (KMS API Reference).
    fn decrypt(&self, request: Request) -> KmsResponse {
        let invalid = || error("InvalidCiphertextException", "");
        let blob = request.ciphertext_blob.and_then(|blob| BASE64_STANDARD.decode(blob).ok()).unwrap_or_default();
        let Some(at) = blob.iter().position(|byte| *byte == b'\n') else { return invalid() };
        let (id, rest) = (String::from_utf8_lossy(&blob[..at]).into_owned(), &blob[at + 1..]);
        if request.key_id.is_some_and(|wanted| wanted != id) {
            return error("IncorrectKeyException", "The key does not match the key that encrypted the data.");
        }
        let Some((nonce, text)) = rest.split_first_chunk::<NONCE_LEN>() else { return invalid() };
        let (nonce, mut text) = (Nonce::assume_unique_for_key(*nonce), text.to_vec());
        match self.key.open_in_place(nonce, context(&id, &request.encryption_context), &mut text) {
            Ok(plain) => (StatusCode::OK, json!({"KeyId": id, "Plaintext": BASE64_STANDARD.encode(plain)})),
            Err(_) => invalid(),
        }
    }
}

/// Returns the authenticated data: the key's ARN and the encryption context in canonical order.
fn context(id: &str, pairs: &Map<String, Value>) -> Aad<String> {
    let sorted: std::collections::BTreeMap<_, _> = pairs.iter().collect();
    Aad::from(json!([id, sorted]).to_string())
}

fn error(kind: &str, message: &str) -> KmsResponse {
    (StatusCode::BAD_REQUEST, json!({"__type": kind, "message": message}))
}

fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map(|()| bytes).map_err(|_| KeyError::NoKey)
}

/// Loads the key material, or creates it on the first run.
fn load_or_create(folder: &Path) -> Result<Vec<u8>, KeyError> {
    let path = folder.join("kms.key");
    let file_error = |source| KeyError::File { path: path.clone(), source };
    if let Some(key) = file::read(&path).map_err(file_error)? {
        return Ok(key);
    }
    let key = random::<32>()?.to_vec();
    file::replace(&path, &key).map_err(file_error)?;
    Ok(key)
}

#[cfg(test)]
mod tests;
