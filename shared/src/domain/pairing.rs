//! Pairing over the Cloud API: the QR code contains a `wa.me` link whose text has a one-time code. The owner scans the
//! QR code and sends the text, the webhook receives the code on a business number, and Qasid links the session to that
//! number.
//!
//! The text contains the session ID and the code, so the session's item tells whether it is an attempt to pair. Codes
//! need no items of their own, and a new code replaces the previous one. [`super::pairing_decision`] has the rules.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::id::SessionId;

const PREFIX: &str = "qasid-";

/// The maximum number of tokens to read in a text. A phone can have the text of an earlier QR code in its draft.
const MAX_TOKENS: usize = 3;

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

/// Finds the pairing tokens in the text of a message, at most three. Whether a token is an attempt to pair depends on
/// the session that it names: see [`super::pairing_decision`].
///
/// The owner can have changed the words around the token, and a phone its case.
pub fn pairing_attempts(text: &str) -> Vec<PairingAttempt> {
    let text = text.to_ascii_lowercase();
    let mut attempts = Vec::new();
    for (at, prefix) in text.match_indices(PREFIX) {
        if let Some(attempt) = text.get(at + prefix.len()..).and_then(parse_token)
            && !attempts.contains(&attempt)
        {
            attempts.push(attempt);
        }
        if attempts.len() == MAX_TOKENS {
            break;
        }
    }
    attempts
}

/// Parses the token at the start of a text, without its prefix.
fn parse_token(token: &str) -> Option<PairingAttempt> {
    let (session, code) = (token.get(..32)?, token.get(33..65)?);
    let hex = |digits: &str| digits.bytes().all(|b| b.is_ascii_hexdigit());
    if token.as_bytes().get(32) != Some(&b'-') || !hex(code) {
        return None;
    }
    Some(PairingAttempt { session_id: SessionId::from_hex(session)?, code: PairingCode(code.to_owned()) })
}

#[cfg(test)]
mod tests;
