//! Sends changes to the receivers of webhooks: writes the body, signs it, and posts it once.

use crate::{
    domain::{
        system::System,
        webhook_delivery::WebhookAttempt,
        webhook_endpoint::{Format, WebhookEndpoint},
    },
    secrets::signing_key::{SigningKeyError, SigningKeyReader},
    services::{changes::ResolvedChange, webhook_client::WebhookClient, webhook_payload::WebhookPayloads},
    store::StoreError,
};

/// Sends signed webhooks. Clones share the connections and the signing key.
#[derive(Clone, Debug)]
pub struct WebhookSender {
    client: WebhookClient,
    signing_key: SigningKeyReader,
    payloads: WebhookPayloads,
    system: System,
}

/// A webhook could not be sent because a dependency other than its receiver failed.
#[derive(Debug, thiserror::Error)]
pub enum SendWebhookError {
    /// A DynamoDB request failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The signing key can't be read.
    #[error(transparent)]
    SigningKey(#[from] SigningKeyError),
}

impl WebhookSender {
    /// Creates a sender.
    pub fn new(
        client: WebhookClient,
        signing_key: SigningKeyReader,
        payloads: WebhookPayloads,
        system: System,
    ) -> Self {
        Self { client, signing_key, payloads, system }
    }

    /// Reads the signing key before the first change arrives.
    pub async fn warm_up(&self) {
        self.signing_key.warm_up().await;
    }

    /// Sends a change once, with the ID of the change and signatures of every valid version of the secret (Standard
    /// Webhooks, *Webhook headers*). Returns `None` if the change has no form in the webhook's format.
    ///
    /// # Errors
    ///
    /// If the content can't be read, or the signing key can't. Failures of the receiver are in the attempt.
    pub async fn send(
        &self,
        webhook: &WebhookEndpoint,
        change: &ResolvedChange,
    ) -> Result<Option<WebhookAttempt>, SendWebhookError> {
        let Some(body) = self.payloads.body(webhook.format, change).await? else { return Ok(None) };
        let id = change.change.change.id.to_string();
        let now = self.system.now();
        let mut signatures = Vec::new();
        let mut hub_signature = None;
        for version in webhook.signing_versions(now) {
            let secret = self.signing_key.webhook_secret(webhook.id, version).await?;
            signatures.push(secret.sign(&id, now.seconds(), body.as_bytes()));
            hub_signature.get_or_insert_with(|| secret.hub_signature(body.as_bytes()));
        }
        let (timestamp, signatures) = (now.seconds().to_string(), signatures.join(" "));
        let mut headers: Vec<(&str, &str)> =
            webhook.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        headers.extend([
            ("webhook-id", id.as_str()),
            ("webhook-timestamp", timestamp.as_str()),
            ("webhook-signature", signatures.as_str()),
        ]);
        if let (Format::CloudApi, Some(signature)) = (webhook.format, &hub_signature) {
            headers.push(("x-hub-signature-256", signature.as_str()));
        }
        Ok(Some(self.client.post(&webhook.url, headers, body.as_bytes(), self.system).await))
    }
}
