//! `/{phone number ID}`: the fields of a business number.

use axum::{
    Json,
    http::Method,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    super::{graph_error::GraphError, limits::DEFAULT_THROUGHPUT, numbers::RegisteredNumber},
    GraphRequest,
};

pub(super) async fn handle(request: GraphRequest, number: RegisteredNumber) -> Result<Response, GraphError> {
    if request.method != Method::GET {
        return Err(request.unsupported());
    }
    let fields = request.parameters.fields()?;
    number_fields(&number, fields.as_deref()).map(|fields| Json(fields).into_response())
}

fn number_fields(registered: &RegisteredNumber, fields: Option<&[String]>) -> Result<Value, GraphError> {
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
    for field in fields {
        let Some(value) = all.get(field) else {
            return Err(GraphError::parameter(&format!(
                "Tried accessing nonexisting field ({field}) on node type (WhatsAppBusinessPhoneNumber)"
            )));
        };
        chosen[field] = value.clone();
    }
    Ok(chosen)
}
