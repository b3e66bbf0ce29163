//! Every limit at its edge, every documented shape whole, and arbitrary JSON.

mod basic;
mod interactive;
mod properties;
mod template;

use serde_json::{Value, json};

use super::{Content, ContentError, read};

/// Reads a request.
fn read_value(request: &Value) -> Result<Option<Content>, ContentError> {
    read(request.as_object().unwrap())
}

/// The request goes to WhatsApp as it is.
#[track_caller]
fn accepts(request: &Value) -> Content {
    let content = read_value(request).unwrap().unwrap();
    assert_eq!(&content.json, request);
    content
}

/// The request is refused with this sentence.
#[track_caller]
fn refuses(request: &Value, sentence: &str) {
    assert_eq!(read_value(request).unwrap_err().to_string(), sentence, "{request}");
}

/// At `path` (a JSON pointer) of the request, a text of `limit` characters is taken and one of one more is not. The
/// characters have several bytes, and several UTF-16 units.
#[track_caller]
fn limits(request: &Value, path: &str, limit: usize) {
    let field = path.trim_start_matches('/').replace('/', ".");
    let field = field.split('.').fold(String::new(), |path, part| match (part.parse::<usize>(), path.is_empty()) {
        (Ok(at), _) => format!("{path}[{at}]"),
        (_, true) => part.to_owned(),
        _ => format!("{path}.{part}"),
    });
    accepts(&with(request, path, json!("😀".repeat(limit))));
    let sentence = format!("{field} has {} characters: WhatsApp takes up to {limit}", limit + 1);
    refuses(&with(request, path, json!("😀".repeat(limit + 1))), &sentence);
}

/// The request with another value at `path` (a JSON pointer) where there is one already, or a new member.
fn with(request: &Value, path: &str, value: Value) -> Value {
    let mut request = request.clone();
    let (parent, name) = path.rsplit_once('/').unwrap();
    match request.pointer_mut(path) {
        Some(place) => *place = value,
        None => drop(request.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(name.to_owned(), value)),
    }
    request
}

/// The request without the member at `path` (a JSON pointer).
fn without(request: &Value, path: &str) -> Value {
    let mut request = request.clone();
    let (parent, name) = path.rsplit_once('/').unwrap();
    request.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    request
}
