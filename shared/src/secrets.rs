//! The secrets of the Meta app, kept in AWS Secrets Manager.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use tokio::sync::RwLock;

use crate::time::Timestamp;

/// How long a value is used before it is asked for again, so that a changed secret is taken up without a deployment.
const LIFETIME: Duration = Duration::from_secs(4 * 60);

/// The secret's JSON: `{"appSecret", "verifyToken", "accessToken"}`. An empty value never matches anything.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhatsAppSecrets {
    /// Signs webhooks.
    #[serde(default)]
    pub app_secret: String,
    /// Proves Meta's request to subscribe.
    #[serde(default)]
    pub verify_token: String,
    /// Authorises sends.
    #[serde(default)]
    pub access_token: String,
}

impl std::fmt::Debug for WhatsAppSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WhatsAppSecrets(…)")
    }
}

/// The secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// Secrets Manager refused or did not answer.
    #[error("the secret could not be fetched")]
    Fetch(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The value is no text, or not the JSON described at [`WhatsAppSecrets`]. The cause is left out: it could quote
    /// the secret.
    #[error("the secret is not the JSON that it should be")]
    Format,
}

/// A value and when it was fetched.
type Fetched = (Timestamp, Arc<WhatsAppSecrets>);

/// A reader that keeps the value while it is fresh.
#[derive(Clone, Debug)]
pub struct Secrets {
    client: aws_sdk_secretsmanager::Client,
    secret_id: String,
    current: Arc<RwLock<Option<Fetched>>>,
}

impl Secrets {
    /// A reader of the secret with this name or ARN.
    pub fn new(client: aws_sdk_secretsmanager::Client, secret_id: String) -> Self {
        Self { client, secret_id, current: Arc::default() }
    }

    /// The current value. When Secrets Manager does not answer, an older value goes on being used.
    pub async fn get(&self, now: Timestamp) -> Result<Arc<WhatsAppSecrets>, SecretsError> {
        let known = self.current.read().await.clone();
        if let Some((fetched_at, secrets)) = &known
            && now.since(*fetched_at) < LIFETIME
        {
            return Ok(Arc::clone(secrets));
        }
        match (self.fetch().await, known) {
            (Ok(secrets), _) => {
                let secrets = Arc::new(secrets);
                *self.current.write().await = Some((now, Arc::clone(&secrets)));
                Ok(secrets)
            }
            (Err(error), Some((_, secrets))) => {
                tracing::warn!(error = crate::telemetry::chain(&error), "keeping the last known secret");
                Ok(secrets)
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn fetch(&self) -> Result<WhatsAppSecrets, SecretsError> {
        let value = self
            .client
            .get_secret_value()
            .secret_id(&self.secret_id)
            .send()
            .await
            .map_err(|error| SecretsError::Fetch(error.into()))?;
        value.secret_string().and_then(|text| serde_json::from_str(text).ok()).ok_or(SecretsError::Format)
    }
}
