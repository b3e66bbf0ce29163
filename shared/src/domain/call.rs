//! Calls. A call is one message of its chat, whichever of its webhooks arrives first.

use serde::{Deserialize, Serialize};

/// The state of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    /// It rings, or it takes place.
    Started,
    /// It ended, and the other side had accepted it.
    Completed,
    /// It ended, and the other side had not accepted it.
    Missed,
}

impl CallStatus {
    /// Returns whether the call has ended, after which its status doesn't change.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Started)
    }

    /// Returns the text that the inbox shows for the call.
    pub fn preview(self, from_me: bool) -> &'static str {
        match (self, from_me) {
            (Self::Started | Self::Completed, _) => "[call]",
            (Self::Missed, false) => "[missed call]",
            (Self::Missed, true) => "[unanswered call]",
        }
    }
}
