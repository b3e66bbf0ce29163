//! Faults for the files of messages: lookups of their URLs, downloads, and uploads.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    MAX_HANG_MS,
    mix::{Fault, FaultMix},
};

/// The faults for files, until they are cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::whatsapp) struct MediaFaults {
    #[serde(skip_serializing_if = "Option::is_none")]
    lookups: Option<MediaFault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    downloads: Option<MediaFault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uploads: Option<MediaFault>,
}

/// A request that the faults for files affect.
#[derive(Clone, Copy, Debug)]
pub(in crate::whatsapp) enum MediaRequest {
    /// `GET /{media ID}`.
    Lookup,
    /// A `GET` of the URL of a file.
    Download,
    /// `POST /{phone number ID}/media`.
    Upload,
}

/// A fault for one kind of request. Exactly one kind of fault is set. `mix` selects one of several faults at random for
/// each request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct MediaFault {
    /// The request is rejected with this status.
    #[serde(skip_serializing_if = "Option::is_none")]
    http_status: Option<u16>,
    /// The request is handled after this time, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<u64>,
    /// The request is handled, and the connection closes after this number of bytes of the response's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    drop_after: Option<u64>,
    /// The request is handled, and the response stops after this number of bytes of its body. The connection stays open.
    #[serde(skip_serializing_if = "Option::is_none")]
    stall_after: Option<u64>,
    /// One bit of the response's body is wrong.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    corrupt: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    mix: Option<FaultMix<MediaFault>>,
    /// Number of remaining requests to affect; `None` for all until the faults are cleared.
    times: Option<u32>,
}

/// The outcome of a request for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::whatsapp) enum MediaOutcome {
    /// Handled.
    Handled,
    /// Rejected with this status.
    Rejected(u16),
    /// Handled after this time.
    Delayed(Duration),
    /// Handled. The connection closes after this number of bytes of the response's body.
    Dropped(u64),
    /// Handled. The response stops after this number of bytes of its body.
    Stalled(u64),
    /// Handled. One bit of the response's body is wrong.
    Corrupt,
}

impl MediaFaults {
    /// Checks the faults.
    ///
    /// # Errors
    /// Returns a sentence that describes the problem.
    pub(super) fn check(&self) -> Result<(), String> {
        let MediaFaults { lookups, downloads, uploads } = self;
        [("media.lookups", lookups), ("media.downloads", downloads), ("media.uploads", uploads)]
            .into_iter()
            .try_for_each(|(name, fault)| fault.as_ref().map_or(Ok(()), |fault| fault.check(name)))
    }

    /// Returns the outcome of the next request of a kind and decrements the remaining count.
    pub(in crate::whatsapp) fn next(&mut self, request: MediaRequest) -> MediaOutcome {
        let slot = match request {
            MediaRequest::Lookup => &mut self.lookups,
            MediaRequest::Download => &mut self.downloads,
            MediaRequest::Upload => &mut self.uploads,
        };
        let Some(fault) = slot else { return MediaFault::NONE };
        let outcome = fault.outcome();
        if let Some(times) = &mut fault.times {
            *times -= 1;
            if *times == 0 {
                *slot = None;
            }
        }
        outcome
    }
}

impl Fault for MediaFault {
    type Outcome = MediaOutcome;

    const NONE: MediaOutcome = MediaOutcome::Handled;

    fn is_nested(&self) -> bool {
        self.mix.is_some() || self.times.is_some()
    }

    fn check(&self, name: &str) -> Result<(), String> {
        let kinds = [
            self.http_status.is_some(),
            self.delay.is_some(),
            self.drop_after.is_some(),
            self.stall_after.is_some(),
            self.corrupt,
            self.mix.is_some(),
        ];
        if kinds.iter().filter(|given| **given).count() != 1 {
            return Err(format!(
                "{name} must have exactly one of httpStatus, delay, dropAfter, stallAfter, corrupt, and mix"
            ));
        }
        if self.http_status.is_some_and(|status| !(400..=599).contains(&status)) {
            return Err(format!("{name}.httpStatus must be from 400 to 599"));
        }
        if self.delay.is_some_and(|delay| !(1..=MAX_HANG_MS).contains(&delay)) {
            return Err(format!("{name}.delay must be from 1 to {MAX_HANG_MS} milliseconds"));
        }
        if self.times == Some(0) {
            return Err(format!("{name}.times must be at least 1, or null for no limit"));
        }
        self.mix.as_ref().map_or(Ok(()), |mix| mix.check(name))
    }

    fn outcome(&mut self) -> MediaOutcome {
        if let Some(mix) = &mut self.mix {
            mix.draw()
        } else if let Some(status) = self.http_status {
            MediaOutcome::Rejected(status)
        } else if let Some(delay) = self.delay {
            MediaOutcome::Delayed(Duration::from_millis(delay))
        } else if let Some(bytes) = self.drop_after {
            MediaOutcome::Dropped(bytes)
        } else if let Some(bytes) = self.stall_after {
            MediaOutcome::Stalled(bytes)
        } else {
            MediaOutcome::Corrupt
        }
    }
}
