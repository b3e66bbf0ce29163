//! Controls for calls of users. The business enables calls with Meta's `POST /{phone number ID}/settings`, and answers with
//! `POST /{phone number ID}/calls`.
//!
//! - `POST /simulator/calls` with `{"from", "name"?, "phoneNumberId"?}` lets a user call a business number. Returns the
//!   call's ID in `ids`.
//! - `DELETE /simulator/calls/{id}` lets the user hang up.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State, rejection::PathRejection},
    routing::{delete, post},
};
use serde_json::Value;

use super::{Body, ControlError, bytes, delivery_response, read};
use crate::whatsapp::simulator::{Simulator, calls::CallCommand};

pub(super) fn routes() -> Router<Arc<Simulator>> {
    Router::new().route("/simulator/calls", post(call)).route("/simulator/calls/{id}", delete(hang_up))
}

async fn call(State(simulator): State<Arc<Simulator>>, body: Body) -> Result<Json<Value>, ControlError> {
    let command: CallCommand = read(&bytes(body)?)?;
    Ok(delivery_response(simulator.call(command)?).await)
}

async fn hang_up(
    State(simulator): State<Arc<Simulator>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, ControlError> {
    let Path(id) = id.map_err(|error| ControlError::bad_request(error.body_text()))?;
    Ok(delivery_response(simulator.hang_up(&id)?).await)
}
