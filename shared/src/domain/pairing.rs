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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attempt() -> (PairingAttempt, String) {
        let attempt = PairingAttempt {
            session_id: SessionId::for_owner("ada"),
            code: PairingCode::from_random(Uuid::from_u128(0xabc)),
        };
        let link = pairing_link("15550001111", attempt.session_id, &attempt.code);
        let text = link.split_once("?text=").unwrap().1.replace("%20", " ");
        (attempt, text)
    }

    #[test]
    fn the_links_text_is_an_attempt() {
        let (attempt, text) = attempt();
        assert_eq!(pairing_attempt(&text), Some(attempt.clone()));
        assert_eq!(pairing_attempt(&format!("hello {}!", text.to_uppercase())), Some(attempt));
    }

    #[test]
    fn a_link_names_its_number() {
        let link = pairing_link("15550001111", SessionId::for_owner("ada"), &attempt().0.code);
        assert_eq!(number_of_link(&link), Some("15550001111"));
        assert_eq!(number_of_link("2@kV3"), None);
    }

    #[test]
    fn other_texts_are_not() {
        let (_, text) = attempt();
        for text in ["", "hello", "qasid-", &text[..text.len() - 1], &text.replace("qasid-", "qasid-g")] {
            assert_eq!(pairing_attempt(text), None, "{text}");
        }
    }

    #[test]
    fn the_text_fits_into_a_prefilled_message() {
        // Meta: "QR codes and short links", prefilled messages have up to 140 characters.
        assert!(attempt().1.len() <= 140);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>(), tail in "qasid-[0-9a-f]{0,70}[-é]?[0-9a-fé]{0,70}") {
            pairing_attempt(&text);
            pairing_attempt(&(text + &tail));
        }
    }
}
