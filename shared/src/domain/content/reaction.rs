//! A reaction to a message.

use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation;

use super::{ContentError, MESSAGE_ID_LIMIT, object::Object, object::UNSTATED};

/// `reaction` (Meta: "Reaction messages"). An empty `emoji` takes an earlier reaction back.
pub(super) fn reaction(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.text("message_id", MESSAGE_ID_LIMIT)?;
    match object.optional_text("emoji", UNSTATED)? {
        None => Err(object.missing("emoji")),
        Some(emoji) if emoji.is_empty() || is_one_emoji(emoji) => object.close(),
        Some(_) => Err(object.invalid("emoji", "one emoji, or empty to take the reaction back")),
    }
}

/// Whether it looks like one emoji to a person: a single grapheme, however many code points it is made of, that starts
/// as an emoji does. Which ones a phone knows is WhatsApp's to say: Unicode adds some each year.
fn is_one_emoji(text: &str) -> bool {
    let is_keycap = text.ends_with('\u{20e3}');
    let starts_well = text.starts_with(|c| match c {
        '0'..='9' | '#' | '*' => is_keycap,
        // Unicode's emoji-data.txt has none outside of these.
        _ => matches!(c, '©' | '®' | '\u{203c}'..='\u{3299}' | '\u{1f000}'..='\u{1faff}'),
    });
    starts_well && text.graphemes(true).count() == 1 && text.chars().count() <= MAX_EMOJI
}

/// In code points. The longest of Unicode's emoji-zwj-sequences.txt has ten.
const MAX_EMOJI: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_emoji() {
        for emoji in ["👍", "❤️", "❤", "👍🏿", "🇪🇬", "👨‍👩‍👧‍👦", "👩🏻‍❤️‍💋‍👩🏿", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣", "#️⃣", "©️", "ℹ️", "🫡", "㊗️"]
        {
            assert!(is_one_emoji(emoji), "{emoji}");
        }
    }

    #[test]
    fn what_is_no_emoji() {
        let long = format!("👍{}", "\u{200d}👍".repeat(7));
        for text in ["", " ", "a", "ok", ":)", "1", "é", "ж", "م", "漢", "👍👍", "👍 ", " 👍", "👍!", "🇪🇬🇪🇬", &long]
        {
            assert!(!is_one_emoji(text), "{text}");
        }
    }
}
