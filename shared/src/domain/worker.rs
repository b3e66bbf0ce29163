//! Linked-device workers.

use crate::domain::id::SessionId;

/// Returns the phone number ID of a worker session, which has no ID from Meta.
pub fn worker_number(session_id: SessionId) -> String {
    format!("worker:{session_id}")
}

/// The outcome of a send, reported by a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerOutcome {
    /// The device sent the message.
    Sent {
        /// The device's ID of the message.
        id: String,
    },
    /// The message was not sent and will not be retried.
    Failed {
        /// The reason.
        reason: String,
    },
}
