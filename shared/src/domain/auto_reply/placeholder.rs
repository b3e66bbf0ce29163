//! The placeholders `{{name}}` and `{{message}}` in a reply.

use serde_json::{Map, Value};

use crate::domain::{
    content::{self, Content},
    message::TEXT_LIMIT,
};

/// The members that can contain placeholders, because people read their text. Elsewhere, such as in a link or an ID,
/// the contact could inject a value.
const TEXTS: [&str; 6] = ["body", "caption", "description", "message", "text", "title"];

/// Replaces an empty value and the rest of a truncated one.
const ELLIPSIS: &str = "…";

/// The values of the placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    name: String,
    message: String,
}

/// A placeholder that can't be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlaceholderError {
    /// An unknown name between braces, or unclosed braces.
    #[error("{field} has an unknown placeholder: use {{{{name}}}} and {{{{message}}}}, and no other double braces")]
    Unknown {
        /// The field, as a path.
        field: String,
    },
    /// A placeholder in a member that people don't read.
    #[error("{field} must not contain double braces: placeholders are allowed in texts only")]
    Misplaced {
        /// The field, as a path.
        field: String,
    },
}

impl Values {
    /// Creates the values from the contact's name and message, each on one line, because some WhatsApp texts don't
    /// allow line breaks.
    pub fn new(name: &str, message: &str) -> Self {
        Self { name: one_line(name), message: one_line(message) }
    }

    /// Returns the shortest possible values.
    pub(crate) fn shortest() -> Self {
        Self::new("", "")
    }

    fn truncated(&self, limit: usize) -> Self {
        Self { name: truncate(&self.name, limit), message: truncate(&self.message, limit) }
    }
}

fn one_line(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { ELLIPSIS.to_owned() } else { line }
}

/// Truncates the text to `limit` characters.
fn truncate(text: &str, limit: usize) -> String {
    if text.chars().nth(limit).is_none() {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    kept.trim_end().to_owned() + ELLIPSIS
}

/// Fills the placeholders of a reply and validates the result as content to send. Truncates the values until no text
/// exceeds WhatsApp's limit. Returns `None` if the content is still invalid.
pub(super) fn render(reply: &Map<String, Value>, values: &Values) -> Option<Content> {
    let mut limit = TEXT_LIMIT;
    while limit > 0 {
        if let Ok(content) = content::read(&fill_members(reply, &values.truncated(limit))) {
            return content;
        }
        limit /= 2;
    }
    None
}

/// Fills the placeholders in `members` without checking lengths.
pub(crate) fn fill_members(members: &Map<String, Value>, values: &Values) -> Map<String, Value> {
    members.iter().map(|(name, value)| (name.clone(), fill(value, values))).collect()
}

fn fill(value: &Value, values: &Values) -> Value {
    match value {
        Value::String(text) => Value::String(fill_text(text, values)),
        Value::Array(entries) => entries.iter().map(|entry| fill(entry, values)).collect(),
        Value::Object(members) => Value::Object(fill_members(members, values)),
        other => other.clone(),
    }
}

/// Fills the placeholders in one pass: placeholders in a contact's message are not filled.
fn fill_text(text: &str, values: &Values) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, after)) = next_placeholder(rest) {
        filled.push_str(before);
        filled.push_str(if name == "name" { &values.name } else { &values.message });
        rest = after;
    }
    filled + rest
}

/// Returns the text before the first placeholder, its name, and the text after it.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    let name = name.trim();
    matches!(name, "name" | "message").then_some((before, name, after))
}

/// Checks that every placeholder is known and in a member that can contain placeholders.
pub(crate) fn check(reply: &Map<String, Value>, path: &str) -> Result<(), PlaceholderError> {
    reply.iter().try_for_each(|(name, value)| check_value(value, name, &format!("{path}.{name}")))
}

fn check_value(value: &Value, name: &str, path: &str) -> Result<(), PlaceholderError> {
    match value {
        Value::String(text) if !TEXTS.contains(&name) && text.contains("{{") => {
            Err(PlaceholderError::Misplaced { field: path.to_owned() })
        }
        Value::String(text) => check_text(text, path),
        Value::Array(entries) => {
            entries.iter().enumerate().try_for_each(|(at, entry)| check_value(entry, name, &format!("{path}[{at}]")))
        }
        Value::Object(members) => check(members, path),
        _ => Ok(()),
    }
}

fn check_text(text: &str, path: &str) -> Result<(), PlaceholderError> {
    let mut rest = text;
    while rest.contains("{{") {
        let Some((_, _, after)) = next_placeholder(rest) else {
            return Err(PlaceholderError::Unknown { field: path.to_owned() });
        };
        rest = after;
    }
    Ok(())
}
