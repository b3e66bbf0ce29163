//! Sessions, as changes contain them.

use serde::Serialize;

use crate::domain::{id::SessionId, session::Session, time::Timestamp};

/// The state of a session, without its settings and its QR code: changes can be read without the scope `sessions`, and
/// everyone who has the code can link a number to the session.
#[derive(Debug, Serialize)]
pub struct SessionStateResponse<'a> {
    id: SessionId,
    owner_id: &'a str,
    is_ready: bool,
    is_connected: bool,
    qr_expires_at: Option<Timestamp>,
    phone_number_id: Option<&'a str>,
    pairing_error: Option<&'a str>,
    paused_reason: Option<&'a str>,
}

impl<'a> From<&'a Session> for SessionStateResponse<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            id: session.id,
            owner_id: &session.owner_id,
            is_ready: session.is_ready,
            is_connected: session.is_connected,
            qr_expires_at: session.qr_expires_at,
            phone_number_id: session.phone_number_id.as_deref(),
            pairing_error: session.pairing_error.as_deref(),
            paused_reason: session.paused_reason.as_deref(),
        }
    }
}
