//! Validates values against the schemas of `openapi.yaml`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use jsonschema::{Registry, ValidationError, Validator, error::ValidationErrorKind};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

use super::document::{Document, Node};

/// The characters of a JSON pointer that a URI's fragment can't have.
const FRAGMENT: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'{').add(b'}').add(b'^');
/// The longest text of a violation: the rest of a large value doesn't help.
const MAX_TEXT_CHARS: usize = 400;

/// Who writes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// A client, whose values have the described members only: the schemas say so.
    Request,
    /// Qasid, whose values must have the described members only. The schemas allow others, because clients must ignore
    /// those that later versions add.
    Response,
}

/// The schemas of a description, compiled when they are first used.
pub struct Schemas {
    requests: Registry<'static>,
    responses: Registry<'static>,
    compiled: Mutex<HashMap<(Direction, String), Arc<Validator>>>,
}

impl Schemas {
    pub fn new(document: &Document) -> Self {
        let mut closed = document.0.clone();
        close(&mut closed);
        let registry = |json: Value| Registry::new().add("urn:openapi", json).unwrap().prepare().unwrap();
        Self { requests: registry(document.0.clone()), responses: registry(closed), compiled: Mutex::default() }
    }

    /// Returns what is wrong with a value: for each violation, the place in the value and a sentence.
    pub fn violations(&self, direction: Direction, schema: &Node<'_>, value: &Value) -> Vec<String> {
        let validator = self.validator(direction, &schema.pointer);
        validator.iter_errors(value).flat_map(|error| describe(&error)).collect()
    }

    fn validator(&self, direction: Direction, pointer: &str) -> Arc<Validator> {
        let mut compiled = self.compiled.lock().unwrap();
        let validator = compiled.entry((direction, pointer.to_owned())).or_insert_with(|| {
            let registry = match direction {
                Direction::Request => &self.requests,
                Direction::Response => &self.responses,
            };
            let schema = json!({"$ref": format!("urn:openapi#{}", utf8_percent_encode(pointer, FRAGMENT))});
            let options = jsonschema::options().with_registry(registry).should_validate_formats(true);
            let validator = options.build(&schema).unwrap_or_else(|error| panic!("{pointer}: {error}"));
            Arc::new(validator)
        });
        validator.clone()
    }
}

/// Forbids other members in every object schema that doesn't allow them explicitly.
fn close(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let is_schema = members.get("type").is_some_and(is_object_type) && members.contains_key("properties");
            if is_schema {
                members.entry("additionalProperties").or_insert(Value::Bool(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

fn is_object_type(value: &Value) -> bool {
    value == "object" || value.as_array().is_some_and(|types| types.contains(&json!("object")))
}

/// Describes a violation. For a value that should match one of several schemas, describes those of the nearest one.
fn describe(error: &ValidationError<'_>) -> Vec<String> {
    let branches = match error.kind() {
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => context,
        _ => return vec![format!("{} {}", place(error), shortened(&error.to_string()))],
    };
    // The branch that gets furthest is probably the one that was meant.
    let nearest = branches.iter().filter(|errors| !errors.is_empty()).max_by_key(|errors| {
        let depth = errors.iter().map(|error| error.instance_path().as_str().matches('/').count()).max();
        let wrong_constants =
            errors.iter().filter(|error| matches!(error.kind(), ValidationErrorKind::Constant { .. }));
        (std::cmp::Reverse(wrong_constants.count()), depth, std::cmp::Reverse(errors.len()))
    });
    let mut texts: Vec<String> = nearest.into_iter().flatten().flat_map(describe).collect();
    if let Some(first) = texts.first_mut() {
        first.push_str(&format!(" (or another of the {} alternatives)", branches.len()));
    }
    texts
}

fn place(error: &ValidationError<'_>) -> String {
    match error.instance_path().as_str() {
        "" => "the value:".to_owned(),
        pointer => format!("{pointer}:"),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT_CHARS) {
        Some((end, _)) => {
            let tail: String = text.chars().rev().take(100).collect::<Vec<_>>().into_iter().rev().collect();
            format!("{}…{tail}", &text[..end])
        }
        None => text.to_owned(),
    }
}
