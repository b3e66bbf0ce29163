//! Texts of templates: their placeholders, such as `{{1}}` and `{{first_name}}`, and the characters in them.

use std::{borrow::Cow, ops::RangeInclusive};

use serde_json::Value;

/// The blocks of Unicode that contain WhatsApp's emojis.
const EMOJIS: [RangeInclusive<char>; 3] =
    ['\u{1f300}'..='\u{1faff}', '\u{2600}'..='\u{27bf}', '\u{1f1e6}'..='\u{1f1ff}'];

/// Returns a value as text that is not empty. The Graph API also accepts a number or a boolean as text.
pub(super) fn of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text.as_str())).filter(|text| !text.is_empty()),
        Value::Number(_) | Value::Bool(_) => Some(Cow::Owned(value.to_string())),
        _ => None,
    }
}

/// Returns an integer, also from a text.
pub(super) fn integer(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Returns the distinct names in a text's placeholders, in order.
pub(super) fn placeholders(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for (_, placeholder) in parts(text) {
        if let Some(name) = placeholder
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

/// Replaces each placeholder by `value` of its name.
pub(super) fn fill(text: &str, value: impl Fn(&str) -> String) -> String {
    parts(text).into_iter().map(|(literal, name)| literal.to_owned() + &name.map(&value).unwrap_or_default()).collect()
}

/// Returns the text with a space in place of each placeholder.
pub(super) fn literal(text: &str) -> String {
    fill(text, |_| " ".to_owned())
}

/// Returns whether a placeholder begins or ends the text.
pub(super) fn has_placeholder_at_an_end(text: &str) -> bool {
    let text = text.trim();
    let parts = parts(text);
    let begins = parts.first().is_some_and(|(literal, name)| literal.is_empty() && name.is_some());
    begins || text.ends_with("}}") && !placeholders(text).is_empty()
}

/// Returns whether a placeholder follows another one without text between them.
pub(super) fn has_adjacent_placeholders(text: &str) -> bool {
    parts(text).into_iter().skip(1).any(|(literal, name)| literal.trim().is_empty() && name.is_some())
}

pub(super) fn count_emojis(text: &str) -> usize {
    text.chars().filter(|c| EMOJIS.iter().any(|block| block.contains(c))).count()
}

/// Splits a text into literals, each with the name in the placeholder that follows it.
fn parts(text: &str) -> Vec<(&str, Option<&str>)> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once("{{")
        && let Some((name, tail)) = after.split_once("}}")
    {
        parts.push((literal, Some(name.trim())));
        rest = tail;
    }
    parts.push((rest, None));
    parts
}

#[cfg(test)]
mod tests;
