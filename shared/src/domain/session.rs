//! A session links one owner to one WhatsApp business number.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{
    id::SessionId,
    message::Channel,
    pairing::{PairingCode, pairing_link},
    time::Timestamp,
};

/// How long a QR code can be scanned.
pub const QR_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// The largest owner id, in bytes of UTF-8.
pub const OWNER_ID_LIMIT: usize = 256;

/// What becomes of a message that may have been sent, when nothing is heard of it until its deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownPolicy {
    /// It is failed: never a second copy, at the price of a message that may be missing.
    #[default]
    Fail,
    /// It is sent again: never a missing message, at the price of a possible second copy.
    Resend,
}

/// A session as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Derived from the owner: an owner has one session.
    pub id: SessionId,
    /// The caller's own name for the owner (`userId`).
    pub owner_id: String,
    /// Whether messages can be sent.
    pub is_ready: bool,
    /// Whether a WhatsApp number is linked.
    pub is_connected: bool,
    /// The text of the QR code to scan; `None` when connected, or when there is nothing to scan yet.
    pub qr: Option<String>,
    /// When `qr` stops being good.
    pub qr_expires_at: Option<Timestamp>,
    /// The secret inside `qr`: whoever sends it to the number links the number to this session. Never answered.
    pub pairing_code: Option<PairingCode>,
    /// Why the last attempt to pair was refused, as a sentence for the owner.
    pub pairing_error: Option<String>,
    /// WhatsApp's id of the linked number. A worker's session has its own id in its place.
    pub phone_number_id: Option<String>,
    /// Who carries its messages.
    #[serde(default)]
    pub channel: Channel,
    /// Why nothing is sent at present, as WhatsApp says it; until `POST /api/session/resume`.
    #[serde(default)]
    pub paused_reason: Option<String>,
    /// What becomes of a message whose fate stays unknown.
    #[serde(default)]
    pub unknown_policy: UnknownPolicy,
    /// When the session was made.
    pub created_at: Timestamp,
    /// When the session last changed.
    pub updated_at: Timestamp,
}

/// The QR code of a session that waits to be paired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qr {
    /// The link to encode.
    pub link: String,
    /// The one-time code inside the link.
    pub code: PairingCode,
    /// When the code stops being good.
    pub expires_at: Timestamp,
}

impl Qr {
    /// A new code for `session_id`, to be sent to the business number `display_phone_number` (digits only).
    pub fn new(session_id: SessionId, display_phone_number: &str, code: PairingCode, now: Timestamp) -> Self {
        let link = pairing_link(display_phone_number, session_id, &code);
        Self { link, code, expires_at: now.after(QR_LIFETIME) }
    }
}

/// What asking for a session's QR code finds.
#[derive(Debug, PartialEq, Eq)]
pub enum QrState<'a> {
    /// Already linked: there is nothing to scan.
    Connected,
    /// None yet: a linked-device worker will supply it.
    None,
    /// No longer good; to be replaced.
    Expired,
    /// Good until the time given.
    Valid(&'a str, Timestamp),
}

impl Session {
    /// A session that waits to be paired. Without a `qr` (no Cloud API number is configured) a worker pairs it.
    pub fn new(owner_id: String, qr: Option<Qr>, now: Timestamp) -> Self {
        let mut session = Self {
            id: SessionId::for_owner(&owner_id),
            owner_id,
            is_ready: false,
            is_connected: false,
            qr: None,
            qr_expires_at: None,
            pairing_code: None,
            pairing_error: None,
            phone_number_id: None,
            channel: Channel::CloudApi,
            paused_reason: None,
            unknown_policy: UnknownPolicy::Fail,
            created_at: now,
            updated_at: now,
        };
        if let Some(qr) = qr {
            session.qr = Some(qr.link);
            session.qr_expires_at = Some(qr.expires_at);
            session.pairing_code = Some(qr.code);
        }
        session
    }

    /// The state of the QR code at `now`.
    pub fn qr_state(&self, now: Timestamp) -> QrState<'_> {
        match (&self.qr, self.qr_expires_at) {
            _ if self.is_connected => QrState::Connected,
            (Some(_), Some(expires_at)) if expires_at <= now => QrState::Expired,
            (Some(qr), Some(expires_at)) => QrState::Valid(qr, expires_at),
            _ => QrState::None,
        }
    }

    /// The row as answers give it.
    pub fn response(&self) -> SessionResponse<'_> {
        SessionResponse {
            id: self.id,
            owner_id: &self.owner_id,
            is_ready: self.is_ready,
            is_connected: self.is_connected,
            qr: self.qr.as_deref(),
            qr_expires_at: self.qr_expires_at,
            phone_number_id: self.phone_number_id.as_deref(),
            pairing_error: self.pairing_error.as_deref(),
            paused_reason: self.paused_reason.as_deref(),
            unknown_policy: self.unknown_policy,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// A session as answers give it: `null` where unset.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of Session")]
pub struct SessionResponse<'a> {
    pub id: SessionId,
    pub owner_id: &'a str,
    pub is_ready: bool,
    pub is_connected: bool,
    pub qr: Option<&'a str>,
    pub qr_expires_at: Option<Timestamp>,
    pub phone_number_id: Option<&'a str>,
    pub pairing_error: Option<&'a str>,
    pub paused_reason: Option<&'a str>,
    pub unknown_policy: UnknownPolicy,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).unwrap()
    }

    #[test]
    fn a_qr_code_is_good_for_five_minutes() {
        let code = PairingCode::from_random(Uuid::from_u128(7));
        let qr = Qr::new(SessionId::for_owner("ada"), "15550001111", code, at(1_000));
        let mut session = Session::new("ada".to_owned(), Some(qr), at(1_000));
        assert!(matches!(session.qr_state(at(1_299)), QrState::Valid(_, expires_at) if expires_at == at(1_300)));
        assert_eq!(session.qr_state(at(1_300)), QrState::Expired);
        session.is_connected = true;
        assert_eq!(session.qr_state(at(1_300)), QrState::Connected);
    }

    #[test]
    fn without_a_number_a_session_waits_for_its_worker() {
        assert_eq!(Session::new("ada".to_owned(), None, at(0)).qr_state(at(9)), QrState::None);
    }
}
