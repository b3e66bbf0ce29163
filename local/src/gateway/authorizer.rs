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
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Maximum number of cached decisions.
const MOST_KEPT: usize = 1_000;

/// The API's authorizers and their cached decisions.
pub(super) struct Authorizers {
    authorizers: BTreeMap<String, Authorizer>,
    lambda: Lambda,
    kept: Mutex<HashMap<Identity, Arc<Kept>>>,
}

/// The authorizer's name and the values of its identity sources.
type Identity = (String, Vec<String>);

/// A decision and its time. Concurrent requests with the same identity wait for one decision.
type Kept = tokio::sync::Mutex<Option<(Instant, Verdict)>>;

/// The authorizer's context for an authorized request, or the status for a denied one.
type Verdict = Result<Map<String, Value>, StatusCode>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SimpleResponse {
    is_authorized: bool,
    #[serde(default)]
    context: Option<Map<String, Value>>,
}

impl Authorizers {
    pub(super) fn new(api: &HttpApi, lambda: Lambda) -> Authorizers {
        Authorizers { authorizers: api.authorizers.clone(), lambda, kept: Mutex::default() }
    }

    /// Invokes the authorizer `name`, or returns its cached decision. `event` is the event for the route's function.
    ///
    /// # Errors
    /// Returns the HTTP status to reject the request with.
    pub(super) async fn ask(&self, name: &str, event: &Value, now: Instant) -> Verdict {
        let Some(authorizer) = self.authorizers.get(name) else { return Err(StatusCode::INTERNAL_SERVER_ERROR) };
        let header = |header: &String| event["headers"][header.to_ascii_lowercase()].as_str().map(str::to_owned);
        let identity: Option<Vec<String>> = authorizer.headers.iter().map(header).collect();
        let Some(identity) = identity.filter(|values| values.iter().all(|value| !value.is_empty())) else {
            return Err(StatusCode::UNAUTHORIZED);
        };
        if authorizer.keep.is_zero() {
            return self.invoke(authorizer, &identity, event).await;
        }
        let kept = self.kept(name, &identity);
        let mut kept = kept.lock().await;
        if let Some((at, verdict)) = &*kept
            && now.saturating_duration_since(*at) < authorizer.keep
        {
            return verdict.clone();
        }
        let verdict = self.invoke(authorizer, &identity, event).await;
        // Failures are not cached.
        *kept = (verdict != Err(StatusCode::INTERNAL_SERVER_ERROR)).then(|| (now, verdict.clone()));
        verdict
    }

    fn kept(&self, name: &str, identity: &[String]) -> Arc<Kept> {
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() > MOST_KEPT {
            all.clear();
        }
        Arc::clone(all.entry((name.to_owned(), identity.to_vec())).or_default())
    }

    async fn invoke(&self, authorizer: &Authorizer, identity: &[String], event: &Value) -> Verdict {
        let mut event = event.clone();
        event["type"] = json!("REQUEST");
        event["identitySource"] = json!(identity);
        event["routeArn"] = json!(format!(
            "arn:aws:execute-api:us-east-1:{}:{}/$default/{}{}",
            super::event::ACCOUNT,
            super::event::API_ID,
            event["requestContext"]["http"]["method"].as_str().unwrap_or_default(),
            event["rawPath"].as_str().unwrap_or_default(),
        ));
        if let Some(event) = event.as_object_mut() {
            event.remove("isBase64Encoded");
        }
        let answer = self.lambda.invoke(&authorizer.function, Bytes::from(event.to_string()));
        let answer = tokio::time::timeout(TIME_LIMIT, answer).await;
        let response = answer.ok().and_then(Result::ok).and_then(|answer| serde_json::from_slice(&answer).ok());
        match response {
            Some(SimpleResponse { is_authorized: true, context }) => Ok(context.unwrap_or_default()),
            Some(SimpleResponse { is_authorized: false, .. }) => Err(StatusCode::FORBIDDEN),
            None => Err(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}
