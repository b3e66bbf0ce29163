//! Reading of a change log: which changes a page has, and what ends it.
//!
//! A writer takes numbers first and stores the changes afterwards. If it ends in between, numbers are missing for good.
//! Readers therefore wait at missing numbers for as long as a writer can still store them, and step over them later.

use std::time::Duration;

use serde::Deserialize;

use super::Change;
use crate::domain::time::Timestamp;

/// The time from taking numbers within which a writer has to store its changes. It gives up afterwards.
pub const STORE_LIMIT: Duration = Duration::from_secs(8);

/// How long readers wait for missing numbers: longer than [`STORE_LIMIT`], by more than clocks differ.
pub const GAP_LIMIT: Duration = Duration::from_secs(10);

/// A change as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The change.
    pub change: Change,
    /// When it expires, in Unix seconds. Changes expire in the order of their numbers.
    pub expires_at: i64,
}

/// The end of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct LogEnd {
    /// The last number; 0 if the log has none.
    #[serde(default)]
    pub last: u64,
    /// When it was taken.
    #[serde(default)]
    pub appended_at: Option<Timestamp>,
}

/// A page of a log, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangePage {
    /// The changes.
    pub changes: Vec<Change>,
    /// The position after the page: the number of its last change, or the position before it.
    pub next: u64,
    /// What follows.
    pub end: PageEnd,
    /// The last number of the log.
    pub last: u64,
}

/// What follows a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageEnd {
    /// More changes.
    More,
    /// Nothing.
    CaughtUp,
    /// A change that is being stored. Read again in a moment.
    Gap,
}

/// Changes after the position have expired, or may have, or the log doesn't reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log no longer has the changes after this position")]
pub struct Expired;

/// What a reader found in the log.
#[derive(Clone, Debug)]
pub struct Found {
    /// The entry at the position, if the log has it, and the first ones after it, in order, without omissions.
    pub entries: Vec<Entry>,
    /// Whether there may be more entries after them.
    pub is_partial: bool,
    /// The end of the log, read at the same time.
    pub end: LogEnd,
}

impl Found {
    /// Returns the page of changes after the position `after`.
    ///
    /// # Errors
    ///
    /// If changes after the position have expired, or the log doesn't reach it. Numbers that are missing after a
    /// position whose own change is missing too count as expired: nothing tells them apart.
    pub fn page(self, after: u64, now: Timestamp) -> Result<ChangePage, Expired> {
        let Self { entries, is_partial, end } = self;
        // Nothing expires before the change at the position does.
        let mut is_certain = false;
        let mut page = ChangePage { changes: Vec::new(), next: after, end: PageEnd::CaughtUp, last: end.last };
        for Entry { change, expires_at } in entries {
            let has_expired = is_over(expires_at, now);
            if change.sequence <= after {
                is_certain = !has_expired;
                continue;
            }
            if has_expired {
                return Err(Expired);
            }
            if change.sequence > page.next.saturating_add(1) {
                if now.since(change.appended_at) < GAP_LIMIT {
                    page.end = PageEnd::Gap;
                    return Ok(page);
                }
                if !is_certain {
                    return Err(Expired);
                }
            }
            is_certain = true;
            page.next = change.sequence;
            page.changes.push(change);
        }
        if page.next > end.last && page.changes.is_empty() {
            return Err(Expired);
        }
        if page.next < end.last {
            let is_young = end.appended_at.is_some_and(|at| now.since(at) < GAP_LIMIT);
            page.end = match (is_partial, is_young) {
                (true, _) => PageEnd::More,
                (false, true) => PageEnd::Gap,
                // The process that took the last numbers has ended. The position stays before them.
                (false, false) if is_certain => PageEnd::CaughtUp,
                (false, false) => return Err(Expired),
            };
        }
        Ok(page)
    }
}

/// Returns whether an item with this time to live is over. DynamoDB deletes it later.
pub fn is_over(expires_at: i64, now: Timestamp) -> bool {
    expires_at <= now.seconds()
}

#[cfg(test)]
mod tests;
