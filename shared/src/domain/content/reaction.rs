//! Reactions to messages.

use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation;

use super::{
    ContentError, MESSAGE_ID_LIMIT,
    object::{NO_LIMIT, Object},
};

/// The maximum length of an emoji, in code points. The longest in Unicode's emoji-zwj-sequences.txt has ten.
const MAX_EMOJI_LENGTH: usize = 14;

/// Reads `reaction` (Meta, *Reaction messages*). An empty `emoji` removes an earlier reaction.
pub(super) fn reaction(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.text("message_id", MESSAGE_ID_LIMIT)?;
    match object.optional_text("emoji", NO_LIMIT)? {
        None => Err(object.missing("emoji")),
        Some(emoji) if emoji.is_empty() || is_one_emoji(emoji) => object.finish(),
        Some(_) => Err(object.invalid("emoji", "one emoji, or empty to remove the reaction")),
    }
}

/// Returns whether the text looks like one emoji: a single grapheme, which can have several code points, that starts
/// like an emoji. WhatsApp decides which emoji it supports, because Unicode adds new ones every year.
fn is_one_emoji(text: &str) -> bool {
    let is_keycap = text.ends_with('\u{20e3}');
    let has_emoji_start = text.starts_with(|c| match c {
        '0'..='9' | '#' | '*' => is_keycap,
        // Unicode's emoji-data.txt has no emoji outside these ranges.
        _ => matches!(c, '©' | '®' | '\u{203c}'..='\u{3299}' | '\u{1f000}'..='\u{1faff}'),
    });
    has_emoji_start && text.graphemes(true).count() == 1 && text.chars().count() <= MAX_EMOJI_LENGTH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_emoji_is_accepted() {
        for emoji in ["👍", "❤️", "❤", "👍🏿", "🇪🇬", "👨‍👩‍👧‍👦", "👩🏻‍❤️‍💋‍👩🏿", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣", "#️⃣", "©️", "ℹ️", "🫡", "㊗️"]
        {
            assert!(is_one_emoji(emoji), "{emoji}");
        }
    }

    #[test]
    fn other_texts_are_rejected() {
        let long = format!("👍{}", "\u{200d}👍".repeat(7));
        for text in ["", " ", "a", "ok", ":)", "1", "é", "ж", "م", "漢", "👍👍", "👍 ", " 👍", "👍!", "🇪🇬🇪🇬", &long]
        {
            assert!(!is_one_emoji(text), "{text}");
        }
    }
}
