//! The one way in, where the deployment has a firewall. An HTTP API has an address of its own that no firewall can stand
//! before, so CloudFront, which has one, adds a secret to what it lets pass, and whatever comes without it is refused.

use crate::{
    domain::system::System,
    secrets::{OriginSecret, Secrets, SecretsError},
    telemetry::{self, Metric},
};

/// The header with the secret, as events have it. CloudFront replaces one that a caller sends.
pub const HEADER: &str = "x-qasid-origin";

/// Knows what came through the firewall.
#[derive(Clone, Debug)]
pub struct OriginGuard {
    /// `None` where the deployment has none, and every request is taken.
    secret: Option<Secrets<OriginSecret>>,
    system: System,
}

impl OriginGuard {
    /// A firewall whose CloudFront sends what is in `secret`; without a secret there is none.
    pub fn new(secret: Option<Secrets<OriginSecret>>, system: System) -> Self {
        Self { secret, system }
    }

    /// Reads the secret, so that the first event finds it.
    pub async fn warm_up(&self) {
        if let Some(secret) = &self.secret
            && let Err(error) = secret.get(self.system.now()).await
        {
            tracing::warn!(error = telemetry::chain(&error), "the secret could not be read yet");
        }
    }

    /// Whether a request may come in, by the value of its [`HEADER`]. A refusal is counted and logged here. An error means
    /// that the secret is not known, which is neither yes nor no.
    pub async fn verify(&self, header: Option<&str>) -> Result<bool, SecretsError> {
        let Some(secret) = &self.secret else { return Ok(true) };
        let now = self.system.now();
        let known = secret.get(now).await?;
        let is_known = match header {
            Some(value) if known.contains(value) => true,
            Some(value) => secret.refresh_if(&known, now).await.is_some_and(|newer| newer.contains(value)),
            None => false,
        };
        if !is_known {
            telemetry::count(Metric::OriginGuardRejections, 1, now);
            let reason = if header.is_some() { "a wrong secret" } else { "no secret" };
            tracing::info!(reason, "a request did not come through CloudFront");
        }
        Ok(is_known)
    }
}
