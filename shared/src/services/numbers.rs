//! Registered numbers: the numbers of a deployment beside its own, and their credentials.

use crate::{
    domain::{
        ciphertext::Ciphertext,
        number::{NUMBER_LIMIT, NumberRequest, RegisteredNumber},
    },
    secrets::cipher::{CipherError, CredentialCipher, Kind},
    store::{EncryptedCredentials, NumberChange, Store, StoreError},
};

/// Why a request for a number fails.
#[derive(Debug, thiserror::Error)]
pub enum NumberError {
    /// There is no such number.
    #[error("Number not found")]
    NotFound,
    /// The deployment has the maximum number of numbers.
    #[error("A deployment has up to {NUMBER_LIMIT} numbers: delete one that is not used any more")]
    TooMany,
    /// A session of another owner is linked to the number.
    #[error("The number is linked to a session of another owner: delete that session first")]
    LinkedToOtherOwner,
    /// A session is linked to the number.
    #[error("The number is linked to a session: delete that session first")]
    Linked,
    /// The deployment has no key to encrypt credentials with.
    #[error("This deployment has no key to encrypt credentials with: deploy it with NumbersKey=Yes")]
    NoKey,
    /// KMS didn't respond.
    #[error(transparent)]
    Cipher(#[from] CipherError),
    /// The table didn't respond.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns every registered number.
pub async fn list(store: &Store) -> Result<Vec<RegisteredNumber>, StoreError> {
    store.numbers().list().await
}

/// Returns a registered number.
pub async fn find(store: &Store, phone_number_id: &str) -> Result<RegisteredNumber, NumberError> {
    store.numbers().get(phone_number_id).await?.ok_or(NumberError::NotFound)
}

/// Registers a number, or changes it. Encrypts its credentials.
pub async fn put(
    store: &Store,
    cipher: Option<&CredentialCipher>,
    request: &NumberRequest,
) -> Result<RegisteredNumber, NumberError> {
    let id = request.phone_number_id.as_str();
    let known = store.numbers().list().await?;
    // Concurrent requests can exceed the limit by a few, which only makes verifying a webhook's signature slower.
    if known.len() >= NUMBER_LIMIT && known.iter().all(|number| number.phone_number_id != id) {
        return Err(NumberError::TooMany);
    }
    let app_secrets = request.app_secrets.as_ref().map(|secrets| serde_json::json!(secrets).to_string());
    let credentials = EncryptedCredentials {
        access_token: encrypt(cipher, Kind::AccessToken, id, request.access_token.as_deref()).await?,
        app_secret: encrypt(cipher, Kind::AppSecret, id, app_secrets.as_deref()).await?,
    };
    if store.numbers().put(request, &credentials).await? == NumberChange::Linked {
        return Err(NumberError::LinkedToOtherOwner);
    }
    let (access_token, app_secret) = (credentials.access_token.is_some(), credentials.app_secret.is_some());
    tracing::info!(phone_number_id = id, access_token, app_secret, "number registered");
    find(store, id).await
}

async fn encrypt(
    cipher: Option<&CredentialCipher>,
    kind: Kind,
    phone_number_id: &str,
    secret: Option<&str>,
) -> Result<Option<Ciphertext>, NumberError> {
    let Some(secret) = secret else { return Ok(None) };
    let cipher = cipher.ok_or(NumberError::NoKey)?;
    Ok(Some(cipher.encrypt(kind, phone_number_id, secret).await?))
}

/// Deletes a number that isn't linked to a session.
pub async fn delete(store: &Store, phone_number_id: &str) -> Result<(), NumberError> {
    match store.numbers().delete(phone_number_id).await? {
        NumberChange::Done => {
            tracing::info!(phone_number_id, "number deleted");
            Ok(())
        }
        NumberChange::Missing => Err(NumberError::NotFound),
        NumberChange::Linked => Err(NumberError::Linked),
    }
}
