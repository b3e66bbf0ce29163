//! Pairing over the Cloud API: the QR code contains a `wa.me` link whose text has a one-time code. The owner scans the
//! QR code and sends the text, the webhook receives the code on a business number, and Qasid links the session to that
//! number.
//!
//! The text contains the session ID and the code, so one conditional write on the session's item decides. Codes need no
//! items of their own, and a new code replaces the previous one.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::id::SessionId;

const PREFIX: &str = "qasid-";

/// The secret of a QR code: 32 hexadecimal digits with 122 random bits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PairingCode(String);

impl PairingCode {
    /// Creates a code from a random UUID (version 4).
    pub fn from_random(random: Uuid) -> Self {
        Self(random.simple().to_string())
    }

    /// Returns the code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Hides the code, because logs must not contain secrets.
impl std::fmt::Debug for PairingCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PairingCode(…)")
    }
}

/// A pairing text that was sent to a business number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairingAttempt {
    /// The session in the text.
    pub session_id: SessionId,
    /// The code in the text, which must match the session's code.
    pub code: PairingCode,
}

/// Returns the link to scan: `https://wa.me/<digits>?text=Link%20…` (Meta, *WhatsApp click to chat*).
pub fn pairing_link(display_phone_number: &str, session_id: SessionId, code: &PairingCode) -> String {
    // Only the space in the text needs escaping.
    format!("https://wa.me/{display_phone_number}?text=Link%20{PREFIX}{}-{}", session_id.to_hex(), code.0)
}

/// Returns the business number in a link, digits only.
pub fn number_of_link(link: &str) -> Option<&str> {
    link.strip_prefix("https://wa.me/")?.split_once('?').map(|(number, _)| number)
}

/// Finds the pairing token in the text of a message. Returns `None` for other texts.
///
/// The owner can have changed the words around the token, and a phone its case.
pub fn pairing_attempt(text: &str) -> Option<PairingAttempt> {
    let text = text.to_ascii_lowercase();
    let token = text.get(text.find(PREFIX)? + PREFIX.len()..)?;
    let (session, code) = (token.get(..32)?, token.get(33..65)?);
    let hex = |digits: &str| digits.bytes().all(|b| b.is_ascii_hexdigit());
    if token.as_bytes().get(32) != Some(&b'-') || !hex(code) {
        return None;
    }
    Some(PairingAttempt { session_id: SessionId::from_hex(session)?, code: PairingCode(code.to_owned()) })
}

/// Why a pairing attempt was rejected, as a sentence for the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairingRefusal {
    /// The code has expired or has been replaced.
    #[error("The QR code had expired when it was sent. Scan the new one.")]
    Expired,
    /// The number is linked to another session.
    #[error("This WhatsApp number is already linked to another session.")]
    NumberTaken,
    /// The number is reserved for another owner.
    #[error("This WhatsApp number belongs to another owner.")]
    OtherOwner,
}

#[cfg(test)]
mod tests;
