//! How an invocation fails.

use std::time::Duration;

/// Why an invocation has no answer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvokeError {
    /// The function reported an error.
    #[error("{error_type}: {message}")]
    Handled {
        /// As the function named it.
        error_type: String,
        /// As the function worded it.
        message: String,
    },
    /// It took longer than the template allows; the process was killed.
    #[error("timed out after {} s", after.as_secs_f64())]
    TimedOut {
        /// The function's timeout.
        after: Duration,
    },
    /// The process ended before it answered.
    #[error("the process ended: {status}")]
    Crashed {
        /// The exit code or the signal.
        status: String,
    },
    /// The process could not be started, or ended or reported an error before it asked for an invocation.
    #[error("could not start: {reason}")]
    Init {
        /// What happened.
        reason: String,
    },
    /// The event is larger than Lambda takes.
    #[error("the event of {size} bytes is larger than the {limit} bytes that Lambda takes")]
    TooLarge {
        /// The event's size in bytes.
        size: usize,
        /// Lambda's limit in bytes.
        limit: usize,
    },
    /// The template has no such function.
    #[error("there is no function {name:?}")]
    Unknown {
        /// The name that was asked for.
        name: String,
    },
    /// The local run is ending.
    #[error("the local run is stopping")]
    Stopped,
}

impl InvokeError {
    /// Whether the process is as good as before: the function only said that it failed.
    pub(super) fn leaves_process_usable(&self) -> bool {
        matches!(self, InvokeError::Handled { .. })
    }
}
