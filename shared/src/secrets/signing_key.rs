//! The signing key of outgoing webhooks, a `SecureString` in Parameter Store, a tool of AWS Systems Manager.
//!
//! CloudFormation can't create a `SecureString`. The first process that needs the key creates it.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::json;
use tokio::sync::OnceCell;

use crate::{
    aws::{CallError, ServiceClient, error_code},
    domain::{
        id::WebhookId,
        system::System,
        webhook_signature::{ParseKeyError, SigningKey, WebhookSecret},
    },
    telemetry,
};

/// The time between two attempts while another process creates the parameter.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// The maximum number of attempts to read or create the parameter.
const MAX_ATTEMPTS: usize = 5;

/// A failure to read or create the signing key.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// Parameter Store refused to return the parameter, or didn't respond.
    #[error("the signing key of webhooks can't be read")]
    Read(#[source] CallError),
    /// Parameter Store refused to create the parameter, or didn't respond.
    #[error("the signing key of webhooks can't be created")]
    Create(#[source] CallError),
    /// The parameter's value isn't a key.
    #[error("the parameter with the signing key of webhooks has an unexpected value")]
    Format(#[source] ParseKeyError),
    /// Another process has created the parameter, but it can't be read yet.
    #[error("the signing key of webhooks isn't readable yet")]
    NotYet,
}

/// The response of `GetParameter` (AWS Systems Manager API Reference).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetParameterOutput {
    parameter: Parameter,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    value: String,
}

/// Reads the signing key, or creates it, and keeps it for the process's life. Clones share it.
#[derive(Clone, Debug)]
pub struct SigningKeyReader {
    client: ServiceClient,
    parameter: String,
    system: System,
    key: Arc<OnceCell<SigningKey>>,
}

impl SigningKeyReader {
    /// Creates a reader for the parameter with this name.
    pub fn new(client: ServiceClient, parameter: String, system: System) -> Self {
        Self { client, parameter, system, key: Arc::default() }
    }

    /// Reads the key before the first event. Logs a failure, which [`SigningKeyReader::get`] makes up for.
    pub async fn warm_up(&self) {
        if let Err(error) = self.get().await {
            tracing::warn!(error = telemetry::chain(&error), "signing key warm-up failed");
        }
    }

    /// Returns the key.
    ///
    /// # Errors
    /// If the parameter can't be read or created, or its value isn't a key. The next call tries again.
    pub async fn get(&self) -> Result<&SigningKey, SigningKeyError> {
        self.key.get_or_try_init(|| self.read_or_create()).await
    }

    /// Returns version `version` of the secret of a webhook.
    ///
    /// # Errors
    /// Those of [`SigningKeyReader::get`].
    pub async fn webhook_secret(&self, id: WebhookId, version: u32) -> Result<WebhookSecret, SigningKeyError> {
        Ok(WebhookSecret::derive(self.get().await?, id, version))
    }

    async fn read_or_create(&self) -> Result<SigningKey, SigningKeyError> {
        for attempt in 0..MAX_ATTEMPTS {
            if attempt > 1 {
                // AWS doesn't promise that a new parameter can be read at once.
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
            if let Some(key) = self.read().await? {
                return Ok(key);
            }
            if let Some(key) = self.create().await? {
                return Ok(key);
            }
        }
        Err(SigningKeyError::NotYet)
    }

    /// Returns the stored key, or `None` if the parameter doesn't exist.
    async fn read(&self) -> Result<Option<SigningKey>, SigningKeyError> {
        let input = json!({"Name": self.parameter, "WithDecryption": true});
        match self.client.call::<GetParameterOutput>("AmazonSSM.GetParameter", &input).await {
            Ok(output) => SigningKey::from_base64(&output.parameter.value).map(Some).map_err(SigningKeyError::Format),
            Err(error) if error_code(&error) == Some("ParameterNotFound") => Ok(None),
            Err(error) => Err(SigningKeyError::Read(error)),
        }
    }

    /// Creates the parameter with a random key. Returns `None` if another process has created it, or is creating it.
    async fn create(&self) -> Result<Option<SigningKey>, SigningKeyError> {
        let key = SigningKey::from_random([(); 3].map(|()| self.system.random_uuid()));
        // Without `KeyId`, the AWS managed key `aws/ssm` encrypts the value. Without `Tier`, the account's default applies,
        // which can be one with a charge.
        let input = json!({
            "Name": self.parameter,
            "Description": "Signs outgoing webhooks. If it changes, the secrets of all webhooks change.",
            "Type": "SecureString",
            "Tier": "Standard",
            "Value": key.to_base64(),
            "Overwrite": false,
        });
        match self.client.call::<IgnoredAny>("AmazonSSM.PutParameter", &input).await {
            Ok(_) => Ok(Some(key)),
            Err(error) if matches!(error_code(&error), Some("ParameterAlreadyExists" | "TooManyUpdates")) => Ok(None),
            Err(error) => Err(SigningKeyError::Create(error)),
        }
    }
}

#[cfg(test)]
mod tests;
