//! Verifies that requests come through CloudFront, if the deployment has a firewall.
//!
//! AWS WAF can't protect an HTTP API directly, so it protects a CloudFront distribution in front of it. The distribution
//! adds a secret header to each request, and requests without it are rejected.

use crate::{
    domain::system::System,
    secrets::{OriginSecret, Secrets, SecretsError},
    telemetry::{self, Metric},
};

/// The header with the secret, in lowercase as events contain it. CloudFront replaces one that a caller sends.
pub const HEADER: &str = "x-qasid-origin";

/// Verifies the origin of requests.
#[derive(Clone, Debug)]
pub struct OriginGuard {
    /// `None` without a firewall: every request is accepted.
    secret: Option<Secrets<OriginSecret>>,
    system: System,
}

impl OriginGuard {
    /// Creates a guard that expects CloudFront's `secret`, or accepts every request without one.
    pub fn new(secret: Option<Secrets<OriginSecret>>, system: System) -> Self {
        Self { secret, system }
    }

    /// Reads the secret before the first request arrives.
    pub async fn warm_up(&self) {
        if let Some(secret) = &self.secret
            && let Err(error) = secret.get(self.system.now()).await
        {
            tracing::warn!(error = telemetry::chain(&error), "secret warm-up failed");
        }
    }

    /// Whether a request with this value of [`HEADER`] came through CloudFront. Counts and logs a rejection.
    ///
    /// # Errors
    ///
    /// The secret couldn't be read, so the request can be neither accepted nor rejected.
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
            tracing::info!(reason, "origin rejected");
        }
        Ok(is_known)
    }
}
