//! The webhook: verifies Meta's subscription request and the signatures of its notifications.

use crate::{
    domain::system::System,
    services::{
        credentials::{Credentials, CredentialsError},
        receive::{ReceiveError, Receiver},
    },
    telemetry::{self, Metric},
};

/// Why a webhook request fails.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The verify token is wrong, or the request isn't a subscription.
    #[error("Verification failed")]
    NotVerified,
    /// The signature is missing or wrong.
    #[error("X-Hub-Signature-256 is missing, or is not the signature of this body under the app secret")]
    Signature,
    /// The credentials couldn't be read.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The notification isn't JSON, or couldn't be stored.
    #[error(transparent)]
    Receive(#[from] ReceiveError),
}

/// Receives webhook requests.
#[derive(Clone, Debug)]
pub struct Webhook {
    receiver: Receiver,
    credentials: Credentials,
    system: System,
}

impl Webhook {
    /// Creates the use case.
    pub fn new(receiver: Receiver, credentials: Credentials, system: System) -> Self {
        Self { receiver, credentials, system }
    }

    /// Opens the connections that the first request needs. `phone_number_id` is the deployment's own number.
    pub async fn warm_up(&self, phone_number_id: &str) {
        tokio::join!(self.credentials.warm_up(), self.receiver.warm_up(phone_number_id));
    }

    /// Checks a subscription request's `hub.mode` and `hub.verify_token` (Meta, *Create a webhook endpoint*).
    pub async fn verify(&self, mode: Option<&str>, token: &str) -> Result<(), WebhookError> {
        if mode == Some("subscribe") && self.credentials.verifies(token).await? {
            return Ok(());
        }
        Err(WebhookError::NotVerified)
    }

    /// Stores a notification if `signature`, the value of `X-Hub-Signature-256`, is valid. Its messages get the
    /// `request_id`.
    pub async fn receive(&self, body: &[u8], signature: Option<&str>, request_id: &str) -> Result<(), WebhookError> {
        let webhook_app = match signature {
            Some(signature) => self.credentials.webhook_app(body, signature).await?,
            None => None,
        };
        let Some(webhook_app) = webhook_app else {
            telemetry::count(Metric::WebhookSignatureInvalid, 1, self.system.now());
            return Err(WebhookError::Signature);
        };
        Ok(self.receiver.receive(body, &webhook_app, request_id).await?)
    }
}
