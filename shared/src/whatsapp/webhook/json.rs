//! JSON read in layers, so that each piece stands or falls by itself.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::{Value, value::RawValue};

use crate::domain::time::Timestamp;

/// An object whose members are not read yet.
#[derive(Default)]
pub(super) struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Members<'a> {
    /// `None` when it is no object.
    pub(super) fn read(raw: &'a RawValue) -> Option<Self> {
        serde_json::from_str(raw.get()).ok().map(Self)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(name).copied()
    }

    /// A member's value. `None` also for one that this reader cannot hold, such as a number of 400 digits.
    pub(super) fn value(&self, name: &str) -> Option<Value> {
        let value = serde_json::from_str(self.raw(name)?.get()).ok()?;
        (!matches!(value, Value::Null)).then_some(value)
    }

    /// A text, or a whole number in its place: WhatsApp writes ids and times both ways.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let text = match self.value(name)? {
            Value::String(text) => text,
            Value::Number(number) => number.as_i64()?.to_string(),
            _ => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    pub(super) fn members(&self, name: &str) -> Option<Self> {
        Self::read(self.raw(name)?)
    }

    pub(super) fn list(&self, name: &str) -> Option<Vec<&'a RawValue>> {
        serde_json::from_str(self.raw(name)?.get()).ok()
    }

    /// Unix seconds, as a string in messages and statuses, as a number in other fields; both are taken everywhere.
    pub(super) fn time(&self, name: &str) -> Option<Timestamp> {
        Timestamp::from_seconds(self.text(name)?.parse().ok()?)
    }

    /// A wamid. Keys of the table hold up to 1,024 bytes.
    pub(super) fn wamid(&self, name: &str) -> Result<String, &'static str> {
        match self.text(name) {
            None => Err("no id"),
            Some(id) if id.len() > 900 => Err("an overlong id"),
            Some(id) => Ok(id),
        }
    }
}

/// Half of a surrogate pair as an escape (`\ud83d` alone) is JSON by its grammar, but no text; some phones send it where
/// an emoji was cut. It becomes U+FFFD, and the message is not lost with it.
pub(super) fn without_lone_surrogates(body: &[u8]) -> Cow<'_, [u8]> {
    let unit = |at: usize| -> Option<u16> {
        let digits = body.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut fixed: Option<Vec<u8>> = None;
    let mut at = 0;
    while at < body.len() {
        if body[at] != b'\\' {
            at += 1;
            continue;
        }
        match (unit(at), unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at += 12,
            (Some(0xd800..=0xdfff), _) => {
                fixed.get_or_insert_with(|| body.to_vec())[at..at + 6].copy_from_slice(b"\\ufffd");
                at += 6;
            }
            (Some(_), _) => at += 6,
            // Another escape; the character after the backslash may be one itself.
            (None, _) => at += 2,
        }
    }
    fixed.map_or(Cow::Borrowed(body), Cow::Owned)
}
