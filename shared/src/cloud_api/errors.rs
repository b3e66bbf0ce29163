//! WhatsApp's errors (Meta: "Error codes").

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// An error as it stands in answers and in webhooks. Every member may be missing.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct GraphError {
    #[serde(default)]
    pub(super) code: Option<i64>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    message: Option<String>,
    /// An object with `details`, and at times a plain string.
    #[serde(default)]
    error_data: Option<Value>,
    #[serde(default)]
    details: Option<String>,
}

/// What an error means for the message that was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Rejected before it was processed: it can be posted again without doubling.
    NotSent,
    /// It may have been processed.
    MaybeSent,
    /// It was refused and will be refused again.
    Refused,
}

impl GraphError {
    /// Codes decide, not HTTP status or title, as Meta asks. An unknown code is final.
    pub(super) fn meaning(&self) -> Meaning {
        match self.code {
            Some(4 | 80007 | 130_429 | 131_056 | 131_057) => Meaning::NotSent,
            Some(1 | 2 | 131_000 | 131_016 | 133_004) | None => Meaning::MaybeSent,
            Some(_) => Meaning::Refused,
        }
    }
}

/// The sentence for the message's `error`: `Re-engagement message (131047): <details>`.
impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = self.title.as_deref().or(self.message.as_deref()).unwrap_or("WhatsApp refused the message");
        f.write_str(title)?;
        if let Some(code) = self.code {
            write!(f, " ({code})")?;
        }
        let details = match &self.error_data {
            Some(Value::Object(data)) => data.get("details").and_then(Value::as_str),
            Some(Value::String(text)) => Some(text.as_str()),
            _ => self.details.as_deref(),
        };
        details.map_or(Ok(()), |details| write!(f, ": {details}"))
    }
}
