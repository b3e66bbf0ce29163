//! `/{phone number ID}/calls`: answers and ends calls of users.

use axum::{
    Json,
    http::Method,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    super::{calls, graph_error::GraphError, numbers::RegisteredNumber, simulator::Simulator},
    GraphRequest,
};

pub(super) async fn handle(
    simulator: &Simulator,
    request: GraphRequest,
    number: RegisteredNumber,
) -> Result<Response, GraphError> {
    if request.method != Method::POST {
        return Err(request.unsupported());
    }
    simulator.check_calling(&number.number)?;
    simulator.answer_call(&number.number, calls::parse(&request.parameters)?)?;
    Ok(Json(json!({"messaging_product": "whatsapp", "success": true})).into_response())
}
