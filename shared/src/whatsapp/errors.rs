//! Errors of the Cloud API (Meta, *Error codes*).

use std::fmt;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::domain::whatsapp_error::{ErrorClass, WhatsAppError};

/// An error in a response or webhook. Every field is optional.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct GraphError {
    #[serde(default)]
    pub(super) code: Option<i64>,
    #[serde(default)]
    pub(super) fbtrace_id: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    message: Option<String>,
    /// An object with `details`, or sometimes a string.
    #[serde(default)]
    error_data: Option<Value>,
    #[serde(default)]
    details: Option<String>,
}

impl From<&GraphError> for WhatsAppError {
    fn from(error: &GraphError) -> Self {
        let title = error.title.as_ref().or(error.message.as_ref()).cloned();
        Self { code: error.code, title, details: error.details().map(str::to_owned) }
    }
}

impl GraphError {
    /// Parses the field `errors` of a webhook. Skips invalid entries.
    pub(super) fn parse_list(errors: Option<Vec<&RawValue>>) -> Vec<Self> {
        let errors = errors.unwrap_or_default();
        errors.into_iter().filter_map(|raw| serde_json::from_str(raw.get()).ok()).collect()
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

    /// Returns `error_data.details`, or `details` beside the title.
    fn details(&self) -> Option<&str> {
        match &self.error_data {
            Some(Value::Object(data)) => data.get("details").and_then(Value::as_str),
            Some(Value::String(text)) => Some(text.as_str()),
            _ => self.details.as_deref(),
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
        self.details().filter(|details| *details != title).map_or(Ok(()), |details| write!(f, ": {details}"))
    }
}
