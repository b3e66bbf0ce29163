//! The Lambda authorizer in front of the API. It identifies the caller; the functions decide what the caller may do.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::origin_guard::{self, OriginGuard};
use crate::{
    domain::{caller::Caller, system::System},
    secrets::SecretsError,
    services::authentication::{Authentication, AuthenticationError},
    telemetry::{self, Metric},
};

/// The fields that Qasid uses of an authorizer event (API Gateway developer guide, *Control access to HTTP APIs with AWS
/// Lambda authorizers*, payload format 2.0).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizerEvent {
    /// The value of the `Authorization` header. API Gateway caches the result under it for every route, so the result must
    /// not depend on anything else in the request.
    #[serde(default)]
    identity_source: Vec<String>,
    /// All headers, with lowercase names. With a firewall, the result depends on one of them, and API Gateway doesn't
    /// cache it (`ReauthorizeEvery` in `template.yaml`).
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// Authorizes requests.
#[derive(Clone, Debug)]
pub struct Authorizer {
    authentication: Authentication,
    origin_guard: OriginGuard,
    system: System,
}

impl Authorizer {
    /// Creates an authorizer.
    pub fn new(authentication: Authentication, origin_guard: OriginGuard, system: System) -> Self {
        Self { authentication, origin_guard, system }
    }

    /// Opens the connections that the first request needs.
    pub async fn warm_up(&self) {
        tokio::join!(self.authentication.warm_up(), self.origin_guard.warm_up());
    }

    /// Returns the authorizer's response: the caller, or a denial without a reason.
    ///
    /// # Errors
    ///
    /// A dependency didn't respond. API Gateway then responds with 500.
    pub async fn authorize(&self, event: AuthorizerEvent) -> Result<Value, AuthenticationError> {
        if !self.comes_from_origin(&event).await? {
            return Ok(response(None));
        }
        let authorization = event.identity_source.first().map(String::as_str).unwrap_or_default();
        match self.authentication.authenticate(authorization).await {
            Ok(caller) => Ok(response(Some(&caller))),
            Err(AuthenticationError::Refused(reason)) => {
                telemetry::count(Metric::AuthenticationFailed, 1, self.system.now());
                tracing::info!(reason = reason.to_string(), "authentication failed");
                Ok(response(None))
            }
            Err(error) => Err(error),
        }
    }

    async fn comes_from_origin(&self, event: &AuthorizerEvent) -> Result<bool, SecretsError> {
        self.origin_guard.verify(event.headers.get(origin_guard::HEADER).map(String::as_str)).await
    }
}

fn response(caller: Option<&Caller>) -> Value {
    match caller {
        Some(caller) => json!({"isAuthorized": true, "context": caller.context()}),
        None => json!({"isAuthorized": false}),
    }
}
