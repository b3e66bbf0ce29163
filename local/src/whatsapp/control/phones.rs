//! Controls for the phones of users. Every number is a phone; `{number}` is a phone number or a business-scoped user ID.
//!
//! - `GET /simulator/phones` lists the phones with messages or settings: `{"phones": […]}`, in order of their number.
//!   `?after=<number>` continues after a phone, `?limit=<n>` returns up to 1,000 (100 by default).
//! - `GET /simulator/phones/{number}` returns a phone: its user, its settings (see [`PhoneSettings`]), and its
//!   conversations with unread counts and typing indicators.
//! - `PATCH /simulator/phones/{number}` changes the user or the settings (see [`PhoneUpdate`]). Messages that waited for
//!   the change get their ticks, for example when the phone is `online` again.
//! - `GET /simulator/phones/{number}/messages` returns the messages and calls of a phone in the order of the
//!   conversation: `{"messages": […], "cursor", "more", "phone"}`. The phone shows a message of the business from
//!   `delivered` on. `?after=<cursor>` returns only new and changed messages, `?wait=<seconds>` waits for the first one,
//!   and `?limit=<n>` returns up to 1,000 (the default).
//! - `POST /simulator/phones/{number}/ticks` reports messages of the business as `sent`, `delivered`, `read`, `played`, or
//!   `failed` (see [`TickCommand`]).
//!
//! [`PhoneSettings`]: crate::whatsapp::phones::PhoneSettings

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Body, ControlError, bytes, delivery_response, read};
use crate::whatsapp::{
    simulator::{
        Simulator,
        phones::{Phone, PhoneUpdate, TickCommand},
    },
    users::Address,
};

const MAX_PAGE: usize = 1000;
const DEFAULT_PHONES: usize = 100;
const MAX_WAIT_SECONDS: u64 = 30;

pub(super) fn routes() -> Router<Arc<Simulator>> {
    Router::new()
        .route("/simulator/phones", get(list))
        .route("/simulator/phones/{number}", get(show).patch(change))
        .route("/simulator/phones/{number}/messages", get(messages))
        .route("/simulator/phones/{number}/ticks", post(tick))
}

type Number = Result<Path<String>, PathRejection>;

fn address(number: Number) -> Result<Address, ControlError> {
    let number = number.map_err(|error| ControlError::bad_request(error.body_text()))?;
    Address::parse(&number).ok_or_else(|| {
        ControlError::bad_request(
            "The path must contain a phone number with its country code, or a business-scoped user ID",
        )
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    after: Option<String>,
    limit: Option<usize>,
}

async fn list(
    State(simulator): State<Arc<Simulator>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Value>, ControlError> {
    let Query(query) = query.map_err(|error| ControlError::bad_request(error.body_text()))?;
    let after = query.after.unwrap_or_default();
    let after = Address::parse(&after).map_or(after, |address| address.as_str().to_owned());
    let limit = limit(query.limit, DEFAULT_PHONES)?;
    Ok(Json(json!({"phones": simulator.phones(&after, limit)})))
}

async fn show(State(simulator): State<Arc<Simulator>>, number: Number) -> Result<Json<Phone>, ControlError> {
    Ok(Json(simulator.phone(&address(number)?)))
}

async fn change(
    State(simulator): State<Arc<Simulator>>,
    number: Number,
    body: Body,
) -> Result<Json<Phone>, ControlError> {
    let update: PhoneUpdate = read(&bytes(body)?)?;
    Ok(Json(simulator.change_phone(&address(number)?, update)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedQuery {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
    #[serde(default)]
    wait: u64,
}

async fn messages(
    State(simulator): State<Arc<Simulator>>,
    number: Number,
    query: Result<Query<FeedQuery>, QueryRejection>,
) -> Result<Json<Value>, ControlError> {
    let address = address(number)?;
    let Query(FeedQuery { after, limit: up_to, wait }) =
        query.map_err(|error| ControlError::bad_request(error.body_text()))?;
    if wait > MAX_WAIT_SECONDS {
        return Err(ControlError::bad_request(format!("wait must be at most {MAX_WAIT_SECONDS} seconds")));
    }
    let page = simulator.feed(&address, after, limit(up_to, MAX_PAGE)?, Duration::from_secs(wait)).await;
    let mut response = json!(page);
    response["phone"] = json!(simulator.phone(&address));
    Ok(Json(response))
}

fn limit(limit: Option<usize>, default: usize) -> Result<usize, ControlError> {
    match limit.unwrap_or(default) {
        limit @ 1..=MAX_PAGE => Ok(limit),
        _ => Err(ControlError::bad_request(format!("limit must be from 1 to {MAX_PAGE}"))),
    }
}

async fn tick(
    State(simulator): State<Arc<Simulator>>,
    number: Number,
    body: Body,
) -> Result<Json<Value>, ControlError> {
    let command: TickCommand = read(&bytes(body)?)?;
    Ok(delivery_response(simulator.tick(&address(number)?, &command)?).await)
}
