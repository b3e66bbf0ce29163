//! WhatsApp message IDs.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::clock;

/// The direction of a message, which is part of its ID.
#[derive(Clone, Copy, Debug)]
pub(super) enum Direction {
    /// From a user to the business.
    Inbound,
    /// From the business to a user.
    Outbound,
}

/// Generates a message ID in WhatsApp's format: `wamid.` and the Base64 encoding of a binary record with the user's
/// address and random hexadecimal digits. The layout is taken from Meta's published examples. Like real IDs, the result
/// is long and contains `=`, `+`, and `/`.
pub(super) fn generate(peer: &str, direction: Direction) -> String {
    let random = clock::random().simple().to_string().to_uppercase();
    let (marker, random) = match direction {
        Direction::Inbound => (0x12, &random[..20]),
        Direction::Outbound => (0x11, &random[..18]),
    };
    let mut record = vec![0x1c, 0x18];
    push_text(&mut record, peer);
    record.extend([0x15, 0x02, 0x00, marker, 0x18]);
    push_text(&mut record, random);
    record.push(0);
    format!("wamid.{}", STANDARD.encode(record))
}

fn push_text(record: &mut Vec<u8>, text: &str) {
    // An address has at most 135 bytes, so its length fits one byte.
    record.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    record.extend(text.as_bytes());
}

#[cfg(test)]
mod tests;
