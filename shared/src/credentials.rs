//! By what WhatsApp knows us, and by what we know WhatsApp. Nobody tells us when one is changed, so one that fails is asked
//! for again at once, ahead of its time.

use std::fmt;

use crate::{
    cloud_api::is_signed,
    secrets::{Secrets, SecretsError, Values},
    startup::System,
};

/// The secrets that webhooks and sends need.
#[derive(Clone, Debug)]
pub struct Credentials {
    secrets: Secrets,
    system: System,
}

/// What authorises a send.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(String);

impl AccessToken {
    /// The token as it goes into a request.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

impl Credentials {
    /// Credentials out of the deployment's secret.
    pub fn new(secrets: Secrets, system: System) -> Self {
        Self { secrets, system }
    }

    /// Reads what there is, so that the first event finds it.
    pub async fn warm_up(&self) {
        if let Err(error) = self.secrets.get((self.system.now)()).await {
            tracing::warn!(error = crate::telemetry::chain(&error), "the secret could not be read yet");
        }
    }

    /// Whether `token` is a verify token.
    pub async fn verifies(&self, token: &str) -> Result<bool, SecretsError> {
        let now = (self.system.now)();
        let secrets = self.secrets.get(now).await?;
        if secrets.verify_token.contain(token) {
            return Ok(true);
        }
        let newer = self.secrets.other_than(&secrets, now).await;
        Ok(newer.is_some_and(|newer| newer.verify_token.contain(token)))
    }

    /// Whether `signature` (the header's value) is that of `body` under an app secret.
    pub async fn signed(&self, body: &[u8], signature: &str) -> Result<bool, SecretsError> {
        let is_signed = |secrets: &Values| secrets.iter().any(|secret| is_signed(body, signature, secret));
        let now = (self.system.now)();
        let secrets = self.secrets.get(now).await?;
        if is_signed(&secrets.app_secret) {
            return Ok(true);
        }
        let newer = self.secrets.other_than(&secrets, now).await;
        Ok(newer.is_some_and(|newer| is_signed(&newer.app_secret)))
    }

    /// The token to send with.
    pub async fn access_token(&self) -> Result<AccessToken, SecretsError> {
        let secrets = self.secrets.get((self.system.now)()).await?;
        Ok(AccessToken(secrets.access_token.clone()))
    }

    /// Another token in place of one that WhatsApp has refused, if there is one.
    pub async fn other_access_token(&self, refused: &AccessToken) -> Option<AccessToken> {
        let now = (self.system.now)();
        let secrets = self.secrets.get(now).await.ok()?;
        let token = |secrets: &crate::secrets::WhatsAppSecrets| AccessToken(secrets.access_token.clone());
        if token(&secrets) != *refused {
            return Some(token(&secrets));
        }
        let newer = token(&*self.secrets.other_than(&secrets, now).await?);
        (newer != *refused).then_some(newer)
    }
}
