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

/// The version of the byte layout.
const VERSION: u8 = 1;
const CHECK_LENGTH: usize = 8;
const LENGTH: usize = 1 + 8 + 16 + CHECK_LENGTH;

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
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.push(VERSION);
        bytes.extend(self.at.milliseconds().to_be_bytes());
        bytes.extend(self.id.as_bytes());
        bytes.extend(check(list, &bytes));
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Parses a cursor of `list`, the inverse of [`Position::cursor`].
    pub fn from_cursor(cursor: &str, list: &str) -> Result<Self, InvalidCursor> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| InvalidCursor)?;
        let (content, hash) = bytes.split_at_checked(LENGTH - CHECK_LENGTH).ok_or(InvalidCursor)?;
        let [VERSION, position @ ..] = content else { return Err(InvalidCursor) };
        if hash != check(list, content) {
            return Err(InvalidCursor);
        }
        let (time, id) = position.split_first_chunk::<8>().ok_or(InvalidCursor)?;
        let at = Timestamp::from_milliseconds(i64::from_be_bytes(*time)).ok_or(InvalidCursor)?;
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
