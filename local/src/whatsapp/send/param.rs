//! Reads the objects of a message with the errors of the Graph API, which name a parameter by its path.

use std::{borrow::Cow, ops::RangeInclusive};

use serde_json::{Map, Value};

use crate::whatsapp::graph_error::GraphError;

/// An object in a message, such as `interactive['action']`.
#[derive(Debug)]
pub(super) struct Param<'a> {
    path: String,
    members: &'a Map<String, Value>,
}

impl<'a> Param<'a> {
    /// Reads the object at `path` with members named in `known`. Meta refuses others, unlike unknown parameters of a
    /// request.
    pub(super) fn new(path: String, value: &'a Value, known: &[&str]) -> Result<Param<'a>, GraphError> {
        let object = Param::open(path, value)?;
        match object.members.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => {
                Err(GraphError::parameter(&format!("Unexpected key \"{name}\" on param \"{}\".", object.path)))
            }
            None => Ok(object),
        }
    }

    /// Reads the object at `path` with any members.
    fn open(path: String, value: &'a Value) -> Result<Param<'a>, GraphError> {
        match value {
            Value::Object(members) => Ok(Param { path, members }),
            _ => Err(GraphError::parameter(&format!("Param {path} must be a JSON object."))),
        }
    }

    /// Returns the path of the member `name`.
    pub(super) fn path(&self, name: &str) -> String {
        format!("{}['{name}']", self.path)
    }

    /// Returns the member `name`. `null` is equivalent to a missing member.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Returns an optional text. The Graph API also accepts a number or a boolean as text.
    pub(super) fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, GraphError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(Cow::Borrowed(text))),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(Cow::Owned(value.to_string()))),
            Some(_) => Err(GraphError::parameter(&format!("Param {} must be a string.", self.path(name)))),
        }
    }

    /// Returns a text that is not empty.
    pub(super) fn required_text(&self, name: &str) -> Result<Cow<'a, str>, GraphError> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| GraphError::missing(&self.path(name)))
    }

    /// Checks an optional text of at most `limit` characters.
    pub(super) fn short_text(&self, name: &str, limit: usize) -> Result<(), GraphError> {
        match self.text(name)? {
            Some(text) if text.chars().count() > limit => Err(GraphError::too_long(&self.path(name), limit)),
            _ => Ok(()),
        }
    }

    /// Returns a required text that must be one of `words`.
    pub(super) fn word(&self, name: &str, words: &[&'static str]) -> Result<&'static str, GraphError> {
        let text = self.required_text(name)?;
        words.iter().find(|word| **word == text).copied().ok_or_else(|| unlisted(&self.path(name), words, &text))
    }

    /// Checks an optional text that must be one of `words`.
    pub(super) fn optional_word(&self, name: &str, words: &[&'static str]) -> Result<(), GraphError> {
        if self.has(name) { self.word(name, words).map(drop) } else { Ok(()) }
    }

    /// Checks an optional boolean, which can be a text or a number.
    pub(super) fn flag(&self, name: &str) -> Result<(), GraphError> {
        match self.text(name)?.as_deref() {
            None | Some("true" | "false" | "1" | "0") => Ok(()),
            Some(_) => Err(GraphError::parameter(&format!("Param {} must be a boolean.", self.path(name)))),
        }
    }

    /// Returns an optional integer in `range`, which can be a text.
    pub(super) fn integer(&self, name: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, GraphError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let integer = text
            .parse()
            .map_err(|_| GraphError::parameter(&format!("Param {} must be an integer.", self.path(name))))?;
        if range.contains(&integer) {
            return Ok(Some(integer));
        }
        Err(invalid(format!("{} must be from {} to {}", self.path(name), range.start(), range.end())))
    }

    /// Returns an optional object with members named in `known`.
    pub(super) fn object(&self, name: &str, known: &[&str]) -> Result<Option<Param<'a>>, GraphError> {
        self.get(name).map(|value| Param::new(self.path(name), value, known)).transpose()
    }

    /// Returns a required object with members named in `known`.
    pub(super) fn required_object(&self, name: &str, known: &[&str]) -> Result<Param<'a>, GraphError> {
        self.object(name, known)?.ok_or_else(|| GraphError::missing(&self.path(name)))
    }

    /// Returns an optional object with any members.
    pub(super) fn open_object(&self, name: &str) -> Result<Option<Param<'a>>, GraphError> {
        self.get(name).map(|value| Param::open(self.path(name), value)).transpose()
    }

    /// Returns a required object with any members.
    pub(super) fn required_open_object(&self, name: &str) -> Result<Param<'a>, GraphError> {
        self.open_object(name)?.ok_or_else(|| GraphError::missing(&self.path(name)))
    }

    /// Returns the objects of an optional list; no objects if it is missing.
    pub(super) fn list(&self, name: &str, known: &[&str]) -> Result<Vec<Param<'a>>, GraphError> {
        self.get(name).map_or_else(|| Ok(Vec::new()), |value| list(&self.path(name), value, known))
    }

    /// Returns the objects of an optional list, with any members; no objects if it is missing.
    pub(super) fn open_list(&self, name: &str) -> Result<Vec<Param<'a>>, GraphError> {
        match self.get(name) {
            Some(value) => items(&self.path(name), value)?.map(|(path, item)| Param::open(path, item)).collect(),
            None => Ok(Vec::new()),
        }
    }

    /// Returns the objects of a required list.
    pub(super) fn required_list(&self, name: &str, known: &[&str]) -> Result<Vec<Param<'a>>, GraphError> {
        if self.has(name) { self.list(name, known) } else { Err(GraphError::missing(&self.path(name))) }
    }
}

/// Returns the objects of the list at `path` with members named in `known`.
pub(super) fn list<'a>(path: &str, value: &'a Value, known: &[&str]) -> Result<Vec<Param<'a>>, GraphError> {
    items(path, value)?.map(|(path, item)| Param::new(path, item, known)).collect()
}

/// Returns the elements of the list at `path`, with their paths.
fn items<'a>(path: &str, value: &'a Value) -> Result<impl Iterator<Item = (String, &'a Value)>, GraphError> {
    let Value::Array(items) = value else {
        return Err(GraphError::parameter(&format!("Param {path} must be an array.")));
    };
    Ok(items.iter().enumerate().map(move |(index, item)| (format!("{path}[{index}]"), item)))
}

/// A missing parameter that another parameter makes necessary.
pub(super) fn required(details: String) -> GraphError {
    GraphError::new(131_008, Some(details))
}

/// A parameter with a value that WhatsApp does not allow.
pub(super) fn invalid(details: String) -> GraphError {
    GraphError::new(131_009, Some(details))
}

/// A value that is not one of `words`.
pub(super) fn unlisted(path: &str, words: &[&str], value: &str) -> GraphError {
    let words = words.join(", ").to_uppercase();
    GraphError::parameter(&format!("Param {path} must be one of {{{words}}} - got \"{value}\"."))
}

/// Checks a URL of the web.
pub(super) fn check_url(path: &str, url: &str) -> Result<(), GraphError> {
    let is_web = reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if is_web { Ok(()) } else { Err(GraphError::parameter(&format!("Param {path} is not a valid URI."))) }
}
