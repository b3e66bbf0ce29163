//! Request bodies.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::{ApiError, ErrorCode, read_session_id};
use crate::domain::{id::SessionId, session::Setting};

/// The maximum size of a request body, in bytes.
const BODY_LIMIT: usize = 256 * 1024;

/// A request's body.
#[derive(Debug)]
pub struct Body {
    bytes: Vec<u8>,
}

impl Body {
    /// Creates a body.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// The bytes; 413 if there are more than `limit`.
    pub fn bytes(&self, limit: usize) -> Result<&[u8], ApiError> {
        if self.bytes.len() > limit {
            return Err(ApiError::new(
                ErrorCode::BodyTooLarge,
                format!("The body is larger than {} KiB", limit / 1024),
            ));
        }
        Ok(&self.bytes)
    }

    /// The body as text.
    pub fn text(&self) -> Result<&str, ApiError> {
        std::str::from_utf8(self.bytes(BODY_LIMIT)?)
            .map_err(|_| ApiError::new(ErrorCode::InvalidJson, "The body is not UTF-8: send a JSON object in UTF-8"))
    }

    /// The body as a JSON object.
    pub fn object(&self) -> Result<JsonObject, ApiError> {
        let text = self.text()?;
        if text.trim_ascii().is_empty() {
            return Err(ApiError::new(ErrorCode::InvalidJson, "The body is empty: send a JSON object"));
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Ok(JsonObject { fields }),
            Ok(_) => Err(ApiError::new(ErrorCode::InvalidJson, "The body must be a JSON object")),
            // The parser's message states the position and never quotes the body.
            Err(error) => Err(ApiError::new(ErrorCode::InvalidJson, format!("The body is not valid JSON: {error}"))),
        }
    }
}

/// A JSON object. A field that is `null` counts as absent; unknown fields are ignored.
#[derive(Debug)]
pub struct JsonObject {
    fields: Map<String, Value>,
}

impl JsonObject {
    /// The fields.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// Returns a string field; 400 for another type.
    pub fn string(&self, field: &str) -> Result<Option<&str>, ApiError> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ApiError::invalid_field(format!("{field} must be a string"))),
        }
    }

    /// Returns the change of a setting by a field with this value. `null` resets the setting, and an absent field keeps it.
    pub fn setting<T>(&self, field: &str, value: Option<T>) -> Setting<T> {
        match value {
            Some(value) => Setting::Set(value),
            None if self.fields.contains_key(field) => Setting::Reset,
            None => Setting::Keep,
        }
    }

    /// Returns a Boolean field; 400 for another type.
    pub fn boolean(&self, field: &str) -> Result<Option<bool>, ApiError> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(ApiError::invalid_field(format!("{field} must be true or false"))),
        }
    }

    /// Returns a whole number within `range`; 400 for any other value.
    pub fn whole_number(&self, field: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, ApiError> {
        let value = match self.fields.get(field) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value.as_u64().and_then(|number| u32::try_from(number).ok()),
        };
        value.filter(|number| range.contains(number)).map(Some).ok_or_else(|| {
            let message = format!("{field} must be a whole number from {} to {}", range.start(), range.end());
            ApiError::invalid_field(message)
        })
    }

    /// Returns a field of any type; `None` if it is `null`.
    pub fn value(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    /// Returns the session that the field `sessionId` names.
    pub fn session_id(&self) -> Result<SessionId, ApiError> {
        read_session_id(self.required("sessionId")?)
    }

    /// Returns a string field; 400 if it is missing or blank.
    pub fn required(&self, field: &str) -> Result<&str, ApiError> {
        let text = self.string(field)?.filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| ApiError::missing_field(field))
    }

    /// Returns an object field; 400 for another type.
    pub fn object(&self, field: &str) -> Result<Option<JsonObject>, ApiError> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(JsonObject { fields: fields.clone() })),
            Some(_) => Err(ApiError::invalid_field(format!("{field} must be an object"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_objects_are_accepted() {
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
