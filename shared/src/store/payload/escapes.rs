//! JSON in which every character outside ASCII is escaped, as Meta sends it: an Arabic letter has 6 bytes instead of 2.

use std::fmt::Write;

/// Returns JSON with its escapes of characters outside ASCII resolved; `None` unless [`escaped`] restores it exactly.
pub(super) fn unescaped(json: &str) -> Option<String> {
    if !json.contains("\\u") {
        return None;
    }
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some((before, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        text += before;
        let length = match escaped_character(escape) {
            Some(character) => {
                text.push(character);
                6 * character.len_utf16()
            }
            None => {
                // The character after a backslash may be another backslash.
                let length = escape.char_indices().nth(2).map_or(escape.len(), |(end, _)| end);
                text += escape.get(..length)?;
                length
            }
        };
        rest = escape.get(length..)?;
    }
    text += rest;
    (escaped(&text) == json).then_some(text)
}

/// Returns the character outside ASCII whose escape the text begins with.
fn escaped_character(escape: &str) -> Option<char> {
    let unit = |text: &str| u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
    let units = [unit(escape)?].into_iter().chain(escape.get(6..).and_then(unit));
    char::decode_utf16(units).next()?.ok().filter(|character| !character.is_ascii())
}

/// Escapes every character outside ASCII, with lowercase digits.
pub(super) fn escaped(text: &str) -> String {
    let mut json = String::with_capacity(text.len() * 3);
    for character in text.chars() {
        if character.is_ascii() {
            json.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string can't fail.
                let _ = write!(json, "\\u{unit:04x}");
            }
        }
    }
    json
}
