//! The `/simulator` control API for tests and developers. Requests and responses are JSON; an error is `{"error":
//! "<sentence>"}`.
//!
//! - `POST /simulator/messages` delivers one customer message (see [`super::inbound`]), up to 1,000 in one webhook
//!   (`{"messages": […]}`), or a raw webhook body (`{"webhook": {…}}`). `phoneNumberId` and `displayPhoneNumber` select
//!   another business number. Returns the message IDs and the result of the first delivery attempts. Retries continue
//!   in the background.
//! - `POST /simulator/scan` with `{"qr", "from", "name"?}` scans a QR code and sends its text.
//! - `GET /simulator/messages` lists the accepted messages in order. `?from=<n>` skips the first n.
//! - `GET /simulator/receipts` lists the read receipts of the business.
//! - `GET /simulator/webhooks` returns webhook counts.
//! - `GET /simulator/numbers` lists the business numbers, each with its verified name and the code that `request_code`
//!   sent to it.
//! - `POST /simulator/numbers` adds a business number, or changes credentials or the throughput (see
//!   [`super::numbers`]).
//! - `GET /simulator/limits` returns how many sends WhatsApp's rate limits refused (see [`super::limits`]).
//! - `GET`, `POST`, and `DELETE /simulator/faults` control faults (see [`super::faults`]).
//!
//! [`phones`] and [`calls`] add controls for the phones of users, [`super::media`] for the files of customers, and
//! [`super::infrastructure`] for the table and the functions. [`super::receiver`] adds a receiver of outgoing webhooks.

mod calls;
mod phones;

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        Query, State,
        rejection::{BytesRejection, QueryRejection},
    },
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use super::{
    business::{self, NumberState},
    dispatcher::WebhookCounts,
    faults::{Faults, FaultsUpdate},
    journal::JournalError,
    json, media,
    numbers::RegisteredNumber,
    scan::{self, Scanned},
    simulator::{Dispatched, InboundError, Simulator},
    webhook::BusinessNumber,
};
use crate::error_chain;

/// Meta batches up to 1,000 updates in one webhook (Meta, *Create a webhook endpoint*).
const MAX_MESSAGES: usize = 1000;

pub(super) fn routes() -> Router<Arc<Simulator>> {
    Router::new()
        .route("/simulator/messages", get(list_accepted).post(receive))
        .route("/simulator/receipts", get(receipts))
        .route("/simulator/scan", post(scan_qr))
        .route("/simulator/numbers", get(list_numbers).post(change_number))
        .route("/simulator/limits", get(limits))
        .route("/simulator/webhooks", get(webhooks))
        .route("/simulator/faults", get(faults).post(change_faults).delete(clear_faults))
        .merge(calls::routes())
        .merge(phones::routes())
        .method_not_allowed_fallback(method_not_allowed)
        // Otherwise, the Graph API would parse such a path as a version and an ID.
        .route("/simulator", any(not_found))
        .route("/simulator/{*rest}", any(not_found))
}

/// An error response: `{"error": "<sentence>"}`.
#[derive(Debug)]
pub(super) struct ControlError(pub(super) StatusCode, pub(super) String);

impl ControlError {
    pub(super) fn bad_request(sentence: impl Into<String>) -> ControlError {
        ControlError(StatusCode::BAD_REQUEST, sentence.into())
    }
}

impl From<JournalError> for ControlError {
    fn from(error: JournalError) -> ControlError {
        ControlError(StatusCode::INTERNAL_SERVER_ERROR, error_chain(&error))
    }
}

impl From<InboundError> for ControlError {
    fn from(error: InboundError) -> ControlError {
        match error {
            InboundError::Invalid(sentence) => ControlError::bad_request(sentence),
            InboundError::Journal(error) => error.into(),
        }
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

pub(super) type Body = Result<Bytes, BytesRejection>;

async fn not_found(uri: Uri) -> ControlError {
    ControlError(StatusCode::NOT_FOUND, format!("No such path: {}", uri.path()))
}

async fn method_not_allowed() -> ControlError {
    ControlError(StatusCode::METHOD_NOT_ALLOWED, "This path does not support this method".to_owned())
}

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    from: usize,
}

async fn list_accepted(
    State(simulator): State<Arc<Simulator>>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, ControlError> {
    let Query(page) = page.map_err(|error| ControlError::bad_request(error.body_text()))?;
    Ok(Json(json!({"messages": simulator.accepted(page.from)})))
}

async fn list_numbers(State(simulator): State<Arc<Simulator>>) -> Json<Value> {
    let show = |registered: RegisteredNumber| {
        let number = registered.number;
        let state: NumberState = business::get(&simulator.business.numbers, &number.phone_number_id);
        json!({
            "phoneNumberId": number.phone_number_id,
            "displayPhoneNumber": number.display_phone_number,
            "verifiedName": simulator.business.verified_name(&number.phone_number_id),
            "wabaId": number.waba_id,
            "messagesPerSecond": registered.throughput,
            "verificationCode": state.registration.verification_code(),
        })
    };
    let numbers: Vec<Value> = simulator.numbers.all().into_iter().map(show).collect();
    Json(json!({"numbers": numbers}))
}

async fn change_number(State(simulator): State<Arc<Simulator>>, body: Body) -> Result<Json<Value>, ControlError> {
    simulator.change_number(read(&bytes(body)?)?)?;
    Ok(Json(json!({"success": true})))
}

async fn limits(State(simulator): State<Arc<Simulator>>) -> Json<Value> {
    Json(json!({"refused": simulator.refused()}))
}

async fn receipts(State(simulator): State<Arc<Simulator>>) -> Json<Value> {
    Json(json!({"receipts": simulator.read_receipts()}))
}

async fn webhooks(State(simulator): State<Arc<Simulator>>) -> Json<WebhookCounts> {
    Json(simulator.webhook_counts())
}

async fn faults(State(simulator): State<Arc<Simulator>>) -> Json<Faults> {
    Json(simulator.faults())
}

async fn change_faults(State(simulator): State<Arc<Simulator>>, body: Body) -> Result<Json<Faults>, ControlError> {
    let change: FaultsUpdate = read(&bytes(body)?)?;
    simulator.change_faults(change).map(Json).map_err(ControlError::bad_request)
}

async fn clear_faults(State(simulator): State<Arc<Simulator>>) -> Json<Faults> {
    Json(simulator.clear_faults())
}

/// Receives one or more customer messages, or sends a raw webhook body.
async fn receive(State(simulator): State<Arc<Simulator>>, body: Body) -> Result<Json<Value>, ControlError> {
    let body = bytes(body)?;
    // A raw webhook stays text, because a parser would reject or change some of its content.
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(&body).map_err(invalid)?;
    if let Some(webhook) = members.get("webhook") {
        if members.len() > 1 {
            return Err(ControlError::bad_request("webhook cannot be combined with other members"));
        }
        if !webhook.get().starts_with('{') {
            return Err(ControlError::bad_request("webhook must be a JSON object"));
        }
        return Ok(delivery_response(simulator.send_raw(webhook.get())?).await);
    }
    let mut members: Map<String, Value> = read(&body)?;
    let number = number(&simulator, &mut members)?;
    let mut messages = match members.remove("messages") {
        None => vec![Value::Object(members)],
        Some(_) if !members.is_empty() => {
            return Err(ControlError::bad_request(
                "messages can be combined only with phoneNumberId and displayPhoneNumber",
            ));
        }
        Some(Value::Array(messages)) if (1..=MAX_MESSAGES).contains(&messages.len()) => messages,
        Some(_) => {
            return Err(ControlError::bad_request(format!(
                "messages must be an array of 1 to {MAX_MESSAGES} messages"
            )));
        }
    };
    for message in &mut messages {
        media::complete(&simulator, &number.phone_number_id, message).await?;
    }
    Ok(delivery_response(simulator.receive(&number, messages)?).await)
}

/// Returns the business number that the messages are addressed to: the default number unless the request selects
/// another.
fn number(simulator: &Simulator, members: &mut Map<String, Value>) -> Result<BusinessNumber, ControlError> {
    let mut digits = |name: &str| match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => Ok(Some(text)),
        Some(_) => Err(ControlError::bad_request(format!("{name} must be a string of digits"))),
    };
    let registered = match digits("phoneNumberId")? {
        Some(phone_number_id) => simulator.numbers.get_or_default(&phone_number_id),
        None => simulator.numbers.default_number(),
    };
    let mut number = registered.number;
    if let Some(display_phone_number) = digits("displayPhoneNumber")? {
        number.display_phone_number = display_phone_number;
    }
    Ok(number)
}

/// A phone scans a QR code and sends the text of its link to its number.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scan {
    qr: String,
    from: String,
    name: Option<String>,
}

async fn scan_qr(State(simulator): State<Arc<Simulator>>, body: Body) -> Result<Json<Value>, ControlError> {
    let Scan { qr, from, name } = read(&bytes(body)?)?;
    let (registered, text) = match scan::parse(&qr).map_err(ControlError::bad_request)? {
        Scanned::Chat { number, text } => (simulator.numbers.find_by_display_number(&number), text),
        Scanned::Code(code) => {
            let qr = business::find_qr_code(&simulator.business.qr_codes, &code);
            let (id, qr) = qr.ok_or_else(|| ControlError::bad_request("This QR code has expired"))?;
            (simulator.numbers.get(&id), qr.prefilled_message)
        }
    };
    let registered = registered.ok_or_else(|| ControlError::bad_request("qr does not contain a simulated number"))?;
    let mut message = json!({"from": from, "text": text});
    if let Some(name) = name {
        message["name"] = json!(name);
    }
    Ok(delivery_response(simulator.receive(&registered.number, vec![message])?).await)
}

/// Builds the response after the first delivery attempts. Does not wait for held or delayed webhooks.
async fn delivery_response(dispatched: Dispatched) -> Json<Value> {
    let attempts = match dispatched.first_attempts {
        // The sender is dropped only with the simulator.
        Some(first_attempts) => first_attempts.await.unwrap_or_default(),
        None => Vec::new(),
    };
    Json(json!({"success": true, "ids": dispatched.ids, "deliveries": attempts}))
}

pub(super) fn bytes(body: Body) -> Result<Bytes, ControlError> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            ControlError(StatusCode::PAYLOAD_TOO_LARGE, "The request body is larger than 4 MB".to_owned())
        }
        _ => ControlError::bad_request("The request body could not be read"),
    })
}

pub(super) fn read<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, ControlError> {
    json::parse(body).map_err(invalid)
}

fn invalid(error: serde_json::Error) -> ControlError {
    ControlError::bad_request(format!("The request body is invalid: {error}"))
}
