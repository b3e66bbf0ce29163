//! The event source mapping: reads the table's stream, and invokes a function with batches of its records as Lambda does
//! ("Using AWS Lambda with Amazon DynamoDB", Lambda Developer Guide): filtered, batched, in order per partition key, with
//! retries, bisection, partial failures and an on-failure queue. Delivery is at least once.

mod batch;
mod checkpoint;
mod filter;
mod on_failure;
mod progress;
mod reader;
mod record;
mod worker;

use std::{sync::Arc, time::Duration};

use dynoxide::DynoxideError;
use jiff::Timestamp;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub use self::{
    checkpoint::{CheckpointError, Checkpoints},
    filter::FilterError,
    on_failure::FailureQueue,
};
use self::{
    filter::Filter,
    progress::Tracker,
    reader::{Read, Source},
    record::{Record, SequenceNumber},
    worker::Lane,
};
use crate::{
    console::{Console, Kind},
    database::Database,
    lambda::Lambda,
    template::{StartingPosition, StreamMapping},
};

/// Lambda polls a shard "at a base rate of 4 times per second" (Lambda Developer Guide).
const POLL: Duration = Duration::from_millis(250);
/// Pages that a lane may be behind before reading waits for it.
const LANE_BACKLOG: usize = 4;

/// Why a mapping cannot run.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// A pattern that the local run cannot honour.
    #[error("the event source mapping of {function}")]
    Filter {
        /// The function.
        function: String,
        /// Which pattern and why.
        source: FilterError,
    },
    /// The template's table has no stream.
    #[error("the table {table_name} has no stream")]
    NoStream {
        /// The table.
        table_name: String,
    },
    /// The embedded database refused to be read.
    #[error("the stream cannot be read")]
    Read {
        /// In DynamoDB's words.
        #[from]
        source: DynoxideError,
    },
    /// The checkpoint could not be written.
    #[error("the stream's checkpoint cannot be saved")]
    Checkpoint(#[source] std::io::Error),
    /// A record without a sequence number or time.
    #[error("a record of the stream cannot be read")]
    Malformed,
}

/// A mapping that is ready to run: its place in the stream is settled.
pub struct EventSourceMapping {
    source: Source,
    filter: Arc<Filter>,
    position: SequenceNumber,
    tracker: Arc<Tracker>,
    mapping: Arc<StreamMapping>,
    function: String,
    lambda: Lambda,
    failures: FailureQueue,
    console: Console,
}

impl EventSourceMapping {
    /// Prepares a mapping of `function` (package name). From here on no record is missed, also with `LATEST`.
    ///
    /// # Errors
    /// As [`StreamError`] says; a filter that cannot be honoured is one.
    pub async fn open(
        mapping: StreamMapping,
        function: String,
        database: &Database,
        lambda: Lambda,
        checkpoints: Checkpoints,
        failures: FailureQueue,
        console: Console,
    ) -> Result<EventSourceMapping, StreamError> {
        let filter = Filter::compile(&mapping.filters)
            .map_err(|source| StreamError::Filter { function: function.clone(), source })?;
        let source = Source::open(database).await?;
        let name = format!("{function}/{}", mapping.logical_id);
        let position = match (checkpoints.get(&name), mapping.starting_position) {
            (Some(position), _) => position,
            (None, StartingPosition::TrimHorizon) => 0,
            (None, StartingPosition::Latest) => {
                let latest = source.latest().await?;
                checkpoints.set(&name, latest).map_err(StreamError::Checkpoint)?;
                latest
            }
        };
        Ok(EventSourceMapping {
            source,
            filter: Arc::new(filter),
            position,
            tracker: Arc::new(Tracker::new(position, checkpoints, name, console.clone())),
            mapping: Arc::new(mapping),
            function,
            lambda,
            failures,
            console,
        })
    }

    /// Polls until `shutdown`; then returns when the invocations under way have ended.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut running = JoinSet::new();
        let lanes: Vec<_> = (0..self.mapping.parallelization_factor.max(1))
            .map(|_| {
                let (pages, backlog) = mpsc::channel(LANE_BACKLOG);
                running.spawn(self.lane(&shutdown).run(backlog));
                pages
            })
            .collect();
        // Dropping the unfinished future is safe: what it had not handed over is after the checkpoint.
        let _ = shutdown.run_until_cancelled(self.poll(&lanes)).await;
        drop(lanes);
        // A lane that panicked has been reported by the runtime.
        while running.join_next().await.is_some() {}
    }

    fn lane(&self, shutdown: &CancellationToken) -> Lane {
        Lane {
            function: self.function.clone(),
            mapping: Arc::clone(&self.mapping),
            lambda: self.lambda.clone(),
            tracker: Arc::clone(&self.tracker),
            failures: self.failures.clone(),
            shard: self.source.shard.clone(),
            console: self.console.clone(),
            shutdown: shutdown.clone(),
        }
    }

    async fn poll(&mut self, lanes: &[mpsc::Sender<Vec<Record>>]) {
        let mut readable = true;
        loop {
            match self.source.after(self.position, Arc::clone(&self.filter)).await {
                Ok(page) if page.is_empty() => tokio::time::sleep(POLL).await,
                Ok(page) => self.hand_over(page, lanes).await,
                Err(problem) => {
                    // One line for an outage, not four a second.
                    if std::mem::take(&mut readable) {
                        self.console.line(Kind::Problem, format!("{}: {}", self.function, with_causes(&problem)));
                    }
                    tokio::time::sleep(POLL).await;
                    continue;
                }
            }
            readable = true;
        }
    }

    async fn hand_over(&mut self, page: Vec<Read>, lanes: &[mpsc::Sender<Vec<Record>>]) {
        self.tracker.update(|progress| {
            page.iter().for_each(|(sequence, record)| progress.read(*sequence, record.is_none()));
        });
        self.position = page.last().map_or(self.position, |(sequence, _)| *sequence);
        let mut parts = vec![Vec::new(); lanes.len()];
        for record in page.into_iter().filter_map(|(_, record)| record) {
            parts[record.lane(lanes.len())].push(record);
        }
        for (lane, part) in lanes.iter().zip(parts) {
            if !part.is_empty() {
                // A lane ends only when the run does.
                let _ = lane.send(part).await;
            }
        }
    }
}

/// The age of records and the time of messages, which no function sees.
#[allow(clippy::disallowed_methods, reason = "the local run is where a laptop's clock comes in")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
