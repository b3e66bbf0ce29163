//! The Graph API routes that the functions call, with Meta's responses.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::any,
};
use serde_json::{Value, json};

use super::{
    faults::SendOutcome,
    graph_error::GraphError,
    journal::JournalError,
    limits::DEFAULT_THROUGHPUT,
    numbers::RegisteredNumber,
    scan::query_value,
    send::{self, OutboundMessage, ReadReceiptRequest, SendRequest},
    server::close_without_response,
    simulator::{Fate, Simulator},
    users::Address,
    webhook::BusinessNumber,
};
use crate::error_chain;

/// A Graph API version, such as `v26.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GraphVersion(u16, u16);

impl GraphVersion {
    pub(super) fn parse(text: &str) -> Option<GraphVersion> {
        let (major, minor) = text.strip_prefix('v')?.split_once('.')?;
        let number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
        Some(GraphVersion(number(major)?, number(minor)?))
    }
}

/// The version and the object ID.
type ObjectPath = Result<Path<(String, String)>, PathRejection>;

pub(super) fn routes() -> Router<Arc<Simulator>> {
    Router::new().route("/{version}/{id}", any(node)).route("/{version}/{id}/messages", any(messages)).fallback(unknown)
}

async fn unknown(uri: Uri) -> GraphError {
    GraphError::unknown_path(uri.path())
}

/// Returns the fields of a business number.
async fn node(
    State(simulator): State<Arc<Simulator>>,
    method: Method,
    uri: Uri,
    path: ObjectPath,
    headers: HeaderMap,
) -> Result<Response, GraphError> {
    let (id, registered) = authorize(&simulator, &uri, path, &headers)?;
    let Some(registered) = registered.filter(|_| method == Method::GET) else {
        return Err(GraphError::unsupported(method.as_str(), &id));
    };
    let fields = query_value(uri.query().unwrap_or_default(), "fields")
        .map_err(|()| GraphError::parameter("Param fields must be percent-encoded UTF-8."))?;
    number_fields(&registered, fields.as_deref()).map(|fields| Json(fields).into_response())
}

fn number_fields(registered: &RegisteredNumber, fields: Option<&str>) -> Result<Value, GraphError> {
    let number = &registered.number;
    let level = if registered.throughput > DEFAULT_THROUGHPUT { "HIGH" } else { "STANDARD" };
    // Meta returns these fields by default.
    let all = json!({
        "id": number.phone_number_id,
        "display_phone_number": format!("+{}", number.display_phone_number),
        "verified_name": "Local run",
        "code_verification_status": "VERIFIED",
        "quality_rating": "GREEN",
        "platform_type": "CLOUD_API",
        "throughput": {"level": level},
    });
    let Some(fields) = fields else { return Ok(all) };
    let mut chosen = json!({"id": all["id"]});
    for field in fields.split(',').map(str::trim) {
        let Some(value) = all.get(field) else {
            return Err(GraphError::parameter(&format!(
                "Tried accessing nonexisting field ({field}) on node type (WhatsAppBusinessPhoneNumber)"
            )));
        };
        chosen[field] = value.clone();
    }
    Ok(chosen)
}

async fn messages(
    State(simulator): State<Arc<Simulator>>,
    method: Method,
    uri: Uri,
    path: ObjectPath,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, GraphError> {
    let (id, registered) = authorize(&simulator, &uri, path, &headers)?;
    let Some(sender) = registered.filter(|_| method == Method::POST) else {
        return Err(GraphError::unsupported(method.as_str(), &id));
    };
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => GraphError::too_large(),
        _ => GraphError::new(100, Some("The request body could not be read".to_owned())),
    })?;
    if !is_json(&headers) {
        // Meta parses such a body as a form and reports the first missing parameter.
        return Err(GraphError::parameter("The parameter messaging_product is required."));
    }
    match send::parse(&body, &sender.number.display_phone_number)? {
        SendRequest::ReadReceipt(request) => read_receipt(&simulator, request).await,
        SendRequest::Message(message) => send(&simulator, &sender, message).await,
    }
}

/// Accepts a read receipt. The faults for sends apply.
async fn read_receipt(simulator: &Simulator, request: ReadReceiptRequest) -> Result<Response, GraphError> {
    let done = || Json(json!({"success": true})).into_response();
    match simulator.next_send() {
        SendOutcome::Accepted | SendOutcome::Failed(_) | SendOutcome::Held(_) => {
            simulator.accept_read_receipt(request).map(|()| done())
        }
        SendOutcome::Rejected { code, status, retry_after } => {
            simulator.problem(format!("fault: read receipt rejected with code {code}"));
            Err(GraphError::new(code, None).with_status(status).with_retry_after(retry_after))
        }
        SendOutcome::LostBeforeAcceptance(hang) => Ok(hang_up(simulator, hang).await),
        SendOutcome::LostAfterAcceptance(hang) => {
            simulator.accept_read_receipt(request)?;
            Ok(hang_up(simulator, hang).await)
        }
    }
}

/// Checks the version and the access token. Returns the object ID in the path and its business number.
fn authorize(
    simulator: &Simulator,
    uri: &Uri,
    path: ObjectPath,
    headers: &HeaderMap,
) -> Result<(String, Option<RegisteredNumber>), GraphError> {
    // Also rejects a path that is not percent-encoded UTF-8.
    let Ok(Path((version, id))) = path else {
        return Err(GraphError::unknown_path(uri.path()));
    };
    if GraphVersion::parse(&version).is_none_or(|version| version > simulator.latest_version) {
        return Err(GraphError::unknown_path(uri.path()));
    }
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
    let registered = simulator.numbers.get(&id);
    let expected = registered.clone().unwrap_or_else(|| simulator.numbers.default_number()).access_token;
    if token != Some(expected.as_str()) {
        return Err(GraphError::new(190, None));
    }
    Ok((id, registered))
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

async fn send(
    simulator: &Simulator,
    sender: &RegisteredNumber,
    message: OutboundMessage,
) -> Result<Response, GraphError> {
    let number = &sender.number;
    let (contact, masked) = (contact(&message), message.recipient.masked());
    simulator.limit_send(sender, &message.recipient).inspect_err(|error| {
        simulator.problem(format!("rate limit: message for {masked} rejected with code {}", error.code));
    })?;
    let lost = |when| simulator.problem(format!("fault: no response for {masked}, {when}"));
    match simulator.next_send() {
        SendOutcome::Accepted => {
            accept(simulator, number, message, Fate::Delivered).map(|id| accepted_response(&contact, &id, None))
        }
        SendOutcome::Failed(code) => {
            accept(simulator, number, message, Fate::Failed(code)).map(|id| accepted_response(&contact, &id, None))
        }
        SendOutcome::Held(status) => {
            accept(simulator, number, message, Fate::Held).map(|id| accepted_response(&contact, &id, Some(&status)))
        }
        SendOutcome::Rejected { code, status, retry_after } => {
            simulator.problem(format!("fault: message for {masked} rejected with code {code}"));
            Err(GraphError::new(code, None).with_status(status).with_retry_after(retry_after))
        }
        SendOutcome::LostBeforeAcceptance(hang) => {
            lost("not accepted");
            Ok(hang_up(simulator, hang).await)
        }
        SendOutcome::LostAfterAcceptance(hang) => {
            accept(simulator, number, message, Fate::Delivered)?;
            lost("accepted");
            Ok(hang_up(simulator, hang).await)
        }
    }
}

fn accept(
    simulator: &Simulator,
    number: &BusinessNumber,
    message: OutboundMessage,
    fate: Fate,
) -> Result<String, GraphError> {
    simulator.accept(number, message, fate).map_err(|error: JournalError| {
        simulator.problem(format!("message not accepted: {}", error_chain(&error)));
        GraphError::new(131_000, None)
    })
}

fn contact(message: &OutboundMessage) -> Value {
    match &message.recipient {
        Address::Phone(wa_id) => json!({"input": message.input, "wa_id": wa_id}),
        Address::UserId(user_id) => json!({"input": message.input, "user_id": user_id}),
    }
}

/// `message_status` tells that the message is held back (Meta, *Template pacing*).
fn accepted_response(contact: &Value, id: &str, message_status: Option<&str>) -> Response {
    let mut message = json!({"id": id});
    if let Some(status) = message_status {
        message["message_status"] = json!(status);
    }
    let body = json!({"messaging_product": "whatsapp", "contacts": [contact], "messages": [message]});
    Json(body).into_response()
}

async fn hang_up(simulator: &Simulator, hang: Duration) -> Response {
    tokio::select! {
        () = tokio::time::sleep(hang) => {}
        () = simulator.shutdown.cancelled() => {}
    }
    close_without_response()
}

#[cfg(test)]
mod tests;
