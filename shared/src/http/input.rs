//! What callers send: bodies and query strings, read strictly, with errors that tell what to change.

use std::ops::RangeInclusive;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::ApiError;
use crate::domain::id::SessionId;

/// The largest body of an API request, in bytes.
const BODY_LIMIT: usize = 256 * 1024;

/// A request's body.
#[derive(Debug)]
pub struct Body {
    bytes: Vec<u8>,
}

impl Body {
    /// A body of these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// The bytes as they came; 413 when there are more than `limit`.
    pub fn bytes(&self, limit: usize) -> Result<&[u8], ApiError> {
        if self.bytes.len() > limit {
            return Err(ApiError::too_large(format!("The body is larger than {} KiB", limit / 1024)));
        }
        Ok(&self.bytes)
    }

    /// The body as text.
    pub fn text(&self) -> Result<&str, ApiError> {
        std::str::from_utf8(self.bytes(BODY_LIMIT)?)
            .map_err(|_| ApiError::bad_request("invalid_json", "The body is not UTF-8: send a JSON object in UTF-8"))
    }

    /// The body as a JSON object.
    pub fn object(&self) -> Result<JsonObject, ApiError> {
        let text = self.text()?;
        if text.trim_ascii().is_empty() {
            return Err(ApiError::bad_request("invalid_json", "The body is empty: send a JSON object"));
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Ok(JsonObject { fields }),
            Ok(_) => Err(ApiError::bad_request("invalid_json", "The body must be a JSON object")),
            // The parser's message gives the place and never quotes the body.
            Err(error) => Err(ApiError::bad_request("invalid_json", format!("The body is not valid JSON: {error}"))),
        }
    }
}

/// The fields of a JSON object. A field that is `null` counts as absent, and one that we do not know is left alone.
#[derive(Debug)]
pub struct JsonObject {
    fields: Map<String, Value>,
}

impl JsonObject {
    /// All of them.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// A field that must be a string if it is there.
    pub fn string(&self, field: &str) -> Result<Option<&str>, ApiError> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ApiError::bad_request("invalid_field", format!("{field} must be a string"))),
        }
    }

    /// A field that must be `true` or `false` if it is there.
    pub fn boolean(&self, field: &str) -> Result<Option<bool>, ApiError> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(ApiError::bad_request("invalid_field", format!("{field} must be true or false"))),
        }
    }

    /// A field that must be a whole number within `range` if it is there.
    pub fn whole_number(&self, field: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, ApiError> {
        let value = match self.fields.get(field) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value.as_u64().and_then(|number| u32::try_from(number).ok()),
        };
        value.filter(|number| range.contains(number)).map(Some).ok_or_else(|| {
            let message = format!("{field} must be a whole number from {} to {}", range.start(), range.end());
            ApiError::bad_request("invalid_field", message)
        })
    }

    /// A field as it came; `None` when it is `null`.
    pub fn value(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    /// The session that the field `sessionId` names.
    pub fn session_id(&self) -> Result<SessionId, ApiError> {
        read_session_id(self.required("sessionId")?)
    }

    /// A string that must be there and not be blank.
    pub fn required(&self, field: &str) -> Result<&str, ApiError> {
        let text = self.string(field)?.filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| ApiError::bad_request("missing_field", format!("{field} is required")))
    }

    /// A field that must be an object if it is there.
    pub fn object(&self, field: &str) -> Result<Option<JsonObject>, ApiError> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(JsonObject { fields: fields.clone() })),
            Some(_) => Err(ApiError::bad_request("invalid_field", format!("{field} must be an object"))),
        }
    }
}

/// A query string.
#[derive(Debug)]
pub struct Query {
    raw: String,
}

impl Query {
    /// The part of a URL after the `?`, as it came.
    pub fn new(raw: &str) -> Self {
        Self { raw: raw.to_owned() }
    }

    /// The one value of a parameter; `None` when it is not there or empty. 400 when it is there twice, or when its
    /// percent-encoding does not decode.
    pub fn one(&self, name: &str) -> Result<Option<String>, ApiError> {
        let mut found = None;
        for pair in self.raw.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if decode(key).as_deref() != Some(name) {
                continue;
            }
            let Some(value) = decode(value) else {
                return Err(ApiError::bad_request("invalid_query", format!("{name} is not percent-encoded UTF-8")));
            };
            if found.replace(value).is_some() {
                return Err(ApiError::bad_request("invalid_query", format!("{name} is given twice: give it once")));
            }
        }
        Ok(found.filter(|value| !value.is_empty()))
    }

    /// A parameter that must be one of these words if it is there, and what the word means.
    pub fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, ApiError> {
        let Some(word) = self.one(name)? else { return Ok(None) };
        let found = choices.iter().find(|(choice, _)| *choice == word);
        found.map(|(_, meaning)| Some(*meaning)).ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
            ApiError::bad_request("invalid_query", format!("{name} must be one of: {}", words.join(", ")))
        })
    }

    /// A parameter that must be a whole number within `range` if it is there.
    pub fn whole_number(&self, name: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, ApiError> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.map(Some).ok_or_else(|| {
            let message = format!("{name} must be a whole number from {} to {}", range.start(), range.end());
            ApiError::bad_request("invalid_query", message)
        })
    }

    /// The session that `sessionId` names.
    pub fn session_id(&self) -> Result<SessionId, ApiError> {
        match self.one("sessionId")? {
            Some(text) => read_session_id(&text),
            None => Err(ApiError::bad_request("missing_field", "sessionId is required")),
        }
    }
}

/// Reads an id that names a session.
pub fn read_session_id(text: &str) -> Result<SessionId, ApiError> {
    text.parse().map_err(|_| ApiError::bad_request("invalid_field", "sessionId must be a UUID"))
}

/// Percent-decoding as forms do it: `+` is a blank.
fn decode(text: &str) -> Option<String> {
    percent_decoded(&text.replace('+', " "))
}

/// Percent-decoding as paths do it. `None` where an escape is cut off, or the bytes are no UTF-8.
pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let whole = text.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes();
        digits.len() >= 2 && digits[..2].iter().all(u8::is_ascii_hexdigit)
    });
    if !whole {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_parameters_decode() {
        let query = Query::new("a=1&hub.mode=sub%20s+x&empty=&flag&%61b=2");
        assert_eq!(query.one("a").unwrap().as_deref(), Some("1"));
        assert_eq!(query.one("hub.mode").unwrap().as_deref(), Some("sub s x"));
        assert_eq!(query.one("ab").unwrap().as_deref(), Some("2"));
        for absent in ["empty", "flag", "missing"] {
            assert_eq!(query.one(absent).unwrap(), None);
        }
    }

    #[test]
    fn what_does_not_decode_is_refused_and_does_not_touch_its_neighbours() {
        let query = Query::new("a=%zz&b=%ff&c=%2&d=1&d=2&e=5");
        for bad in ["a", "b", "c", "d"] {
            assert!(query.one(bad).is_err(), "{bad}");
        }
        assert_eq!(query.one("e").unwrap().as_deref(), Some("5"));
    }

    #[test]
    fn bodies_that_are_no_objects_are_refused() {
        let deep = [vec![b'['; 10_000], vec![b']'; 10_000]].concat();
        for bytes in [&b""[..], b" ", b"[]", b"\"x\"", b"{", b"{}x", b"\xff", &deep] {
            assert!(Body::new(bytes.to_vec()).object().is_err());
        }
        let object = Body::new(br#"{"a": "x", "b": 1, "c": null}"#.to_vec()).object().unwrap();
        assert_eq!(object.string("a").unwrap(), Some("x"));
        assert!(object.string("b").is_err());
        assert_eq!(object.string("c").unwrap(), None);
    }
}
