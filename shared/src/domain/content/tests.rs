//! Tests of every limit, every documented shape, and arbitrary JSON.

mod basic;
mod commerce;
mod interactive;
mod properties;
mod template;

use serde_json::{Value, json};

use super::{Content, ContentError, read};

/// Reads a request.
fn read_value(request: &Value) -> Result<Option<Content>, ContentError> {
    read(request.as_object().unwrap())
}

/// Asserts that the request is valid and goes to WhatsApp unchanged.
#[track_caller]
fn accepts(request: &Value) -> Content {
    let content = read_value(request).unwrap().unwrap();
    assert_eq!(&content.json, request);
    content
}

/// Asserts that the request is rejected with this error message.
#[track_caller]
fn rejects(request: &Value, sentence: &str) {
    assert_eq!(read_value(request).unwrap_err().to_string(), sentence, "{request}");
}

/// Asserts that the text at `path` (a JSON pointer) can have up to `limit` characters. The characters have several
/// bytes and several UTF-16 code units.
#[track_caller]
fn limits_text(request: &Value, path: &str, limit: usize) {
    let field = path.trim_start_matches('/').replace('/', ".");
    let field = field.split('.').fold(String::new(), |path, part| match (part.parse::<usize>(), path.is_empty()) {
        (Ok(index), _) => format!("{path}[{index}]"),
        (_, true) => part.to_owned(),
        _ => format!("{path}.{part}"),
    });
    accepts(&with(request, path, json!("😀".repeat(limit))));
    let sentence = format!("{field} has {} characters: WhatsApp allows up to {limit}", limit + 1);
    rejects(&with(request, path, json!("😀".repeat(limit + 1))), &sentence);
}

/// Returns the request with `value` at `path` (a JSON pointer), which replaces a value or adds a member.
fn with(request: &Value, path: &str, value: Value) -> Value {
    let mut request = request.clone();
    let (parent, name) = path.rsplit_once('/').unwrap();
    match request.pointer_mut(path) {
        Some(target) => *target = value,
        None => drop(request.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(name.to_owned(), value)),
    }
    request
}

/// Returns the request without the member at `path` (a JSON pointer).
fn without(request: &Value, path: &str) -> Value {
    let mut request = request.clone();
    let (parent, name) = path.rsplit_once('/').unwrap();
    request.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    request
}
