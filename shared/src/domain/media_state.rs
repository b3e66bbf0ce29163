//! The state of a file, and the part of it that its message stores.

use serde::{Deserialize, Serialize};

use crate::domain::id::MediaId;

/// The state of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaState {
    /// It was announced, and isn't uploaded yet.
    AwaitingUpload,
    /// WhatsApp has it, and it isn't fetched yet.
    Pending,
    /// It is in the bucket.
    Stored,
    /// It is larger than [`MAX_FILE_BYTES`](crate::domain::media::MAX_FILE_BYTES).
    TooLarge,
    /// WhatsApp no longer has it, or it is being erased.
    Gone,
    /// It could not be fetched as long as WhatsApp kept it.
    Failed,
}

/// An event that changes the state of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaEvent {
    /// It is in the bucket, with the right content.
    Stored,
    /// It is too large.
    TooLarge,
    /// WhatsApp doesn't have it.
    Gone,
    /// The last attempt failed.
    GivenUp,
    /// A chat or session is erased, and an uploaded file with it.
    Erased,
}

impl MediaState {
    /// All states.
    pub const ALL: [Self; 6] =
        [Self::AwaitingUpload, Self::Pending, Self::Stored, Self::TooLarge, Self::Gone, Self::Failed];

    /// Returns the name that responses and the table use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingUpload => "awaiting_upload",
            Self::Pending => "pending",
            Self::Stored => "stored",
            Self::TooLarge => "too_large",
            Self::Gone => "gone",
            Self::Failed => "failed",
        }
    }

    /// Returns the state after an event; `None` if the event can't happen in this state. The only place that defines
    /// transitions.
    pub fn on(self, event: MediaEvent) -> Option<Self> {
        match (self, event) {
            (Self::AwaitingUpload | Self::Pending, MediaEvent::Stored) => Some(Self::Stored),
            (Self::Pending, MediaEvent::TooLarge) => Some(Self::TooLarge),
            (Self::Pending, MediaEvent::Gone) => Some(Self::Gone),
            (Self::Pending, MediaEvent::GivenUp) => Some(Self::Failed),
            (Self::AwaitingUpload | Self::Stored | Self::Gone, MediaEvent::Erased) => Some(Self::Gone),
            (Self::AwaitingUpload, MediaEvent::TooLarge | MediaEvent::Gone | MediaEvent::GivenUp)
            | (Self::Pending, MediaEvent::Erased)
            | (Self::Stored | Self::TooLarge | Self::Gone | Self::Failed, _) => None,
        }
    }
}

/// The file of a message, as the message has it once its state is final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageMedia {
    /// The ID of the file.
    pub id: MediaId,
    /// The state.
    pub state: MediaState,
    /// The type with which the bucket serves it, or the one that the sender declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// The size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The SHA-256, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The name of a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_states_stay() {
        use MediaEvent::{Erased, GivenUp, Gone, Stored, TooLarge};
        for state in MediaState::ALL {
            // A received file is deleted with its item, an uploaded one as often as it takes.
            let is_upload = matches!(state, MediaState::AwaitingUpload | MediaState::Stored | MediaState::Gone);
            assert_eq!(state.on(Erased), is_upload.then_some(MediaState::Gone), "{state:?}");
            let is_open = matches!(state, MediaState::AwaitingUpload | MediaState::Pending);
            for event in [Stored, TooLarge, Gone, GivenUp] {
                let can_happen = is_open && (state == MediaState::Pending || event == Stored);
                assert_eq!(state.on(event).is_some(), can_happen, "{state:?} {event:?}");
            }
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
