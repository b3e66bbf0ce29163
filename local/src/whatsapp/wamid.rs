//! WhatsApp message ids.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::clock;

/// Which way a message goes; the id tells.
#[derive(Clone, Copy, Debug)]
pub(super) enum Direction {
    /// From a user to the business.
    Inbound,
    /// From the business to a user.
    Outbound,
}

/// A fresh message id in the shape of a real one: `wamid.` and the Base64 of a small binary record
/// that holds the user's address and a random part in hexadecimal. The layout was read off ids in
/// Meta's published examples; it matters because real ids are long and hold `=`, `+` and `/`, which
/// an invented id would not.
pub(super) fn fresh(peer: &str, direction: Direction) -> String {
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
    // An address has at most 135 bytes, so the length always fits the one byte it has.
    record.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    record.extend(text.as_bytes());
}

#[cfg(test)]
mod tests;
