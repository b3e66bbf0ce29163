//! Request bodies.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::{ApiError, ErrorCode, json::UniqueJson, read_session_id};
use crate::domain::{id::SessionId, names, session::Setting};

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
        self.text_within(BODY_LIMIT)
    }

    fn text_within(&self, limit: usize) -> Result<&str, ApiError> {
        std::str::from_utf8(self.bytes(limit)?)
            .map_err(|_| ApiError::new(ErrorCode::InvalidJson, "The body is not UTF-8: send a JSON object in UTF-8"))
    }

    /// The body as a JSON object.
    ///
    /// # Errors
    ///
    /// 400 for a field that isn't one of `known`, at the top level. [`JsonObject::object`] checks nested objects.
    pub fn object(&self, known: &'static [&'static str]) -> Result<JsonObject, ApiError> {
        self.object_within(BODY_LIMIT, known)
    }

    /// Like [`Body::object`], with another limit in bytes.
    pub(super) fn object_within(&self, limit: usize, known: &'static [&'static str]) -> Result<JsonObject, ApiError> {
        JsonObject::new(self.members(limit)?, String::new(), known)
    }

    /// Like [`Body::object`], with a sentence for fields that callers expect here and that belong elsewhere.
    pub(super) fn object_with_hints(
        &self,
        known: &'static [&'static str],
        hints: &[(&str, &str)],
    ) -> Result<JsonObject, ApiError> {
        let members = self.members(BODY_LIMIT)?;
        let hinted = members.keys().filter(|name| !known.contains(&name.as_str()));
        for name in hinted {
            if let Some((_, hint)) = hints.iter().find(|(hinted, _)| hinted == name) {
                let message = format!("{name} is not a field of this request: {hint}");
                return Err(ApiError::new(ErrorCode::UnknownField, message));
            }
        }
        JsonObject::new(members, String::new(), known)
    }

    /// Like [`Body::object`], and the field whose name is the value of `type` is known, too.
    pub(super) fn typed_object(&self, known: &'static [&'static str]) -> Result<JsonObject, ApiError> {
        let mut members = self.members(BODY_LIMIT)?;
        let kind = members.get("type").and_then(Value::as_str).filter(|kind| !known.contains(kind)).map(str::to_owned);
        let content = kind.and_then(|kind| members.remove_entry(&kind));
        let mut object = JsonObject::new(members, String::new(), known)?;
        object.fields.extend(content);
        Ok(object)
    }

    /// Checks that there is no body. An empty object and `null` count as none, because some clients always send one.
    ///
    /// # Errors
    ///
    /// 400 for a body with content. A caller who puts `sessionId` into the body of a `GET` would otherwise not notice.
    pub fn none(&self) -> Result<(), ApiError> {
        let text = without_bom(self.text().unwrap_or("?")).trim_ascii();
        if matches!(text, "" | "null") {
            return Ok(());
        }
        match serde_json::from_str(text) {
            Ok(UniqueJson(Value::Object(fields))) => match fields.keys().next() {
                None => Ok(()),
                Some(name) => {
                    let name = names::displayed(name);
                    let message = format!("{name} is not a field of this request: it takes no body");
                    Err(ApiError::new(ErrorCode::UnknownField, message))
                }
            },
            _ => Err(ApiError::new(ErrorCode::InvalidJson, "This request takes no body: leave it out")),
        }
    }

    fn members(&self, limit: usize) -> Result<Map<String, Value>, ApiError> {
        let text = without_bom(self.text_within(limit)?);
        if text.trim_ascii().is_empty() {
            return Err(ApiError::new(ErrorCode::InvalidJson, "The body is empty: send a JSON object"));
        }
        match serde_json::from_str(text) {
            Ok(UniqueJson(Value::Object(members))) => Ok(members),
            Ok(_) => Err(ApiError::new(ErrorCode::InvalidJson, "The body must be a JSON object")),
            // The parser's message states the position and never quotes a value.
            Err(error) => Err(ApiError::new(ErrorCode::InvalidJson, format!("The body is not valid JSON: {error}"))),
        }
    }
}

/// A JSON object with known fields only. A field that is `null` counts as absent.
///
/// Debug builds panic if a field is read that isn't one of the known ones, because no request could ever contain it.
#[derive(Debug)]
pub struct JsonObject {
    fields: Map<String, Value>,
    /// The path in the request, empty for the request itself.
    path: String,
    known: &'static [&'static str],
}

impl JsonObject {
    fn new(fields: Map<String, Value>, path: String, known: &'static [&'static str]) -> Result<Self, ApiError> {
        match fields.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(unknown_field(&path, name, known)),
            None => Ok(Self { fields, path, known }),
        }
    }

    /// Returns the object `value` at `path` of a request, with known fields only.
    pub(super) fn nested(value: &Value, path: String, known: &'static [&'static str]) -> Result<Self, ApiError> {
        match value {
            Value::Object(fields) => Self::new(fields.clone(), path, known),
            _ => Err(ApiError::invalid_field(format!("{path} must be an object"))),
        }
    }

    /// The fields.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// Returns the change of a setting by a field with this value. `null` resets the setting, and an absent field keeps it.
    pub fn setting<T>(&self, field: &str, value: Option<T>) -> Setting<T> {
        match value {
            Some(value) => Setting::Set(value),
            None if self.fields.contains_key(field) => Setting::Reset,
            None => Setting::Keep,
        }
    }

    /// Returns the path of a field, such as `trigger.type`.
    pub(super) fn path(&self, field: &str) -> String {
        joined(&self.path, field)
    }

    /// Returns a field of any type; `None` if it is `null`.
    pub fn value(&self, field: &str) -> Option<&Value> {
        debug_assert!(self.known.contains(&field), "{field} isn't one of the known fields {:?}", self.known);
        self.fields.get(field).filter(|value| !value.is_null())
    }

    /// Returns a string field; 400 for another type.
    pub fn string(&self, field: &str) -> Result<Option<&str>, ApiError> {
        let value = self.value(field);
        value.map(|value| value.as_str().ok_or_else(|| self.invalid(field, "must be a string"))).transpose()
    }

    /// Returns a Boolean field; 400 for another type.
    pub fn boolean(&self, field: &str) -> Result<Option<bool>, ApiError> {
        let value = self.value(field);
        value.map(|value| value.as_bool().ok_or_else(|| self.invalid(field, "must be true or false"))).transpose()
    }

    /// Returns a whole number within `range`; 400 for any other value.
    pub fn whole_number(&self, field: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, ApiError> {
        let Some(value) = self.value(field) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        number.filter(|number| range.contains(number)).map(Some).ok_or_else(|| {
            self.invalid(field, &format!("must be a whole number from {} to {}", range.start(), range.end()))
        })
    }

    /// Returns the session that the field `sessionId` names.
    pub fn session_id(&self) -> Result<SessionId, ApiError> {
        read_session_id(self.required("sessionId")?)
    }

    /// Returns a string field; 400 if it is missing or blank.
    pub fn required(&self, field: &str) -> Result<&str, ApiError> {
        let text = self.string(field)?.filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| self.missing(field))
    }

    /// Returns a string or integer field as text; 400 if it is missing, blank, or has another type. Refuses numbers that
    /// aren't signed 64-bit integers, because the parser rounds some of them.
    pub fn required_string_or_integer(&self, field: &str) -> Result<String, ApiError> {
        match self.value(field) {
            Some(Value::Number(number)) if number.is_i64() => Ok(number.to_string()),
            None | Some(Value::String(_)) => self.required(field).map(str::to_owned),
            Some(_) => {
                Err(self.invalid(field, "must be a string or a signed 64-bit integer: send any other ID as a string"))
            }
        }
    }

    /// Returns an object field; 400 for another type, or if it has a field that isn't one of `known`.
    pub fn object(&self, field: &str, known: &'static [&'static str]) -> Result<Option<JsonObject>, ApiError> {
        self.value(field).map(|value| Self::nested(value, self.path(field), known)).transpose()
    }

    /// 400: the field is missing or blank.
    pub(super) fn missing(&self, field: &str) -> ApiError {
        ApiError::missing_field(&self.path(field))
    }

    /// 400: the field has the wrong type or an unacceptable value.
    pub(super) fn invalid(&self, field: &str, rule: &str) -> ApiError {
        ApiError::invalid_field(format!("{} {rule}", self.path(field)))
    }
}

/// Removes a byte order mark. RFC 8259 lets parsers ignore it.
fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn joined(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// 400: the object at `path` has no field `name`.
fn unknown_field(path: &str, name: &str, known: &[&str]) -> ApiError {
    let object = if path.is_empty() { "this request" } else { path };
    let hint = match names::nearest(name, known) {
        Some(nearest) => format!("did you mean {}?", joined(path, nearest)),
        None => format!("it can have {}", known.join(", ")),
    };
    let message = format!("{} is not a field of {object}: {hint}", joined(path, &names::displayed(name)));
    ApiError::new(ErrorCode::UnknownField, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(body: &str) -> Result<JsonObject, ApiError> {
        Body::new(body.as_bytes().to_vec()).object(&["sessionId", "validUntil", "sent"])
    }

    fn sentence(error: ApiError) -> String {
        format!("{error:?}")
    }

    #[test]
    fn only_json_objects_are_accepted() {
        let deep = [vec![b'['; 10_000], vec![b']'; 10_000]].concat();
        for bytes in [&b""[..], b" ", b"[]", b"\"x\"", b"{", b"{}x", b"\xff", b"{\"a\":1,\"a\":1}", &deep] {
            assert!(Body::new(bytes.to_vec()).object(&["a"]).is_err());
        }
        for bytes in [&b"{\"a\": \"x\", \"b\": 1, \"c\": null}"[..], "\u{feff}{\"a\": \"x\", \"b\": 1}".as_bytes()] {
            let object = Body::new(bytes.to_vec()).object(&["a", "b", "c"]).unwrap();
            assert_eq!(object.string("a").unwrap(), Some("x"));
            assert!(object.string("b").is_err());
            assert_eq!(object.string("c").unwrap(), None);
        }
    }

    #[test]
    fn unknown_fields_are_named_with_the_nearest_known_one() {
        for (body, expected) in [
            (r#"{"valid_until": 1}"#, "valid_until is not a field of this request: did you mean validUntil?"),
            (r#"{"valid_until": null}"#, "valid_until is not a field of this request: did you mean validUntil?"),
            (r#"{"foo": 1}"#, "foo is not a field of this request: it can have sessionId, validUntil, sent"),
        ] {
            let error = sentence(object(body).unwrap_err());
            assert!(error.contains(expected) && error.contains("UnknownField"), "{error}");
        }
        let nested = object(r#"{"sent": {"ID": "1"}}"#).unwrap();
        let error = sentence(nested.object("sent", &["id"]).unwrap_err());
        assert!(error.contains("sent.ID is not a field of sent: did you mean sent.id?"), "{error}");
    }

    #[test]
    fn errors_in_nested_objects_have_the_whole_path() {
        let body = object(r#"{"sent": {"id": 7}}"#).unwrap();
        let sent = body.object("sent", &["id", "at"]).unwrap().unwrap();
        assert!(sentence(sent.string("id").unwrap_err()).contains("sent.id must be a string"));
        assert!(sentence(sent.required("at").unwrap_err()).contains("sent.at is required"));
    }

    #[test]
    fn a_field_may_have_the_name_of_the_type() {
        let read = |body: &str| Body::new(body.as_bytes().to_vec()).typed_object(&["id", "type"]);
        assert_eq!(read(r#"{"id": "1", "type": "poll", "poll": {"a": 1}}"#).unwrap().fields().len(), 3);
        assert!(read(r#"{"id": "1", "type": "poll", "polls": {}}"#).is_err());
        assert!(read(r#"{"id": "1", "type": null, "poll": {}}"#).is_err());
        assert!(read(r#"{"id": "1", "type": "id"}"#).is_ok());
    }

    #[test]
    fn requests_without_a_body_accept_an_empty_one_only() {
        let none = |body: &[u8]| Body::new(body.to_vec()).none();
        for empty in [&b""[..], b" \n", b"{}", b"null", b"{ }", b"\xef\xbb\xbf", b"\xef\xbb\xbf{}"] {
            assert!(none(empty).is_ok());
        }
        assert!(sentence(none(br#"{"sessionId": "x"}"#).unwrap_err()).contains("it takes no body"));
        for body in [&b"[]"[..], b"x", b"0", b"\xff", b"{", &vec![b'x'; 300 * 1024]] {
            assert!(none(body).is_err());
        }
    }
}
