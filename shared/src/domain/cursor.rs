//! Cursors for paginated lists.
//!
//! A cursor is a position in the list's sort order, not an offset, so items that are added or moved between requests
//! don't shift the pages. A hash binds the cursor to its list, so that it is rejected for other lists. The hash is not
//! keyed: a cursor contains only a time and an ID and grants no access. A forged cursor only selects where to start in
//! a list that the caller can read anyway.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::time::Timestamp;

/// The versions of the byte layout.
const VERSION: u8 = 1;
const MESSAGE_VERSION: u8 = 2;
const EXTERNAL_VERSION: u8 = 3;
const CHECK_LENGTH: usize = 8;

/// The maximum length of a cursor, in bytes. Those of the table's lists have up to 61, and others a few hundred.
const MAX_LENGTH: usize = 1024;

/// A position in a list that is sorted by time and then by ID.
///
/// Its text form (`2026-11-23T12:00:00.000Z#<id>`) has the same sort order and is the end of the table's sort keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The time of the item.
    pub at: Timestamp,
    /// The ID of the item.
    pub id: Uuid,
}

/// The text is not a cursor of this list.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid cursor for this list: use its nextCursor, or omit cursor to start from the beginning.")]
pub struct InvalidCursor;

impl Position {
    /// Returns the cursor for the page after this position. `list` identifies the list, including its filters.
    pub fn cursor(&self, list: &str) -> String {
        encode(list, &[&[VERSION], &self.at.milliseconds().to_be_bytes(), self.id.as_bytes()])
    }

    /// Parses a cursor of `list`, the inverse of [`Position::cursor`].
    pub fn from_cursor(cursor: &str, list: &str) -> Result<Self, InvalidCursor> {
        let content = decode(cursor, list)?;
        let [VERSION, position @ ..] = &content[..] else { return Err(InvalidCursor) };
        let (at, id) = split_time(position)?;
        Ok(Self { at, id: Uuid::from_slice(id).map_err(|_| InvalidCursor)? })
    }

    /// Parses the text form.
    pub fn parse(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('#')?;
        Some(Self { at: at.parse().ok()?, id: Uuid::try_parse(id).ok()? })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.at, self.id.hyphenated())
    }
}

/// A message's position in the list of its chat: by second, and within a second by arrival.
///
/// WhatsApp's timestamps have whole seconds, and contacts send several messages within one. The table's sort keys order
/// the messages of a second by a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessagePosition {
    /// The second of the message's timestamp.
    pub second: Timestamp,
    /// When the message was stored.
    pub arrived_at: Timestamp,
    /// The place among the messages that arrived together.
    pub index: u32,
    /// The message's ID.
    pub id: Uuid,
}

impl MessagePosition {
    /// Returns the cursor for the page after this position. See [`Position::cursor`].
    pub fn cursor(&self, list: &str) -> String {
        let [second, arrived_at] = [self.second, self.arrived_at].map(|time| time.milliseconds().to_be_bytes());
        encode(list, &[&[MESSAGE_VERSION], &second, &arrived_at, &self.index.to_be_bytes(), self.id.as_bytes()])
    }

    /// Parses a cursor of `list`, the inverse of [`MessagePosition::cursor`].
    pub fn from_cursor(cursor: &str, list: &str) -> Result<Self, InvalidCursor> {
        let content = decode(cursor, list)?;
        let [MESSAGE_VERSION, position @ ..] = &content[..] else { return Err(InvalidCursor) };
        let (second, rest) = split_time(position)?;
        let (arrived_at, rest) = split_time(rest)?;
        let (index, id) = rest.split_first_chunk().ok_or(InvalidCursor)?;
        let id = Uuid::from_slice(id).map_err(|_| InvalidCursor)?;
        Ok(Self { second, arrived_at, index: u32::from_be_bytes(*index), id })
    }
}

/// A position in a list of another service: that service's own cursor, whose content only it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalPosition(pub String);

impl ExternalPosition {
    /// Returns the cursor for the page after this position. See [`Position::cursor`].
    pub fn cursor(&self, list: &str) -> String {
        encode(list, &[&[EXTERNAL_VERSION], self.0.as_bytes()])
    }

    /// Parses a cursor of `list`, the inverse of [`ExternalPosition::cursor`].
    pub fn from_cursor(cursor: &str, list: &str) -> Result<Self, InvalidCursor> {
        let content = decode(cursor, list)?;
        let [EXTERNAL_VERSION, position @ ..] = &content[..] else { return Err(InvalidCursor) };
        String::from_utf8(position.to_vec()).map(Self).map_err(|_| InvalidCursor)
    }
}

/// Returns the text of a cursor: its content and the hash that binds it to `list`.
fn encode(list: &str, content: &[&[u8]]) -> String {
    let mut bytes = content.concat();
    bytes.extend(check(list, &bytes));
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns the content of a cursor of `list`.
fn decode(cursor: &str, list: &str) -> Result<Vec<u8>, InvalidCursor> {
    if cursor.len() > MAX_LENGTH {
        return Err(InvalidCursor);
    }
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| InvalidCursor)?;
    let hash = bytes.split_off(bytes.len().checked_sub(CHECK_LENGTH).ok_or(InvalidCursor)?);
    if hash == check(list, &bytes) { Ok(bytes) } else { Err(InvalidCursor) }
}

fn split_time(bytes: &[u8]) -> Result<(Timestamp, &[u8]), InvalidCursor> {
    let (time, rest) = bytes.split_first_chunk().ok_or(InvalidCursor)?;
    let time = Timestamp::from_milliseconds(i64::from_be_bytes(*time)).ok_or(InvalidCursor)?;
    Ok((time, rest))
}

fn check(list: &str, content: &[u8]) -> [u8; CHECK_LENGTH] {
    let mut hash = Sha256::new();
    hash.update(list.len().to_be_bytes());
    hash.update(list);
    hash.update(content);
    let mut check = [0; CHECK_LENGTH];
    check.copy_from_slice(&hash.finalize()[..CHECK_LENGTH]);
    check
}

#[cfg(test)]
mod tests;
