//! The caller's own reference of a message.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The maximum length of a reference, in characters.
const LIMIT: usize = 512;

/// A text by which the caller recognizes a message, such as an order number: 1 to 512 printable characters. WhatsApp
/// doesn't receive it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reference(String);

/// The text isn't a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reference must have 1 to {LIMIT} printable characters")]
pub struct InvalidReference;

impl Reference {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_printable = |c: char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}');
        let is_short = text.chars().nth(LIMIT).is_none();
        let is_valid = is_short && !text.trim().is_empty() && text.chars().all(is_printable);
        if is_valid { Ok(Self(text.to_owned())) } else { Err(InvalidReference) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reference_has_1_to_512_printable_characters() {
        for valid in ["a", "order 17/2026", "طلب ١٧", "👩‍👩‍👧", "می‌خواهم", &"é".repeat(512)]
        {
            assert_eq!(valid.parse::<Reference>().unwrap().as_str(), valid);
        }
        for invalid in ["", " ", "\u{3000}", "a\nb", "a\tb", "a\0", "\u{7f}", "\u{85}", "a\u{2028}b", &"é".repeat(513)]
        {
            assert_eq!(invalid.parse::<Reference>(), Err(InvalidReference), "{invalid:?}");
        }
        assert_eq!(InvalidReference.to_string(), "reference must have 1 to 512 printable characters");
    }

    proptest! {
        /// An accepted reference is stored and shown unchanged.
        #[test]
        fn an_accepted_reference_is_unchanged(text in "\\PC{0,600}") {
            if let Ok(reference) = text.parse::<Reference>() {
                let json = serde_json::to_string(&reference).unwrap();
                prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            }
        }
    }
}
