//! Dry runs of auto-reply rules, as requests contain them.

use crate::{
    domain::{caller::Caller, time::Timestamp},
    http::{ApiError, Body},
    services::auto_reply::DryRun,
};

impl DryRun {
    /// Parses `{"sessionId", "text", "at"?, "chatId"?}`. 404 for a session of another owner.
    pub fn read(body: &Body, caller: &Caller) -> Result<Self, ApiError> {
        let body = body.object(&["sessionId", "text", "at", "chatId"])?;
        let at = body.string("at")?.map(Timestamp::parse_saturating).transpose();
        let chat_id = body.string("chatId")?.map(str::parse).transpose();
        let session_id = body.session_id()?;
        let text = body.required("text")?.to_owned();
        let at = at.map_err(|_| ApiError::invalid_field("at must be a time like 2026-11-23T12:00:00Z"))?;
        let chat_id = chat_id.map_err(|_| ApiError::invalid_field("chatId must be a UUID"))?;
        Ok(Self { session_id: caller.session(session_id)?, text, at, chat_id })
    }
}
