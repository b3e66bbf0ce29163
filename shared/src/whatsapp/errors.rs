//! Errors of the Cloud API (Meta, *Error codes*).

use std::{collections::BTreeMap, fmt};

use serde_json::{Value, value::RawValue};

use crate::domain::whatsapp_error::{ErrorClass, WhatsAppError};

/// The maximum number of errors in a list.
const MAX_ERRORS: usize = 20;

/// The maximum length of a text in an error, in characters. Longer texts are truncated.
const TEXT_LIMIT: usize = 1000;

/// The maximum length of a trace ID, in characters. Longer ones are dropped.
const TRACE_ID_LIMIT: usize = 200;

/// The minimum length of an access token to remove from an error. A shorter text can be a part of any sentence.
const MIN_TOKEN_LENGTH: usize = 8;

/// The maximum depth of lists and objects around an error.
const MAX_DEPTH: usize = 6;

/// An error in a response or webhook. Every field is optional.
///
/// Meta documents an object with a numeric code. Proxies, older API versions, and resellers also write the code as a
/// string, the details as an object or number, or the whole error as a text or inside of another object. A field in an
/// unknown shape doesn't affect the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GraphError {
    pub(super) code: Option<i64>,
    subcode: Option<i64>,
    pub(super) fbtrace_id: Option<String>,
    title: Option<String>,
    message: Option<String>,
    details: Option<String>,
}

impl From<&GraphError> for WhatsAppError {
    fn from(error: &GraphError) -> Self {
        let title = error.title.as_ref().or(error.message.as_ref()).cloned();
        Self { code: error.code, title, details: error.details.clone() }
    }
}

impl GraphError {
    /// Parses the field `errors` of a webhook: a list, a single error in its place, or an object of errors. Skips entries
    /// without content.
    pub(super) fn parse_list(errors: Option<&RawValue>) -> Vec<Self> {
        let mut found = Vec::new();
        if let Some(errors) = errors {
            Self::collect(errors, MAX_DEPTH, &mut found);
        }
        found
    }

    /// Adds the errors of a value: of each entry of a list, of the member `error` or `errors` of an object that has no
    /// code itself, and of each member of an object of objects.
    fn collect(raw: &RawValue, depth: usize, found: &mut Vec<Self>) {
        if depth == 0 || found.len() >= MAX_ERRORS {
            return;
        }
        if let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
            return list.into_iter().for_each(|raw| Self::collect(raw, depth - 1, found));
        }
        let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(raw.get()) else {
            return found.extend(Self::from_scalar(raw));
        };
        let own = Self::from_members(&members);
        let before = found.len();
        if own.code.is_none() {
            let is_said = own != Self::default();
            let inner = ["error", "errors"].into_iter().filter_map(|name| members.get(name));
            // A text inside says less than the object around it.
            inner.filter(|raw| !is_said || is_nested(raw)).for_each(|raw| Self::collect(raw, depth - 1, found));
            if !is_said && members.values().all(|raw| raw.get().starts_with('{')) && found.len() == before {
                members.values().for_each(|raw| Self::collect(raw, depth - 1, found));
            }
        }
        if found.len() == before && own != Self::default() {
            found.push(own);
        }
    }

    /// Parses the body of a response: `{"error": …}`, `{"errors": …}`, or a list with such an object, as a batch request
    /// returns it. `None` if the body has no error.
    pub(super) fn parse_response(body: &[u8]) -> Option<Self> {
        let body: &RawValue = serde_json::from_slice(body).ok()?;
        let body = match serde_json::from_str::<Vec<&RawValue>>(body.get()) {
            Ok(list) => *list.first()?,
            Err(_) => body,
        };
        let mut members: BTreeMap<String, &RawValue> = serde_json::from_str(body.get()).ok()?;
        let error = members.remove("error").or_else(|| members.remove("errors"))?;
        let mut error = Self::parse_list(Some(error)).into_iter().next()?;
        // OAuth errors have a short code in `error` and the sentence beside it.
        error.details = error.details.or_else(|| text(member(&members, "error_description")?));
        Some(error)
    }

    /// Parses an error that is a number or text. `None` if it says nothing.
    fn from_scalar(raw: &RawValue) -> Option<Self> {
        let value: Value = serde_json::from_str(raw.get()).ok()?;
        let is_code = match &value {
            Value::String(text) => !text.trim().is_empty() && text.trim().bytes().all(|byte| byte.is_ascii_digit()),
            value => value.is_number(),
        };
        let code = code(&value).filter(|_| is_code);
        let title = if code.is_none() && !value.is_number() { text(value) } else { None };
        (code.is_some() || title.is_some()).then(|| Self { code, title, ..Self::default() })
    }

    fn from_members(members: &BTreeMap<String, &RawValue>) -> Self {
        let written = |name| member(members, name).filter(|value| !value.is_null());
        let written_code = written("code").or_else(|| written("error_code"));
        let code = written_code.as_ref().and_then(code);
        let text_of = |name| text(member(members, name)?);
        // A code that isn't a number, such as `RATE_LIMIT`, is a reason all the same.
        let title = text_of("title").or_else(|| text(written_code.filter(|_| code.is_none())?));
        Self {
            code,
            subcode: written("error_subcode").as_ref().and_then(self::code),
            fbtrace_id: text_of("fbtrace_id").filter(|id| id.chars().nth(TRACE_ID_LIMIT).is_none()),
            title,
            message: text_of("message").or_else(|| text_of("error_message")),
            details: member(members, "error_data").and_then(details).or_else(|| text_of("details")),
        }
    }

    /// Returns whether WhatsApp refused the access token (Meta, *Error codes*, 190), or knows the token of an app that
    /// can't access the number: the object "does not exist, cannot be loaded due to missing permissions" (100 with
    /// subcode 33).
    pub(super) fn is_token_refused(&self) -> bool {
        self.code == Some(190) || (self.code, self.subcode) == (Some(100), Some(33))
    }

    /// Classifies the error by its code, as Meta recommends, instead of its HTTP status or title. Unknown codes are
    /// final.
    pub(super) fn class(&self) -> ErrorClass {
        match self.code {
            Some(131_056) => ErrorClass::RecipientLimit,
            Some(4 | 80007 | 130_429 | 131_057 | 134_101) => ErrorClass::NotSent,
            Some(1 | 2 | 131_000 | 131_016 | 133_004) | None => ErrorClass::Indeterminate,
            Some(0 | 3 | 10 | 190 | 200..=299 | 368 | 131_005 | 131_031 | 131_042 | 131_045 | 133_010) => {
                ErrorClass::AccountBlocked
            }
            Some(_) => ErrorClass::Refused,
        }
    }
}

/// Formats the message's `error`: `Re-engagement message (131047): <details>`.
impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = self.title.as_deref().or(self.message.as_deref()).unwrap_or("WhatsApp refused the message");
        // Responses repeat the code in the title: `(#131026) Message undeliverable`.
        let title = title.strip_prefix("(#").and_then(|rest| rest.split_once(") ")).map_or(title, |(_, title)| title);
        f.write_str(title)?;
        if let Some(code) = self.code {
            write!(f, " ({code})")?;
        }
        let details = self.details.as_deref().filter(|details| *details != title);
        details.map_or(Ok(()), |details| write!(f, ": {details}"))
    }
}

/// Removes the access token of a request from its error: `Malformed access token <token>` quotes it.
pub(super) fn redacted(error: &str, access_token: &str) -> String {
    match access_token.trim() {
        token if token.len() >= MIN_TOKEN_LENGTH => error.replace(token, "…"),
        _ => error.to_owned(),
    }
}

/// Returns whether a value is a list or object.
fn is_nested(raw: &RawValue) -> bool {
    raw.get().starts_with(['[', '{'])
}

/// Returns a member's value. `None` if it is absent, or can't be represented.
fn member(members: &BTreeMap<String, &RawValue>, name: &str) -> Option<Value> {
    serde_json::from_str(members.get(name)?.get()).ok()
}

/// Reads a code: an integer, also as a string or with a fraction of zero.
fn code(value: &Value) -> Option<i64> {
    match value {
        #[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 1e15)?;
            Some(float as i64)
        }),
        Value::String(text) => text.trim().trim_start_matches("(#").trim_end_matches(')').parse().ok(),
        _ => None,
    }
}

/// Returns `details` of `error_data`, or all of it if it has another shape.
fn details(error_data: Value) -> Option<String> {
    match error_data {
        Value::Object(mut data) => match data.remove("details") {
            Some(details) => text(details),
            None => {
                data.remove("messaging_product");
                (!data.is_empty()).then(|| text(Value::Object(data))).flatten()
            }
        },
        other => text(other),
    }
}

/// Returns a value as text: a string as it is, and anything else as JSON. `None` if it is empty.
fn text(value: Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text,
        Value::Object(members) if members.is_empty() => return None,
        Value::Array(items) if items.is_empty() => return None,
        other => other.to_string(),
    };
    let text: String = text.trim().chars().take(TEXT_LIMIT).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
