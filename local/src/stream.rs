//! The event source mapping: reads the table's stream and invokes a function with batches of records, as Lambda does
//! (Lambda Developer Guide, *Using AWS Lambda with Amazon DynamoDB*). Supports filters, batching, order per partition
//! key, retries, bisection, partial failures, and an on-failure queue. Delivers at least once.

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
    progress::ProgressTracker,
    reader::{ReadEntry, StreamReader},
    record::{Record, SequenceNumber},
    worker::Worker,
};
use crate::{
    database::Database,
    error_chain,
    lambda::Lambda,
    output::{Kind, Output},
    template::{StartingPosition, StreamMapping},
};

/// Lambda polls a shard "at a base rate of 4 times per second" (Lambda Developer Guide).
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// Maximum number of pages queued for a worker before reading pauses.
const WORKER_BACKLOG: usize = 4;

/// An error that prevents an event source mapping from running.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The local run does not support the filter pattern.
    #[error("unsupported event source mapping of {function}")]
    Filter {
        /// The function.
        function: String,
        /// The pattern and the cause.
        source: FilterError,
    },
    /// The table has no stream.
    #[error("the table {table_name} has no stream")]
    NoStream {
        /// The table.
        table_name: String,
    },
    /// The embedded database rejected a read.
    #[error("cannot read the stream")]
    ReadEntry {
        /// The error as DynamoDB reports it.
        #[from]
        source: DynoxideError,
    },
    /// The checkpoint cannot be saved.
    #[error("cannot save the stream checkpoint")]
    Checkpoint(#[source] std::io::Error),
    /// A record has no sequence number or time.
    #[error("a record of cannot read the stream")]
    Malformed,
}

/// A mapping that is ready to run and has a fixed starting position.
pub struct EventSourceMapping {
    source: StreamReader,
    filter: Arc<Filter>,
    position: SequenceNumber,
    tracker: Arc<ProgressTracker>,
    mapping: Arc<StreamMapping>,
    function: String,
    lambda: Lambda,
    failures: FailureQueue,
    output: Output,
}

impl EventSourceMapping {
    /// Prepares a mapping of `function` (package name). All records written after this call are delivered, also with
    /// `LATEST`.
    ///
    /// # Errors
    /// Returns a [`StreamError`] if a filter is not supported, the table has no stream, or the checkpoint cannot be
    /// saved.
    pub async fn open(
        mapping: StreamMapping,
        function: String,
        database: &Database,
        lambda: Lambda,
        checkpoints: Checkpoints,
        failures: FailureQueue,
        output: Output,
    ) -> Result<EventSourceMapping, StreamError> {
        let filter = Filter::compile(&mapping.filters)
            .map_err(|source| StreamError::Filter { function: function.clone(), source })?;
        let source = StreamReader::open(database).await?;
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
            tracker: Arc::new(ProgressTracker::new(position, checkpoints, name, output.clone())),
            mapping: Arc::new(mapping),
            function,
            lambda,
            failures,
            output,
        })
    }

    /// Polls until `shutdown`, then waits for the invocations in progress.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut running = JoinSet::new();
        let workers: Vec<_> = (0..self.mapping.parallelization_factor.max(1))
            .map(|_| {
                let (pages, backlog) = mpsc::channel(WORKER_BACKLOG);
                running.spawn(self.worker_index(&shutdown).run(backlog));
                pages
            })
            .collect();
        // Dropping the unfinished future is safe: records that were not passed on are after the checkpoint.
        let _ = shutdown.run_until_cancelled(self.poll(&workers)).await;
        drop(workers);
        // The runtime has already reported a panic of a worker.
        while running.join_next().await.is_some() {}
    }

    fn worker_index(&self, shutdown: &CancellationToken) -> Worker {
        Worker {
            function: self.function.clone(),
            mapping: Arc::clone(&self.mapping),
            lambda: self.lambda.clone(),
            tracker: Arc::clone(&self.tracker),
            failures: self.failures.clone(),
            shard: self.source.shard.clone(),
            output: self.output.clone(),
            shutdown: shutdown.clone(),
        }
    }

    async fn poll(&mut self, workers: &[mpsc::Sender<Vec<Record>>]) {
        let mut readable = true;
        loop {
            match self.source.after(self.position, Arc::clone(&self.filter)).await {
                Ok(page) if page.is_empty() => tokio::time::sleep(POLL_INTERVAL).await,
                Ok(page) => self.distribute(page, workers).await,
                Err(problem) => {
                    // Report an outage once, not with every poll.
                    if std::mem::take(&mut readable) {
                        self.output.line(Kind::Problem, format!("{}: {}", self.function, error_chain(&problem)));
                    }
                    tokio::time::sleep(POLL_INTERVAL).await;
                    continue;
                }
            }
            readable = true;
        }
    }

    async fn distribute(&mut self, page: Vec<ReadEntry>, workers: &[mpsc::Sender<Vec<Record>>]) {
        self.tracker.update(|progress| {
            page.iter().for_each(|(sequence, record)| progress.read(*sequence, record.is_none()));
        });
        self.position = page.last().map_or(self.position, |(sequence, _)| *sequence);
        let mut parts = vec![Vec::new(); workers.len()];
        for record in page.into_iter().filter_map(|(_, record)| record) {
            parts[record.worker_index(workers.len())].push(record);
        }
        for (worker, part) in workers.iter().zip(parts) {
            if !part.is_empty() {
                // A worker ends only with the run.
                let _ = worker.send(part).await;
            }
        }
    }
}

fn now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests;
