//! Invocation errors.

use std::time::Duration;

/// An error that prevents an invocation from returning a response.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvokeError {
    /// The function reported an error.
    #[error("{error_type}: {message}")]
    Handled {
        /// The error type as reported by the function.
        error_type: String,
        /// The message as reported by the function.
        message: String,
    },
    /// The function exceeded its timeout and was killed.
    #[error("timed out after {} s", after.as_secs_f64())]
    TimedOut {
        /// The function's timeout.
        after: Duration,
    },
    /// The process ended before it responded.
    #[error("the process ended: {status}")]
    Crashed {
        /// The exit code or signal.
        status: String,
    },
    /// The process did not start, ended, or reported an error before it requested an event.
    #[error("could not start: {reason}")]
    Init {
        /// The cause.
        reason: String,
    },
    /// The event exceeds Lambda's size limit.
    #[error("the event has {size} bytes; Lambda allows up to {limit}")]
    TooLarge {
        /// Size of the event in bytes.
        size: usize,
        /// Lambda's limit in bytes.
        limit: usize,
    },
    /// The template has no function with this name.
    #[error("unknown function {name:?}")]
    Unknown {
        /// The requested name.
        name: String,
    },
    /// The local run is stopping.
    #[error("the local run is stopping")]
    Stopped,
}

impl InvokeError {
    /// Returns whether the process can handle another event: the function itself reported the error.
    pub(super) fn keeps_process_usable(&self) -> bool {
        matches!(self, InvokeError::Handled { .. })
    }
}
