//! Query strings.

use std::ops::RangeInclusive;

use percent_encoding::percent_decode_str;

use super::{ApiError, ErrorCode};
use crate::domain::{cursor::InvalidCursor, id::SessionId, names};

/// A query string.
///
/// Debug builds panic if a parameter is read that isn't one of the known ones, because no request could contain it.
#[derive(Debug)]
pub struct Query {
    raw: String,
    known: &'static [&'static str],
}

impl Query {
    /// Creates a query from the part of a URL after the `?`, and the names of its parameters.
    pub fn new(raw: &str, known: &'static [&'static str]) -> Self {
        Self { raw: raw.to_owned(), known }
    }

    /// Returns 400 for a parameter that isn't one of the known ones.
    pub(super) fn check_names(&self) -> Result<(), ApiError> {
        for pair in self.raw.split('&').filter(|pair| !pair.is_empty()) {
            let name = pair.split_once('=').map_or(pair, |(name, _)| name);
            let Some(name) = decode(name) else {
                let message = "The name of a query parameter is not percent-encoded UTF-8";
                return Err(ApiError::new(ErrorCode::InvalidQuery, message));
            };
            if !self.known.contains(&name.as_str()) {
                return Err(self.unknown_parameter(&name));
            }
        }
        Ok(())
    }

    fn unknown_parameter(&self, name: &str) -> ApiError {
        let hint = match names::nearest(name, self.known) {
            Some(nearest) => format!("did you mean {nearest}?"),
            None if self.known.is_empty() => "it takes none".to_owned(),
            None => format!("it takes {}", self.known.join(", ")),
        };
        let message = format!("{} is not a query parameter of this request: {hint}", names::displayed(name));
        ApiError::new(ErrorCode::UnknownParameter, message)
    }

    /// Returns a parameter's value; `None` if it is missing or empty. 400 if it occurs twice, or isn't percent-encoded
    /// UTF-8.
    pub fn one(&self, name: &str) -> Result<Option<String>, ApiError> {
        Ok(self.find(name, decode)?.filter(|value| !value.is_empty()))
    }

    /// Returns the value of a parameter that is a phone number or another address; an empty one too. A `+` at its
    /// beginning is a plus sign, which callers forget to encode. Errors as for [`Query::one`].
    pub fn address(&self, name: &str) -> Result<Option<String>, ApiError> {
        self.find(name, |value| match value.strip_prefix('+') {
            Some(rest) => Some(format!("+{}", decode(rest)?)),
            None => decode(value),
        })
    }

    fn find(&self, name: &str, decode_value: fn(&str) -> Option<String>) -> Result<Option<String>, ApiError> {
        debug_assert!(self.known.contains(&name), "{name} isn't one of the known parameters {:?}", self.known);
        let mut found = None;
        for pair in self.raw.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if decode(key).as_deref() != Some(name) {
                continue;
            }
            let Some(value) = decode_value(value) else {
                return Err(ApiError::new(ErrorCode::InvalidQuery, format!("{name} is not percent-encoded UTF-8")));
            };
            if found.replace(value).is_some() {
                return Err(ApiError::new(ErrorCode::InvalidQuery, format!("{name} is given twice: give it once")));
            }
        }
        Ok(found)
    }

    /// Returns the value that `choices` assigns to a parameter; 400 if the parameter isn't one of them.
    pub fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, ApiError> {
        let Some(word) = self.one(name)? else { return Ok(None) };
        let found = choices.iter().find(|(choice, _)| *choice == word);
        found.map(|(_, meaning)| Some(*meaning)).ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
            ApiError::new(ErrorCode::InvalidQuery, format!("{name} must be one of: {}", words.join(", ")))
        })
    }

    /// Returns a whole number within `range`; 400 for any other value.
    pub fn whole_number(&self, name: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, ApiError> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.map(Some).ok_or_else(|| {
            let message = format!("{name} must be a whole number from {} to {}", range.start(), range.end());
            ApiError::new(ErrorCode::InvalidQuery, message)
        })
    }

    /// Returns the session that `sessionId` names.
    pub fn session_id(&self) -> Result<SessionId, ApiError> {
        match self.one("sessionId")? {
            Some(text) => read_session_id(&text),
            None => Err(ApiError::missing_field("sessionId")),
        }
    }

    /// Returns the position that `cursor` encodes, as `parse` reads it; 400 if the cursor isn't from `list`.
    pub fn cursor<P>(
        &self,
        list: &str,
        parse: fn(&str, &str) -> Result<P, InvalidCursor>,
    ) -> Result<Option<P>, ApiError> {
        let position = self.one("cursor")?.map(|cursor| parse(&cursor, list)).transpose();
        position.map_err(|error| ApiError::new(ErrorCode::InvalidCursor, error.to_string()))
    }
}

/// Parses a session's ID.
pub fn read_session_id(text: &str) -> Result<SessionId, ApiError> {
    text.parse().map_err(|_| ApiError::invalid_field("sessionId must be a UUID"))
}

/// Decodes a query component, in which `+` is a space.
fn decode(text: &str) -> Option<String> {
    percent_decoded(&text.replace('+', " "))
}

/// Percent-decodes a path segment. `None` if an escape is incomplete, or the bytes aren't UTF-8.
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

    const KNOWN: &[&str] =
        &["a", "ab", "b", "c", "d", "e", "hub.mode", "empty", "flag", "missing", "sessionId", "limit"];

    #[test]
    fn parameters_are_decoded() {
        let query = Query::new("a=1&hub.mode=sub%20s+x&empty=&flag&%61b=2", KNOWN);
        assert_eq!(query.one("a").unwrap().as_deref(), Some("1"));
        assert_eq!(query.one("hub.mode").unwrap().as_deref(), Some("sub s x"));
        assert_eq!(query.one("ab").unwrap().as_deref(), Some("2"));
        for absent in ["empty", "flag", "missing"] {
            assert_eq!(query.one(absent).unwrap(), None);
        }
    }

    #[test]
    fn plus_at_the_beginning_of_an_address_is_kept() {
        for (raw, address) in [
            ("a=+1+415%20555", "+1 415 555"),
            ("a=%2B1+415", "+1 415"),
            ("a=%20+1", "  1"),
            ("a=EG.7", "EG.7"),
            ("a=+", "+"),
            ("a=", ""),
            ("a", ""),
        ] {
            assert_eq!(Query::new(raw, KNOWN).address("a").unwrap().as_deref(), Some(address), "{raw}");
        }
        assert_eq!(Query::new("b=+1", KNOWN).address("a").unwrap(), None);
        for invalid in ["a=+1&a=+1", "a=+%zz", "a=%ff"] {
            assert!(Query::new(invalid, KNOWN).address("a").is_err(), "{invalid}");
        }
    }

    #[test]
    fn an_invalid_parameter_is_refused_and_leaves_the_others_readable() {
        let query = Query::new("a=%zz&b=%ff&c=%2&d=1&d=2&e=5", KNOWN);
        for bad in ["a", "b", "c", "d"] {
            assert!(query.one(bad).is_err(), "{bad}");
        }
        assert_eq!(query.one("e").unwrap().as_deref(), Some("5"));
    }

    #[test]
    fn unknown_parameters_are_named_with_the_nearest_known_one() {
        for (raw, expected) in [
            ("limit=5&session_id=x", "session_id is not a query parameter of this request: did you mean sessionId?"),
            ("limit[]=5", "limit[] is not a query parameter of this request: did you mean limit?"),
            ("limit%5B%5D=5", "limit[] is not a query parameter of this request: did you mean limit?"),
            ("search=5", "search is not a query parameter of this request: it takes a, ab"),
            ("=5", "\\\"\\\" is not a query parameter"),
            ("%zz=5", "The name of a query parameter is not percent-encoded UTF-8"),
        ] {
            let error = format!("{:?}", Query::new(raw, KNOWN).check_names().unwrap_err());
            assert!(error.contains(expected), "{raw}: {error}");
        }
        let error = format!("{:?}", Query::new("x=5", &[]).check_names().unwrap_err());
        assert!(error.contains("x is not a query parameter of this request: it takes none"), "{error}");
        for raw in ["", "&", "a=1&&b", "%61=1&", "limit=%zz"] {
            assert!(Query::new(raw, KNOWN).check_names().is_ok(), "{raw}");
        }
    }
}
