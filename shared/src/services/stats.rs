//! The hourly counters of sessions: written by `relay`, and read by `GET /api/stats`.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use crate::{
    domain::{
        change::derive::StreamRecord,
        id::SessionId,
        stats::{Counters, Range, RangeError, additions},
        time::Timestamp,
    },
    store::{Store, StoreError},
    telemetry,
};

/// The maximum number of counters that are written concurrently.
const MAX_CONCURRENT_WRITES: usize = 16;

/// How long to write counters. Later batches of the stream wait for it, and they are more important.
const BUDGET: Duration = Duration::from_secs(2);

/// A request for counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatsQuery {
    /// The session.
    pub session_id: SessionId,
    /// The start of the range. `None` for a day before the end.
    pub from: Option<Timestamp>,
    /// The end of the range. `None` for the current time.
    pub to: Option<Timestamp>,
}

/// The counters of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionStats {
    /// The range.
    pub range: Range,
    /// The hours in which something was counted, oldest first.
    pub hours: Vec<(Timestamp, Counters)>,
}

/// Why a request for counters fails.
#[derive(Debug, thiserror::Error)]
pub enum StatsError {
    /// There is no such session.
    #[error("Session not found")]
    SessionNotFound,
    /// The range is invalid.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// The table didn't respond.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SessionStats {
    /// Returns the sum of all hours.
    pub fn total(&self) -> Counters {
        let mut total = Counters::default();
        self.hours.iter().for_each(|(_, counters)| total.merge(counters));
        total
    }
}

/// Returns the counters of a session.
///
/// # Errors
///
/// See [`StatsError`].
pub async fn read(store: &Store, query: StatsQuery, now: Timestamp) -> Result<SessionStats, StatsError> {
    let range = Range::new(query.from, query.to, now)?;
    let (session, hours) =
        tokio::join!(store.sessions().get(query.session_id), store.stats().read(query.session_id, range));
    session?.ok_or(StatsError::SessionNotFound)?;
    Ok(SessionStats { range, hours: hours? })
}

/// Adds records of the stream to the counters of their sessions. Best effort: what can't be written is lost.
pub async fn count(store: &Store, records: &[StreamRecord]) {
    let additions = additions(records);
    let writes = stream::iter(&additions).for_each_concurrent(MAX_CONCURRENT_WRITES, |addition| async move {
        if let Err(error) = store.stats().add(addition).await {
            tracing::warn!(session_id = %addition.session_id, error = telemetry::chain(&error), "counters not written");
        }
    });
    if tokio::time::timeout(BUDGET, writes).await.is_err() {
        tracing::warn!("counters not written in time");
    }
}
