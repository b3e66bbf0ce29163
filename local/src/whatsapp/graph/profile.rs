//! `/{phone number ID}/whatsapp_business_profile` (Meta, *Business profiles*).

use axum::{
    Json,
    http::Method,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{GraphRequest, success};
use crate::whatsapp::{
    business::{self, NumberState},
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
            let profile = state.profile.fields(request.parameters.fields()?.as_deref())?;
            Ok(Json(json!({"data": [profile]})).into_response())
        }
        Method::POST => {
            business::change(numbers, phone_number_id, |state| state.profile.update(&request.parameters))?;
            Ok(success())
        }
        _ => Err(request.unsupported()),
    }
}
