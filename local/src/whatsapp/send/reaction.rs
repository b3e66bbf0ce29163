//! Reactions (Meta, *Reaction messages*). Whether the message exists is checked when the reaction is accepted.

use serde_json::Value;

use super::param::{Param, invalid};
use crate::whatsapp::graph_error::GraphError;

pub(super) fn check(content: &Value) -> Result<(), GraphError> {
    let reaction = Param::new("reaction".to_owned(), content, &["message_id", "emoji"])?;
    reaction.required_text("message_id")?;
    // An empty text removes the reaction.
    let emoji = reaction.text("emoji")?.ok_or_else(|| GraphError::missing(&reaction.path("emoji")))?;
    if emoji.is_empty() || is_one_emoji(&emoji) {
        return Ok(());
    }
    Err(invalid(format!("{} must be one emoji, or empty to remove the reaction", reaction.path("emoji"))))
}

/// Returns whether `text` has the form of one emoji: a flag of two regional indicators, or symbols joined by zero-width
/// joiners, each with modifiers (Unicode Technical Standard #51, *Emoji sequences*).
fn is_one_emoji(text: &str) -> bool {
    let is_regional = |c: &char| matches!(c, '\u{1f1e6}'..='\u{1f1ff}');
    if text.chars().any(|c| is_regional(&c)) {
        return text.chars().count() == 2 && text.chars().all(|c| is_regional(&c));
    }
    text.split('\u{200d}').all(|joined| {
        let mut symbols = joined.chars();
        let first = symbols.next();
        let modifiers = symbols.as_str();
        match first {
            Some('0'..='9' | '#' | '*') => modifiers.trim_start_matches('\u{fe0f}') == "\u{20e3}",
            Some(first) => is_symbol(first) && modifiers.chars().all(is_modifier),
            None => false,
        }
    })
}

fn is_symbol(c: char) -> bool {
    matches!(c, '\u{a9}' | '\u{ae}' | '\u{203c}'..='\u{2b55}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}'
        | '\u{1f000}'..='\u{1faff}')
        && !is_modifier(c)
}

/// Variation selectors, skin tones, and the tags of a flag.
fn is_modifier(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}')
}
