//! Lambda authorizers with payload format 2.0 and simple responses (API Gateway Developer Guide, *Control access to
//! HTTP APIs with AWS Lambda authorizers*).

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{body::Bytes, http::StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    lambda::Lambda,
    template::{Authorizer, HttpApi},
};

/// The timeout of an authorizer (API Gateway Developer Guide, *Quotas for HTTP APIs*).
const TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum number of cached decisions.
const MAX_CACHED: usize = 1_000;

/// The API's authorizers and their cached decisions.
pub(super) struct Authorizers {
    authorizers: BTreeMap<String, Authorizer>,
    lambda: Lambda,
    cache: Mutex<HashMap<CacheKey, Arc<CacheEntry>>>,
}

/// The authorizer's name and the values of its identity sources.
type CacheKey = (String, Vec<String>);

/// A decision and its time. Concurrent requests with the same identity wait for one decision.
type CacheEntry = tokio::sync::Mutex<Option<(Instant, Decision)>>;

/// The authorizer's context for an authorized request, or the status for a denied one.
type Decision = Result<Map<String, Value>, StatusCode>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SimpleResponse {
    is_authorized: bool,
    #[serde(default)]
    context: Option<Map<String, Value>>,
}

impl Authorizers {
    pub(super) fn new(api: &HttpApi, lambda: Lambda) -> Authorizers {
        Authorizers { authorizers: api.authorizers.clone(), lambda, cache: Mutex::default() }
    }

    /// Invokes the authorizer `name`, or returns its cached decision. `event` is the event for the route's function.
    ///
    /// # Errors
    /// Returns the HTTP status to reject the request with.
    pub(super) async fn authorize(&self, name: &str, event: &Value, now: Instant) -> Decision {
        let Some(authorizer) = self.authorizers.get(name) else { return Err(StatusCode::INTERNAL_SERVER_ERROR) };
        let header = |header: &String| event["headers"][header.to_ascii_lowercase()].as_str().map(str::to_owned);
        let identity: Option<Vec<String>> = authorizer.headers.iter().map(header).collect();
        let Some(identity) = identity.filter(|values| values.iter().all(|value| !value.is_empty())) else {
            return Err(StatusCode::UNAUTHORIZED);
        };
        if authorizer.cache_ttl.is_zero() {
            return self.invoke(authorizer, &identity, event).await;
        }
        let entry = self.cache_entry(name, &identity);
        let mut entry = entry.lock().await;
        if let Some((at, decision)) = &*entry
            && now.saturating_duration_since(*at) < authorizer.cache_ttl
        {
            return decision.clone();
        }
        let decision = self.invoke(authorizer, &identity, event).await;
        // Failures are not cached.
        *entry = (decision != Err(StatusCode::INTERNAL_SERVER_ERROR)).then(|| (now, decision.clone()));
        decision
    }

    fn cache_entry(&self, name: &str, identity: &[String]) -> Arc<CacheEntry> {
        let mut all = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() > MAX_CACHED {
            all.clear();
        }
        Arc::clone(all.entry((name.to_owned(), identity.to_vec())).or_default())
    }

    async fn invoke(&self, authorizer: &Authorizer, identity: &[String], event: &Value) -> Decision {
        let mut event = event.clone();
        event["type"] = json!("REQUEST");
        event["identitySource"] = json!(identity);
        event["routeArn"] = json!(format!(
            "arn:aws:execute-api:us-east-1:{}:{}/$default/{}{}",
            super::event::ACCOUNT_ID,
            super::event::API_ID,
            event["requestContext"]["http"]["method"].as_str().unwrap_or_default(),
            event["rawPath"].as_str().unwrap_or_default(),
        ));
        if let Some(event) = event.as_object_mut() {
            event.remove("isBase64Encoded");
        }
        let response = self.lambda.invoke(&authorizer.function, Bytes::from(event.to_string()));
        let response = tokio::time::timeout(TIMEOUT, response).await;
        let response = response.ok().and_then(Result::ok).and_then(|response| serde_json::from_slice(&response).ok());
        match response {
            Some(SimpleResponse { is_authorized: true, context }) => Ok(context.unwrap_or_default()),
            Some(SimpleResponse { is_authorized: false, .. }) => Err(StatusCode::FORBIDDEN),
            None => Err(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}
