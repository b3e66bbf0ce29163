//! Lambda authorizers of payload format 2.0 with simple responses (API Gateway developer guide, "Control access to HTTP
//! APIs with AWS Lambda authorizers").

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

/// API Gateway developer guide, "Quotas for HTTP APIs": how long an authorizer may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Answers that are kept at most. More credentials than this are not those of a laptop's user.
const MOST_KEPT: usize = 1_000;

/// The authorizers of the API, and what they said.
pub(super) struct Authorizers {
    authorizers: BTreeMap<String, Authorizer>,
    lambda: Lambda,
    kept: Mutex<HashMap<Identity, Arc<Kept>>>,
}

/// An authorizer's name, and the values of its identity sources.
type Identity = (String, Vec<String>);

/// An answer and when it was given. Requests that bring the same values at the same time wait for one answer.
type Kept = tokio::sync::Mutex<Option<(Instant, Verdict)>>;

/// What an authorizer said: the context when it lets the request pass.
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

    /// Asks the authorizer `name` about a request, given as the event that the route's function would get. The context
    /// for that event, or the status to refuse the request with.
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
        // What failed is asked again.
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
