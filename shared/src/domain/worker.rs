//! Linked-device workers.

use crate::domain::id::SessionId;

/// What stands for the phone number id of a session that a worker pairs: WhatsApp gives it none.
pub fn worker_number(session_id: SessionId) -> String {
    format!("worker:{session_id}")
}

/// What a worker says of a message that it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerOutcome {
    /// The device has sent it.
    Sent {
        /// The device's id of it.
        id: String,
    },
    /// It was not sent and never will be.
    Failed {
        /// Why not.
        reason: String,
    },
}
