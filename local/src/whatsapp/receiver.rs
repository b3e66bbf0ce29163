//! A receiver of outgoing webhooks, to try them without a server of your own, under the `/simulator` control API.
//!
//! - `POST /simulator/receiver` records a webhook and responds 200, or `?status=<n>`. Use it as a webhook's URL.
//! - `GET /simulator/receiver` lists the recorded webhooks, oldest first: `{"webhooks": [{"headers", "body"}]}`.
//!   `?from=<n>` skips the first n. With `hub.challenge`, it responds with the challenge, as a receiver of WhatsApp's
//!   webhooks does.
//! - `DELETE /simulator/receiver` forgets them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::control::{Body, ControlError, bytes};
use crate::output::{Kind, Output};

/// The number of webhooks to keep. The first ones are kept, so that `from` stays valid.
const MAX_WEBHOOKS: usize = 10_000;

#[derive(Clone)]
struct Receiver {
    output: Output,
    webhooks: Arc<Mutex<Vec<Received>>>,
}

#[derive(Clone, Serialize)]
struct Received {
    /// `content-type`, `webhook-*`, `x-hub-signature-256`, and the other headers.
    headers: BTreeMap<String, String>,
    /// The body as JSON, or as text if it isn't JSON.
    body: Value,
}

pub(super) fn routes<S: Clone + Send + Sync + 'static>(output: Output) -> Router<S> {
    Router::new()
        .route("/simulator/receiver", post(receive).get(list).delete(forget))
        .with_state(Receiver { output, webhooks: Arc::default() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReceiveQuery {
    status: Option<u16>,
}

async fn receive(
    State(receiver): State<Receiver>,
    query: Result<Query<ReceiveQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ControlError> {
    let Query(query) = query.map_err(|error| ControlError::bad_request(error.body_text()))?;
    let status = query.status.unwrap_or(200);
    let status = StatusCode::from_u16(status).ok().filter(|_| (200..600).contains(&status));
    let status = status.ok_or_else(|| ControlError::bad_request("status must be from 200 to 599"))?;
    let body: Bytes = bytes(body)?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&body)));
    let kind = body["type"].as_str().or(body["entry"][0]["changes"][0]["field"].as_str()).unwrap_or("of another form");
    receiver.output.line(Kind::Receiver, format!("webhook {kind}: {}", status.as_u16()));
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let mut webhooks = receiver.webhooks.lock().unwrap_or_else(PoisonError::into_inner);
    if webhooks.len() < MAX_WEBHOOKS {
        webhooks.push(Received { headers, body });
    }
    Ok(status.into_response())
}

#[derive(Deserialize)]
struct ListQuery {
    #[serde(default)]
    from: usize,
    #[serde(rename = "hub.challenge")]
    challenge: Option<String>,
}

async fn list(
    State(receiver): State<Receiver>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, ControlError> {
    let Query(query) = query.map_err(|error| ControlError::bad_request(error.body_text()))?;
    if let Some(challenge) = query.challenge {
        return Ok(challenge.into_response());
    }
    let webhooks = receiver.webhooks.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Json(json!({"webhooks": webhooks.iter().skip(query.from).collect::<Vec<_>>()})).into_response())
}

async fn forget(State(receiver): State<Receiver>) -> Json<Value> {
    receiver.webhooks.lock().unwrap_or_else(PoisonError::into_inner).clear();
    Json(json!({"success": true}))
}
