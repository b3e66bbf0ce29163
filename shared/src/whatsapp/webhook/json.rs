//! Lazy JSON parsing: each object's fields stay raw until they are read, so an invalid one doesn't affect the others.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::{Value, value::RawValue};

use crate::domain::{id::MAX_ID_BYTES, number::is_phone_number_id, time::Timestamp};

/// A JSON object with unparsed fields.
#[derive(Default)]
pub(super) struct Object<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Object<'a> {
    /// Returns `None` if `raw` isn't an object.
    pub(super) fn parse(raw: &'a RawValue) -> Option<Self> {
        serde_json::from_str(raw.get()).ok().map(Self)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn raw(&self, key: &str) -> Option<&'a RawValue> {
        self.0.get(key).copied()
    }

    /// Returns a field's value. `None` for null, and for values that `serde_json` can't represent, such as a number
    /// with 400 digits.
    pub(super) fn value(&self, key: &str) -> Option<Value> {
        let value = serde_json::from_str(self.raw(key)?.get()).ok()?;
        (!matches!(value, Value::Null)).then_some(value)
    }

    /// Returns a nonempty string. Accepts integers, because WhatsApp writes IDs and times both ways.
    pub(super) fn string(&self, key: &str) -> Option<String> {
        let string = match self.value(key)? {
            Value::String(string) => string,
            Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
            _ => return None,
        };
        (!string.is_empty()).then_some(string)
    }

    pub(super) fn object(&self, key: &str) -> Option<Self> {
        Self::parse(self.raw(key)?)
    }

    pub(super) fn array(&self, key: &str) -> Option<Vec<&'a RawValue>> {
        serde_json::from_str(self.raw(key)?.get()).ok()
    }

    /// Returns a time in Unix seconds. Messages and statuses have a string, other fields a number. Accepts both.
    pub(super) fn time(&self, key: &str) -> Option<Timestamp> {
        Timestamp::from_seconds(self.string(key)?.parse().ok()?)
    }

    /// Returns the time of a message or status, or why it is unusable.
    pub(super) fn timestamp(&self) -> Result<Timestamp, &'static str> {
        let reason = if self.raw("timestamp").is_some() { "invalid timestamp" } else { "missing timestamp" };
        self.time("timestamp").ok_or(reason)
    }

    /// Returns an ID of Meta's for a number or an account. Keys and URLs contain it, so it must consist of digits.
    pub(super) fn meta_id(&self, key: &str) -> Option<String> {
        self.string(key).filter(|id| is_phone_number_id(id))
    }

    /// Returns a message's ID, or why it is unusable.
    pub(super) fn wamid(&self, key: &str) -> Result<String, &'static str> {
        match self.string(key) {
            None => Err("missing id"),
            Some(id) if id.len() > MAX_ID_BYTES => Err("id too long"),
            Some(id) => Ok(id),
        }
    }
}

/// Decodes a body, so that one odd byte doesn't affect the rest: skips byte order marks, whitespace, and NUL at both
/// ends, reads UTF-16, replaces bytes that aren't UTF-8 by U+FFFD, and escapes control characters
/// in strings.
pub(super) fn decode(body: &[u8]) -> Cow<'_, [u8]> {
    let text = match body {
        [0xff, 0xfe, units @ ..] | units @ [b'{', 0, _, 0, ..] => Cow::Owned(from_utf16(units, u16::from_le_bytes)),
        [0xfe, 0xff, units @ ..] | units @ [0, b'{', 0, ..] => Cow::Owned(from_utf16(units, u16::from_be_bytes)),
        _ => String::from_utf8_lossy(body),
    };
    let is_around = |c: char| c.is_ascii_whitespace() || matches!(c, '\0' | '\u{feff}');
    let text = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches(is_around).as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.trim_matches(is_around).as_bytes().to_vec()),
    };
    match escape_control_characters(&text) {
        Some(escaped) => Cow::Owned(escaped),
        None => text,
    }
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units)
}

/// Escapes control characters in strings, and replaces those that aren't whitespace elsewhere by spaces. `None` if there
/// are none.
fn escape_control_characters(body: &[u8]) -> Option<Vec<u8>> {
    let mut escaped: Option<Vec<u8>> = None;
    let (mut is_string, mut is_escape) = (false, false);
    for (at, &byte) in body.iter().enumerate() {
        let is_control = byte < b' ' && (is_string || !byte.is_ascii_whitespace() || byte == b'\x0c');
        match (is_control, &mut escaped) {
            (true, escaped) => {
                let escaped = escaped.get_or_insert_with(|| body[..at].to_vec());
                match (is_string, is_escape) {
                    // The backslash before it is text: it doesn't begin an escape.
                    (true, true) => escaped.extend(format!("\\\\u{byte:04x}").bytes()),
                    (true, false) => escaped.extend(format!("\\u{byte:04x}").bytes()),
                    (false, _) => escaped.push(b' '),
                }
            }
            (false, Some(escaped)) => escaped.push(byte),
            (false, None) => {}
        }
        match byte {
            _ if is_escape => is_escape = false,
            b'\\' => is_escape = is_string,
            b'"' => is_string = !is_string,
            _ => {}
        }
    }
    escaped
}

/// Replaces escaped lone surrogates (`\ud83d` without its pair) by U+FFFD. Some phones send them where they truncated
/// an emoji. They are valid JSON but not valid Unicode, so `serde_json` would reject the message.
pub fn replace_lone_surrogates(body: &[u8]) -> Cow<'_, [u8]> {
    let code_unit = |at: usize| -> Option<u16> {
        let digits = body.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut replaced: Option<Vec<u8>> = None;
    let mut at = 0;
    while at < body.len() {
        if body[at] != b'\\' {
            at += 1;
            continue;
        }
        match (code_unit(at), code_unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at += 12,
            (Some(0xd800..=0xdfff), _) => {
                replaced.get_or_insert_with(|| body.to_vec())[at..at + 6].copy_from_slice(b"\\ufffd");
                at += 6;
            }
            (Some(_), _) => at += 6,
            // Another escape. Skips the escaped character too, because it can be a backslash.
            (None, _) => at += 2,
        }
    }
    replaced.map_or(Cow::Borrowed(body), Cow::Owned)
}
