//! A JSON object of a message, read member by member into the object that goes to WhatsApp.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::ContentError;

/// For a text whose length WhatsApp does not limit in its documentation.
pub(super) const UNSTATED: usize = usize::MAX;

/// For an array whose length WhatsApp does not limit in its documentation.
pub(super) const ANY: RangeInclusive<usize> = 0..=usize::MAX;

/// The most that an error repeats of a name that the caller made up, in characters.
const NAME_LIMIT: usize = 64;

/// Reads a member, or some, of an object.
pub(super) type Read = for<'a> fn(&mut Object<'a>) -> Result<(), ContentError>;

/// An object that is being read. What was asked for and is in order is kept; what nobody asked for is an error in
/// [`Object::close`]. A member that is `null` counts as absent and is left out.
#[derive(Debug)]
pub(super) struct Object<'a> {
    /// Where it is in the request; empty for the request itself.
    path: String,
    given: &'a Map<String, Value>,
    known: Vec<&'static str>,
    kept: Map<String, Value>,
}

impl<'a> Object<'a> {
    /// The request itself.
    pub(super) fn root(given: &'a Map<String, Value>) -> Self {
        Self { path: String::new(), given, known: Vec::new(), kept: Map::new() }
    }

    fn open(path: String, value: &'a Value) -> Result<Self, ContentError> {
        match value {
            Value::Object(given) => Ok(Self { path, given, known: Vec::new(), kept: Map::new() }),
            _ => Err(invalid(path, "an object")),
        }
    }

    /// The path of a member.
    pub(super) fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The error for a member that has another value than it must have.
    pub(super) fn invalid(&self, name: &str, expected: impl Into<String>) -> ContentError {
        invalid(self.at(name), expected)
    }

    /// The error for a member that must be there and is not.
    pub(super) fn missing(&self, name: &str) -> ContentError {
        ContentError::Missing { field: self.at(name) }
    }

    /// A member as it was given.
    fn get(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.given.get(name).filter(|value| !value.is_null())
    }

    /// A text of up to `limit` characters. Meta does not say what it counts; Unicode scalar values never refuse what
    /// another unit would let through.
    pub(super) fn optional_text(&mut self, name: &'static str, limit: usize) -> Result<Option<&'a str>, ContentError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let Value::String(text) = value else { return Err(self.invalid(name, "a string")) };
        let length = text.chars().count();
        if length > limit {
            return Err(ContentError::TooLong { field: self.at(name), length, limit });
        }
        self.kept.insert(name.to_owned(), value.clone());
        Ok(Some(text))
    }

    /// A text of up to `limit` characters that is not blank.
    pub(super) fn text(&mut self, name: &'static str, limit: usize) -> Result<&'a str, ContentError> {
        let text = self.optional_text(name, limit)?;
        text.filter(|text| !text.trim().is_empty()).ok_or_else(|| self.missing(name))
    }

    /// One of these words.
    pub(super) fn optional_word(
        &mut self,
        name: &'static str,
        words: &[&str],
    ) -> Result<Option<&'a str>, ContentError> {
        match self.optional_text(name, UNSTATED)? {
            Some(word) if !words.contains(&word) => Err(self.invalid(name, one_of(words))),
            word => Ok(word),
        }
    }

    /// One of these words, which must be there.
    pub(super) fn word(&mut self, name: &'static str, words: &[&str]) -> Result<&'a str, ContentError> {
        self.optional_word(name, words)?.ok_or_else(|| self.missing(name))
    }

    /// `true` or `false`.
    pub(super) fn optional_flag(&mut self, name: &'static str) -> Result<(), ContentError> {
        self.optional_value(name, "true or false", Value::is_boolean).map(drop)
    }

    /// Any value that `is_right`, kept as it is; whether it is there.
    pub(super) fn optional_value(
        &mut self,
        name: &'static str,
        expected: &str,
        is_right: impl FnOnce(&Value) -> bool,
    ) -> Result<bool, ContentError> {
        let Some(value) = self.get(name) else { return Ok(false) };
        if !is_right(value) {
            return Err(self.invalid(name, expected));
        }
        self.kept.insert(name.to_owned(), value.clone());
        Ok(true)
    }

    /// Any value that `is_right`, kept as it is, which must be there.
    pub(super) fn value(
        &mut self,
        name: &'static str,
        expected: &str,
        is_right: impl FnOnce(&Value) -> bool,
    ) -> Result<(), ContentError> {
        if self.optional_value(name, expected, is_right)? { Ok(()) } else { Err(self.missing(name)) }
    }

    /// An object; whether it is there.
    pub(super) fn optional_object(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Object<'a>) -> Result<Value, ContentError>,
    ) -> Result<bool, ContentError> {
        let Some(value) = self.get(name) else { return Ok(false) };
        let read = read(Object::open(self.at(name), value)?)?;
        self.kept.insert(name.to_owned(), read);
        Ok(true)
    }

    /// An object that must be there.
    pub(super) fn object(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Object<'a>) -> Result<Value, ContentError>,
    ) -> Result<(), ContentError> {
        if self.optional_object(name, read)? { Ok(()) } else { Err(self.missing(name)) }
    }

    /// An array of objects; whether it is there.
    pub(super) fn optional_list(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
        mut read: impl FnMut(Object<'a>) -> Result<Value, ContentError>,
    ) -> Result<bool, ContentError> {
        let Some(value) = self.get(name) else { return Ok(false) };
        let Value::Array(entries) = value else { return Err(self.invalid(name, "an array")) };
        let field = self.at(name);
        count(&field, entries.len(), "entries", counts)?;
        let entries = entries.iter().enumerate();
        let entries = entries.map(|(at, entry)| read(Object::open(format!("{field}[{at}]"), entry)?));
        let entries = entries.collect::<Result<_, _>>()?;
        self.kept.insert(name.to_owned(), Value::Array(entries));
        Ok(true)
    }

    /// An array of objects that must be there.
    pub(super) fn list(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
        read: impl FnMut(Object<'a>) -> Result<Value, ContentError>,
    ) -> Result<(), ContentError> {
        if self.optional_list(name, counts, read)? { Ok(()) } else { Err(self.missing(name)) }
    }

    /// What was kept, when nothing else was given.
    pub(super) fn close(self) -> Result<Value, ContentError> {
        match self.given.keys().find(|name| !self.known.contains(&name.as_str())) {
            Some(name) => {
                let name: String = name.chars().take(NAME_LIMIT).collect();
                Err(ContentError::Unknown { field: self.at(&name), known: self.known.join(", ") })
            }
            None => Ok(Value::Object(self.kept)),
        }
    }

    /// What was kept, whatever else was given.
    pub(super) fn kept(self) -> Map<String, Value> {
        self.kept
    }
}

/// Whether there are as many of something as there may be.
pub(super) fn count(
    field: &str,
    count: usize,
    things: &'static str,
    counts: RangeInclusive<usize>,
) -> Result<(), ContentError> {
    if counts.contains(&count) {
        return Ok(());
    }
    let (min, max) = counts.into_inner();
    Err(ContentError::Count { field: field.to_owned(), count, things, min, max })
}

fn invalid(field: String, expected: impl Into<String>) -> ContentError {
    ContentError::Invalid { field, expected: expected.into() }
}

/// The words as a sentence names them.
pub(super) fn one_of(words: &[&str]) -> String {
    match words {
        [word] => (*word).to_owned(),
        _ => format!("one of {}", words.join(", ")),
    }
}
