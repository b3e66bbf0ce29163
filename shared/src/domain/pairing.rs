//! Pairing over the Cloud API: the QR code holds a `wa.me` link with a one-time code as its text. The owner scans it and
//! presses send; the webhook receives the code on a business number, and the session is linked to that number.
//!
//! The text names the session beside the code, so that one conditional write on the session row decides: no item per
//! code is needed, and an old code cannot outlive its session's next one.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::id::SessionId;

const PREFIX: &str = "qasid-";

/// The secret of one QR code: 32 hexadecimal digits, 122 random bits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PairingCode(String);

impl PairingCode {
    /// A code from a random (version 4) UUID.
    pub fn from_random(random: Uuid) -> Self {
        Self(random.simple().to_string())
    }

    /// The code as it is compared and stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Codes are secrets, and secrets are never logged.
impl std::fmt::Debug for PairingCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PairingCode(…)")
    }
}

/// A pairing text that someone sent to a business number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairingAttempt {
    /// The session that the text names.
    pub session_id: SessionId,
    /// The code that must be the session's own.
    pub code: PairingCode,
}

/// The link to scan: `https://wa.me/<digits>?text=Link%20…` (Meta: "WhatsApp click to chat").
pub fn pairing_link(display_phone_number: &str, session_id: SessionId, code: &PairingCode) -> String {
    // Nothing in the text needs escaping but the blanks.
    format!("https://wa.me/{display_phone_number}?text=Link%20{PREFIX}{}-{}", session_id.to_hex(), code.0)
}

/// The number that a link leads to, digits only.
pub fn number_of_link(link: &str) -> Option<&str> {
    link.strip_prefix("https://wa.me/")?.split_once('?').map(|(number, _)| number)
}

/// Finds the pairing token in a message's text; `None` for any other message.
///
/// The owner may have changed the words around it, and a phone may have changed its case.
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

/// Why a pairing attempt was refused, as a sentence for the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairingRefusal {
    /// The code was sent after its time, or has been replaced since.
    #[error("The QR code had expired when it was sent. Scan the new one.")]
    Expired,
    /// One number belongs to one session.
    #[error("This WhatsApp number is already linked to another session.")]
    NumberTaken,
    /// The number is set to be another owner's.
    #[error("This WhatsApp number belongs to another owner.")]
    OtherOwner,
}

#[cfg(test)]
mod tests;
