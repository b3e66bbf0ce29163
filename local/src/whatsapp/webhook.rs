//! Webhook bodies in Meta's format: envelope, encoding, and signature.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::templates::AccountUpdate;

/// A business number.
#[derive(Clone, Debug)]
pub(super) struct BusinessNumber {
    pub(super) waba_id: String,
    pub(super) phone_number_id: String,
    /// Digits only, as in Meta's examples.
    pub(super) display_phone_number: String,
}

/// Builds a `messages` webhook for `number`. `content` holds the members of an inbound message or a status: `contacts`,
/// `messages`, `statuses`.
pub(super) fn body(number: &BusinessNumber, content: Vec<(&str, Value)>) -> String {
    change(number, "messages", content)
}

/// Builds a webhook for `number` with a change of `field`.
pub(super) fn change(number: &BusinessNumber, field: &str, content: Vec<(&str, Value)>) -> String {
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
        "entry": [{"id": number.waba_id, "changes": [{"value": value, "field": field}]}],
    });
    escape(&body.to_string())
}

/// Builds a webhook about an account, sent at `now` in Unix seconds.
pub(super) fn account_body(update: &AccountUpdate, now: i64) -> String {
    let change = json!({"value": update.value, "field": update.field});
    let entry = json!({"id": update.waba_id, "time": now, "changes": [change]});
    escape(&json!({"object": "whatsapp_business_account", "entry": [entry]}).to_string())
}

/// Escapes `/` as `\/` and every non-ASCII character as `\uxxxx`. Meta signs the body in this form (Messenger Platform,
/// *Validate payloads*: "an escaped unicode version of the payload, with lowercase hex digits"), so a signature over a
/// parsed and reserialized body fails. Valid JSON contains these characters only in strings, so no parsing is needed.
pub(super) fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    let mut is_escaped = false;
    for c in json.chars() {
        match c {
            '/' if !is_escaped => escaped.push_str(r"\/"),
            _ if c.is_ascii() => escaped.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            }
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    escaped
}

/// Returns the value of `X-Hub-Signature-256`: `sha256=` and the lowercase hexadecimal HMAC-SHA256 of the body with the
/// app secret as key (Meta, *Create a webhook endpoint*).
pub(super) fn sign(app_secret: &str, body: &[u8]) -> String {
    // HMAC accepts keys of any length (RFC 2104), so this is never `None`.
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
