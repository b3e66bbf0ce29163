//! `/{phone number ID}/calls`: answers and ends calls of users; and `/{phone number ID}/call_permissions`.

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

/// Returns that the business may not call a user: no user of the simulated WhatsApp permits it (Meta, *User call
/// permissions*).
pub(super) fn permissions(request: &GraphRequest) -> Result<Response, GraphError> {
    if request.method != Method::GET {
        return Err(request.unsupported());
    }
    if request.parameters.string("recipient")?.is_none() {
        request.parameters.required_string("user_wa_id")?;
    }
    let limit = |period: &str, maximum: u32| json!({"time_period": period, "max_allowed": maximum, "current_usage": 0});
    Ok(Json(json!({
        "messaging_product": "whatsapp",
        "permission": {"status": "no_permission"},
        "actions": [
            {
                "action_name": "send_call_permission_request",
                "can_perform_action": true,
                "limits": [limit("PT24H", 1), limit("P7D", 2)],
            },
            {"action_name": "start_call", "can_perform_action": false, "limits": [limit("PT24H", 10)]},
        ],
    }))
    .into_response())
}
