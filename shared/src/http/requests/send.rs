//! Messages to send, as requests contain them.

use crate::{
    domain::{caller::Caller, content, identity::Address, time::Timestamp},
    http::{ApiError, ErrorCode, JsonObject, read_session_id},
    services::send::SendRequest,
};

impl SendRequest {
    /// Parses `{"sessionId", "to", "message"}`, or a typed message in the Cloud API's own shape instead of `message`;
    /// with `validUntil`, after which it is not sent. 404 for a session of another owner.
    pub fn read(body: &JsonObject, idempotency_key: Option<&str>, caller: &Caller) -> Result<Self, ApiError> {
        let session_id = body.string("sessionId")?;
        let to = body.string("to")?;
        let content = content::read(body.fields())?;
        let (Some(session_id), Some(to), Some(content)) = (not_blank(session_id), not_blank(to), content) else {
            return Err(ApiError::new(ErrorCode::MissingField, "sessionId, to, and message are required"));
        };
        let session_id = caller.session(read_session_id(session_id)?)?;
        let address = Address::parse(to).ok_or_else(|| {
            let hint = "give a phone number with its country code, a business-scoped user id or a jid";
            ApiError::new(ErrorCode::InvalidRecipient, format!("to is not a WhatsApp address: {hint}"))
        })?;
        let valid_until = body.string("validUntil")?.map(read_time).transpose()?;
        let idempotency_key = idempotency_key.map(read_idempotency_key).transpose()?;
        Ok(Self { session_id, to: to.trim().to_owned(), address, content, valid_until, idempotency_key })
    }
}

fn not_blank(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}

fn read_time(text: &str) -> Result<Timestamp, ApiError> {
    text.parse().map_err(|_| ApiError::invalid_field("validUntil must be a time like 2026-11-23T12:00:00Z"))
}

fn read_idempotency_key(key: &str) -> Result<String, ApiError> {
    if (1..=255).contains(&key.len()) {
        return Ok(key.to_owned());
    }
    Err(ApiError::new(ErrorCode::InvalidHeader, "Idempotency-Key must have 1 to 255 characters"))
}
