//! Cursors: where the reader of a list goes on.
//!
//! A cursor is a place in the list's own order, and not a count, so that what is added or moved in the meantime shifts
//! nothing. It is bound to its list by a hash, so that a place of one list is not taken for a place of another. The hash
//! is no secret, and needs not be: a cursor holds no right, only a time and an id, and whoever makes one up has chosen
//! where to start reading a list that he may read anyway.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::time::Timestamp;

/// Changes when the bytes below do.
const VERSION: u8 = 1;
const CHECK_LENGTH: usize = 8;
const LENGTH: usize = 1 + 8 + 16 + CHECK_LENGTH;

/// A place in a list that is ordered by time, and by id where times are the same.
///
/// Its text (`2026-11-23T12:00:00.000Z#<id>`) sorts as it does, and is what the keys of the table end in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The time of what is there.
    pub at: Timestamp,
    /// Its id.
    pub id: Uuid,
}

/// The text is no cursor of this list.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("cursor is not one that this list has given: use its nextCursor, or leave it out to start from the beginning")]
pub struct InvalidCursor;

impl Position {
    /// The cursor that goes on after this place in `list`: whatever tells one list from another, filters included.
    pub fn cursor(&self, list: &str) -> String {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.push(VERSION);
        bytes.extend(self.at.milliseconds().to_be_bytes());
        bytes.extend(self.id.as_bytes());
        bytes.extend(check(list, &bytes));
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The inverse of [`Position::cursor`].
    pub fn from_cursor(cursor: &str, list: &str) -> Result<Self, InvalidCursor> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| InvalidCursor)?;
        let (place, found) = bytes.split_at_checked(LENGTH - CHECK_LENGTH).ok_or(InvalidCursor)?;
        let [VERSION, place @ ..] = place else { return Err(InvalidCursor) };
        if found != check(list, &bytes[..LENGTH - CHECK_LENGTH]) {
            return Err(InvalidCursor);
        }
        let (time, id) = place.split_first_chunk::<8>().ok_or(InvalidCursor)?;
        let at = Timestamp::from_milliseconds(i64::from_be_bytes(*time)).ok_or(InvalidCursor)?;
        Ok(Self { at, id: Uuid::from_slice(id).map_err(|_| InvalidCursor)? })
    }

    /// Reads the text form.
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

fn check(list: &str, place: &[u8]) -> [u8; CHECK_LENGTH] {
    let mut hash = Sha256::new();
    hash.update(list.len().to_be_bytes());
    hash.update(list);
    hash.update(place);
    let mut check = [0; CHECK_LENGTH];
    check.copy_from_slice(&hash.finalize()[..CHECK_LENGTH]);
    check
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn position() -> impl Strategy<Value = Position> {
        (0i64..253_402_300_799_000, any::<u128>()).prop_map(|(milliseconds, id)| Position {
            at: Timestamp::from_milliseconds(milliseconds).unwrap(),
            id: Uuid::from_u128(id),
        })
    }

    proptest! {
        #[test]
        fn a_cursor_reads_back_in_its_own_list_only(position in position(), list in any::<String>(), other in any::<String>()) {
            let cursor = position.cursor(&list);
            prop_assert_eq!(Position::from_cursor(&cursor, &list), Ok(position));
            prop_assert_eq!(Position::from_cursor(&cursor, &other).is_ok(), list == other);
        }

        #[test]
        fn a_changed_cursor_is_refused(position in position(), at in 0usize..LENGTH, bit in 0u32..8) {
            let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(position.cursor("list")).unwrap();
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(Position::from_cursor(&BASE64_URL_SAFE_NO_PAD.encode(bytes), "list"), Err(InvalidCursor));
        }

        #[test]
        fn no_text_panics(text in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(Position::from_cursor(&text, "list").is_err());
            prop_assert!(Position::from_cursor(&BASE64_URL_SAFE_NO_PAD.encode(bytes), "list").is_err());
        }

        #[test]
        fn texts_sort_as_positions_do(a in position(), b in position()) {
            prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
            prop_assert_eq!(Position::parse(&a.to_string()), Some(a));
        }
    }
}
