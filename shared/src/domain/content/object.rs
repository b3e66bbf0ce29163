//! A reader that validates a JSON object member by member and builds the object to send to WhatsApp.

use std::{collections::HashSet, ops::RangeInclusive};

use serde_json::{Map, Value};

use super::ContentError;
use crate::domain::names;

/// The limit of a text without a documented limit.
pub(super) const NO_LIMIT: usize = usize::MAX;

/// The number of entries of an array without a documented limit.
pub(super) const ANY_COUNT: RangeInclusive<usize> = 0..=usize::MAX;

/// A function that reads one or more members of an object.
pub(super) type Read = for<'a> fn(&mut Object<'a>) -> Result<(), ContentError>;

/// A reader of one object. Valid members are copied to the output. [`Object::finish`] rejects members that were not
/// read. A member that is `null` counts as missing and is omitted.
#[derive(Debug)]
pub(super) struct Object<'a> {
    /// The path in the request, empty for the request itself.
    path: String,
    input: &'a Map<String, Value>,
    known: Vec<&'static str>,
    /// Members that are allowed but not copied.
    dropped: Vec<&'static str>,
    output: Map<String, Value>,
}

impl<'a> Object<'a> {
    /// Creates a reader of the request itself.
    pub(super) fn root(input: &'a Map<String, Value>) -> Self {
        Self { path: String::new(), input, known: Vec::new(), dropped: Vec::new(), output: Map::new() }
    }

    fn new(path: String, value: &'a Value) -> Result<Self, ContentError> {
        match value {
            Value::Object(input) => Ok(Self { path, ..Self::root(input) }),
            _ => Err(invalid(path, "an object")),
        }
    }

    /// Returns the path of a member.
    pub(super) fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Returns whether the input has the member.
    pub(super) fn has(&self, name: &str) -> bool {
        self.input.get(name).is_some_and(|value| !value.is_null())
    }

    /// Returns the number of entries of an array, 0 for anything else.
    pub(super) fn count(&self, name: &str) -> usize {
        self.input.get(name).and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// Returns the error for a member with an invalid value.
    pub(super) fn invalid(&self, name: &str, expected: impl Into<String>) -> ContentError {
        invalid(self.path(name), expected)
    }

    /// Returns the error for a missing member.
    pub(super) fn missing(&self, name: &str) -> ContentError {
        ContentError::Missing { field: self.path(name) }
    }

    /// Returns a text of the input without reading it.
    pub(super) fn peek(&self, path: &str) -> Option<&'a str> {
        let (name, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
        self.input.get(name)?.pointer(rest)?.as_str().filter(|text| !text.trim().is_empty())
    }

    /// Adds a member to the output, which the input doesn't have.
    pub(super) fn insert(&mut self, name: &'static str, value: Value) {
        self.known.push(name);
        self.output.insert(name.to_owned(), value);
    }

    /// Returns a member of the input.
    fn get(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.input.get(name).filter(|value| !value.is_null())
    }

    /// Reads an optional text of up to `limit` characters. Meta doesn't document the unit. Unicode scalar values are
    /// the most permissive one that is plausible.
    pub(super) fn optional_text(&mut self, name: &'static str, limit: usize) -> Result<Option<&'a str>, ContentError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let Value::String(text) = value else { return Err(self.invalid(name, "a string")) };
        let length = text.chars().count();
        if length > limit {
            return Err(ContentError::TooLong { field: self.path(name), length, limit });
        }
        self.output.insert(name.to_owned(), value.clone());
        Ok(Some(text))
    }

    /// Reads a required text of up to `limit` characters that is not blank.
    pub(super) fn text(&mut self, name: &'static str, limit: usize) -> Result<&'a str, ContentError> {
        let text = self.optional_text(name, limit)?;
        text.filter(|text| !text.trim().is_empty()).ok_or_else(|| self.missing(name))
    }

    /// Reads an optional text of up to `limit` characters. A blank text counts as missing and is omitted.
    pub(super) fn filled_text(&mut self, name: &'static str, limit: usize) -> Result<Option<&'a str>, ContentError> {
        let text = self.optional_text(name, limit)?.filter(|text| !text.trim().is_empty());
        if text.is_none() {
            self.output.remove(name);
        }
        Ok(text)
    }

    /// Reads a required text that differs from those in `seen`.
    pub(super) fn unique_text(
        &mut self,
        name: &'static str,
        limit: usize,
        seen: &mut HashSet<&'a str>,
    ) -> Result<(), ContentError> {
        let text = self.text(name, limit)?;
        if seen.insert(text) { Ok(()) } else { Err(ContentError::Repeated { field: self.path(name) }) }
    }

    /// Reads an optional text that is one of `words`.
    pub(super) fn optional_word(
        &mut self,
        name: &'static str,
        words: &[&str],
    ) -> Result<Option<&'a str>, ContentError> {
        match self.optional_text(name, NO_LIMIT)? {
            Some(word) if !words.contains(&word) => Err(self.invalid(name, one_of(words))),
            word => Ok(word),
        }
    }

    /// Reads a required text that is one of `words`.
    pub(super) fn word(&mut self, name: &'static str, words: &[&str]) -> Result<&'a str, ContentError> {
        self.optional_word(name, words)?.ok_or_else(|| self.missing(name))
    }

    /// Reads an optional boolean.
    pub(super) fn optional_flag(&mut self, name: &'static str) -> Result<(), ContentError> {
        self.optional_value(name, "true or false", Value::is_boolean).map(drop)
    }

    /// Reads an optional whole number, which can also be a string of digits: Meta's examples use both.
    pub(super) fn optional_whole(
        &mut self,
        name: &'static str,
        allowed: RangeInclusive<u64>,
    ) -> Result<Option<u64>, ContentError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = match value {
            Value::String(text) if text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok()
            }
            value => value.as_u64(),
        };
        let Some(number) = number.filter(|number| allowed.contains(number)) else {
            let (min, max) = allowed.into_inner();
            let expected = match (min, max) {
                (0, u64::MAX) => "a whole number that is not negative".to_owned(),
                (_, u64::MAX) => format!("a whole number of at least {min}"),
                _ if min == max => min.to_string(),
                _ => format!("a whole number from {min} to {max}"),
            };
            return Err(self.invalid(name, expected));
        };
        self.output.insert(name.to_owned(), value.clone());
        Ok(Some(number))
    }

    /// Reads a required whole number.
    pub(super) fn whole(&mut self, name: &'static str, allowed: RangeInclusive<u64>) -> Result<u64, ContentError> {
        self.optional_whole(name, allowed)?.ok_or_else(|| self.missing(name))
    }

    /// Reads a required whole number that differs from those in `seen`.
    pub(super) fn unique_whole(
        &mut self,
        name: &'static str,
        allowed: RangeInclusive<u64>,
        seen: &mut HashSet<u64>,
    ) -> Result<(), ContentError> {
        let number = self.whole(name, allowed)?;
        if seen.insert(number) { Ok(()) } else { Err(ContentError::Repeated { field: self.path(name) }) }
    }

    /// Drops members that WhatsApp adds to what it delivers and doesn't accept in what it sends, so that received
    /// content can be sent again.
    pub(super) fn drop_received(&mut self, names: &[&'static str]) {
        self.dropped.extend(names);
    }

    /// Reads an optional value for which `is_valid` is true. Returns whether it is present.
    pub(super) fn optional_value(
        &mut self,
        name: &'static str,
        expected: &str,
        is_valid: impl FnOnce(&Value) -> bool,
    ) -> Result<bool, ContentError> {
        let Some(value) = self.get(name) else { return Ok(false) };
        if !is_valid(value) {
            return Err(self.invalid(name, expected));
        }
        self.output.insert(name.to_owned(), value.clone());
        Ok(true)
    }

    /// Reads a required value for which `is_valid` is true.
    pub(super) fn value(
        &mut self,
        name: &'static str,
        expected: &str,
        is_valid: impl FnOnce(&Value) -> bool,
    ) -> Result<(), ContentError> {
        if self.optional_value(name, expected, is_valid)? { Ok(()) } else { Err(self.missing(name)) }
    }

    /// Reads an optional object. Returns whether it is present.
    pub(super) fn optional_object(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Object<'a>) -> Result<Value, ContentError>,
    ) -> Result<bool, ContentError> {
        let Some(value) = self.get(name) else { return Ok(false) };
        let read = read(Object::new(self.path(name), value)?)?;
        self.output.insert(name.to_owned(), read);
        Ok(true)
    }

    /// Reads a required object.
    pub(super) fn object(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Object<'a>) -> Result<Value, ContentError>,
    ) -> Result<(), ContentError> {
        if self.optional_object(name, read)? { Ok(()) } else { Err(self.missing(name)) }
    }

    /// Reads an optional array of objects. Returns whether it is present.
    pub(super) fn optional_list(
        &mut self,
        name: &'static str,
        allowed: RangeInclusive<usize>,
        mut read: impl FnMut(Object<'a>) -> Result<Value, ContentError>,
    ) -> Result<bool, ContentError> {
        let Some(value) = self.get(name) else { return Ok(false) };
        let Value::Array(entries) = value else { return Err(self.invalid(name, "an array")) };
        let field = self.path(name);
        check_count(&field, entries.len(), "entries", allowed)?;
        let entries = entries.iter().enumerate();
        let entries = entries.map(|(index, entry)| read(Object::new(format!("{field}[{index}]"), entry)?));
        let entries = entries.collect::<Result<_, _>>()?;
        self.output.insert(name.to_owned(), Value::Array(entries));
        Ok(true)
    }

    /// Reads a required array of objects.
    pub(super) fn list(
        &mut self,
        name: &'static str,
        allowed: RangeInclusive<usize>,
        read: impl FnMut(Object<'a>) -> Result<Value, ContentError>,
    ) -> Result<(), ContentError> {
        if self.optional_list(name, allowed, read)? { Ok(()) } else { Err(self.missing(name)) }
    }

    /// Returns the output.
    ///
    /// # Errors
    ///
    /// Returns [`ContentError::Unknown`] if the input has members that were not read.
    pub(super) fn finish(self) -> Result<Value, ContentError> {
        let is_unknown =
            |name: &&String| ![&self.known, &self.dropped].iter().any(|list| list.contains(&name.as_str()));
        match self.input.keys().find(is_unknown) {
            Some(name) => {
                let hint = match names::nearest(name, &self.known) {
                    Some(nearest) => format!("did you mean {}?", self.path(nearest)),
                    None => format!("its fields are {}", self.known.join(", ")),
                };
                Err(ContentError::Unknown { field: self.path(&names::displayed(name)), hint })
            }
            None => Ok(Value::Object(self.output)),
        }
    }

    /// Returns the output with the members that were not read, for objects whose members differ between countries.
    pub(super) fn finish_open(mut self) -> Value {
        for (name, value) in self.input {
            if !self.known.contains(&name.as_str()) && !value.is_null() {
                self.output.insert(name.clone(), value.clone());
            }
        }
        Value::Object(self.output)
    }

    /// Returns the output, ignoring members that were not read.
    pub(super) fn into_output(self) -> Map<String, Value> {
        self.output
    }
}

/// Checks that `count` is in the range `allowed`.
pub(super) fn check_count(
    field: &str,
    count: usize,
    unit: &'static str,
    allowed: RangeInclusive<usize>,
) -> Result<(), ContentError> {
    if allowed.contains(&count) {
        return Ok(());
    }
    let (min, max) = allowed.into_inner();
    Err(ContentError::Count { field: field.to_owned(), count, unit, min, max })
}

fn invalid(field: String, expected: impl Into<String>) -> ContentError {
    ContentError::Invalid { field, expected: expected.into() }
}

/// Lists the words for an error message.
pub(super) fn one_of(words: &[&str]) -> String {
    match words {
        [word] => (*word).to_owned(),
        _ => format!("one of {}", words.join(", ")),
    }
}
