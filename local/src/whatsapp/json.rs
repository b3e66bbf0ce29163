//! JSON that can be stored: `serde_json` reads 128 levels, and the journal wraps what it stores in a few more.

use serde::{Deserialize, de::Error};

const MAX_LEVELS: usize = 64;

/// Parses JSON with up to 64 levels of objects and arrays.
pub(super) fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> serde_json::Result<T> {
    if levels(text) > MAX_LEVELS {
        return Err(serde_json::Error::custom(format!("objects and arrays can have at most {MAX_LEVELS} levels")));
    }
    serde_json::from_slice(text)
}

fn levels(text: &[u8]) -> usize {
    let (mut level, mut max, mut in_string, mut is_escaped) = (0_usize, 0, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                level += 1;
                max = max.max(level);
            }
            b']' | b'}' if !in_string => level = level.saturating_sub(1),
            _ => {}
        }
    }
    max
}
