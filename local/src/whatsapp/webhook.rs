//! Webhook bodies as Meta sends them: the envelope, the encoding and the signature.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// The business number a webhook is about.
#[derive(Clone, Debug)]
pub(super) struct Number {
    pub(super) waba_id: String,
    pub(super) phone_number_id: String,
    /// Digits only, as in Meta's examples.
    pub(super) display_phone_number: String,
}

/// A `messages` webhook about `number`. `content` holds what makes it an inbound message or a
/// status: `contacts`, `messages`, `statuses`.
pub(super) fn body(number: &Number, content: Vec<(&str, Value)>) -> String {
    let mut value = json!({
        "messaging_product": "whatsapp",
        "metadata": {
            "display_phone_number": number.display_phone_number,
            "phone_number_id": number.phone_number_id,
        },
    });
    for (key, member) in content {
        value[key] = member;
    }
    let body = json!({
        "object": "whatsapp_business_account",
        "entry": [{"id": number.waba_id, "changes": [{"value": value, "field": "messages"}]}],
    });
    escape_non_ascii(&body.to_string())
}

/// Writes every character outside ASCII as `\uxxxx`. Meta signs the body in this form (Messenger
/// Platform, "Validate payloads": "an escaped unicode version of the payload, with lowercase hex
/// digits"), so code that signs what it has parsed and written again fails. In valid JSON such
/// characters stand in strings only, so the text can be rewritten without reading it.
pub(super) fn escape_non_ascii(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

/// The value of `X-Hub-Signature-256`: `sha256=` and the lower-case hexadecimal HMAC-SHA256 of the
/// body under the app secret (Meta, "Create a webhook endpoint").
pub(super) fn sign(app_secret: &str, body: &[u8]) -> String {
    // HMAC takes a key of any length (RFC 2104), so this is never `None`.
    let digest = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes())
        .ok()
        .map(|mac| mac.chain_update(body).finalize().into_bytes());
    let mut signature = String::from("sha256=");
    for byte in digest.iter().flatten() {
        let _ = write!(signature, "{byte:02x}");
    }
    signature
}

#[cfg(test)]
mod tests;
