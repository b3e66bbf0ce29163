//! API keys: creating, listing, and deleting them.

use std::collections::BTreeSet;

use crate::{
    domain::{
        api_key::{ApiKey, SecretKey},
        cursor::Position,
        id::KeyId,
        scope::Scope,
        system::System,
        time::Timestamp,
    },
    store::{KeyPage, Store, StoreError},
};

/// Why a request for an API key fails.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyError {
    /// There is no such key.
    #[error("Key not found")]
    NotFound,
    /// The table didn't respond.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A key to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApiKey {
    /// The key's name.
    pub name: String,
    /// The owner that it acts for. Required unless the key has the scope `admin`.
    pub owner_id: Option<String>,
    /// Its permissions.
    pub scopes: BTreeSet<Scope>,
    /// When it expires; `None` for never.
    pub valid_until: Option<Timestamp>,
}

/// Creates a key for the holder of the key `created_by`. Returns the secret, which isn't stored.
pub async fn create(
    store: &Store,
    system: System,
    new: NewApiKey,
    created_by: &str,
) -> Result<(ApiKey, SecretKey), StoreError> {
    let secret = SecretKey::from_random(std::array::from_fn(|_| system.random_uuid()));
    let hash = secret.hash();
    let key = ApiKey {
        id: hash.key_id(),
        hash,
        name: new.name,
        owner_id: new.owner_id,
        scopes: new.scopes,
        created_at: system.now(),
        valid_until: new.valid_until,
        last_used_at: None,
    };
    store.api_keys().create(&key).await?;
    tracing::info!(key_id = %key.id, by = created_by, "API key created");
    Ok((key, secret))
}

/// Returns a page of keys, newest first.
pub async fn list(store: &Store, limit: i32, after: Option<Position>) -> Result<KeyPage, StoreError> {
    store.api_keys().list(limit, after).await
}

/// Deletes a key for the holder of the key `deleted_by`.
pub async fn delete(store: &Store, id: KeyId, deleted_by: &str) -> Result<(), ApiKeyError> {
    if !store.api_keys().delete(id).await? {
        return Err(ApiKeyError::NotFound);
    }
    tracing::info!(key_id = %id, by = deleted_by, "API key deleted");
    Ok(())
}
