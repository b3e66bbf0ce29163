//! `{{name}}` and `{{message}}` in a reply.

use serde_json::{Map, Value};

use crate::domain::content::{self, Content};

/// The members whose texts people read. Anywhere else, as in a link or an id, a contact's words could lead WhatsApp or us
/// astray.
const TEXTS: [&str; 6] = ["body", "caption", "description", "message", "text", "title"];

/// What stands in for a value that has nothing to show, and for what was cut off.
const ELLIPSIS: &str = "…";

/// What the placeholders become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    name: String,
    message: String,
}

/// A placeholder that cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlaceholderError {
    /// Something else than the two between braces, or braces without an end.
    #[error("{field} has an unknown placeholder: use {{{{name}}}} and {{{{message}}}}, and no other double braces")]
    Unknown {
        /// The field, as a path.
        field: String,
    },
    /// One where no text is read by people.
    #[error("{field} must have no double braces: placeholders go into texts")]
    Misplaced {
        /// The field, as a path.
        field: String,
    },
}

impl Values {
    /// The contact's name and what he wrote, each on one line: some texts of WhatsApp take no more.
    pub fn new(name: &str, message: &str) -> Self {
        Self { name: one_line(name), message: one_line(message) }
    }

    /// The shortest values that there can be.
    pub(crate) fn shortest() -> Self {
        Self::new("", "")
    }

    fn cut(&self, limit: usize) -> Self {
        Self { name: cut(&self.name, limit), message: cut(&self.message, limit) }
    }
}

fn one_line(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { ELLIPSIS.to_owned() } else { line }
}

/// The text in up to `limit` characters.
fn cut(text: &str, limit: usize) -> String {
    if text.chars().nth(limit).is_none() {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    kept.trim_end().to_owned() + ELLIPSIS
}

/// Fills a reply and reads it as a message to send. Values are cut until no text is over WhatsApp's limit of it; `None`
/// when that does not help.
pub(super) fn render(reply: &Map<String, Value>, values: &Values) -> Option<Content> {
    let mut limit = crate::domain::message::TEXT_LIMIT;
    while limit > 0 {
        if let Ok(content) = content::read(&fill_members(reply, &values.cut(limit))) {
            return content;
        }
        limit /= 2;
    }
    None
}

/// The reply with its placeholders filled, whatever its length.
pub(crate) fn fill_members(members: &Map<String, Value>, values: &Values) -> Map<String, Value> {
    members.iter().map(|(name, value)| (name.clone(), fill(value, values))).collect()
}

fn fill(value: &Value, values: &Values) -> Value {
    match value {
        Value::String(text) => Value::String(filled(text, values)),
        Value::Array(entries) => entries.iter().map(|entry| fill(entry, values)).collect(),
        Value::Object(members) => Value::Object(fill_members(members, values)),
        other => other.clone(),
    }
}

/// What a value brings along is not looked at again: a contact who writes `{{name}}` is quoted.
fn filled(text: &str, values: &Values) -> String {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, after)) = next_placeholder(rest) {
        done.push_str(before);
        done.push_str(if name == "name" { &values.name } else { &values.message });
        rest = after;
    }
    done + rest
}

/// The text before the first placeholder, its name, and the text after it.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    let name = name.trim();
    matches!(name, "name" | "message").then_some((before, name, after))
}

/// Whether every placeholder is one that can be filled, where it stands.
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
