//! `/{phone number ID}/username` and `/{phone number ID}/username_suggestions` (Meta, *Business-scoped user IDs*).

use axum::{
    Json,
    http::Method,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{GraphRequest, success};
use crate::whatsapp::{
    business::{self, NumberState, username},
    graph_error::GraphError,
    simulator::Simulator,
};

pub(super) fn handle(
    simulator: &Simulator,
    request: &GraphRequest,
    phone_number_id: &str,
) -> Result<Response, GraphError> {
    let numbers = &simulator.business.numbers;
    match request.method {
        Method::GET => {
            let state: NumberState = business::get(numbers, phone_number_id);
            let username = state.username.map(|username| json!({"username": username, "status": "approved"}));
            Ok(Json(username.unwrap_or_else(|| json!({}))).into_response())
        }
        Method::POST => {
            let username = request.parameters.required_string("username")?;
            username::check(&username)?;
            let action = request.parameters.string("transfer_action")?;
            let transfers = match action.as_deref() {
                None | Some("none") => false,
                Some("force_transfer") => true,
                Some(_) => return Err(GraphError::not_one_of("transfer_action", &["none", "force_transfer"])),
            };
            numbers.change(|numbers| {
                let is_taken = |other: &str| username.eq_ignore_ascii_case(other);
                for (_, other) in numbers.iter_mut().filter(|(id, _)| *id != phone_number_id) {
                    if other.username.as_deref().is_some_and(is_taken) {
                        if !transfers {
                            return Err(GraphError::new(147_001, None));
                        }
                        other.username = None;
                    }
                }
                numbers.entry(phone_number_id.to_owned()).or_default().username = Some(username);
                Ok(())
            })?;
            Ok(Json(json!({"status": "approved"})).into_response())
        }
        Method::DELETE => {
            business::change(numbers, phone_number_id, |state| {
                state.username = None;
                Ok::<_, GraphError>(())
            })?;
            Ok(success())
        }
        _ => Err(request.unsupported()),
    }
}

/// Lists the usernames that are reserved for the business: none.
pub(super) fn suggestions(request: &GraphRequest) -> Result<Response, GraphError> {
    if request.method != Method::GET {
        return Err(request.unsupported());
    }
    Ok(Json(json!({"data": [{"username_suggestions": []}]})).into_response())
}
