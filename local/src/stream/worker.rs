//! A worker of a mapping: invokes batches of some items sequentially, in stream order.

use std::{collections::VecDeque, ops::ControlFlow, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    batch::{Batch, BatchOutcome, Condition, batch_length, event, read_response},
    on_failure::{DiscardedBatch, FailureQueue},
    progress::ProgressTracker,
    reader::Shard,
    record::Record,
};
use crate::{
    lambda::{InvokeError, Lambda},
    output::{Kind, Output},
    template::StreamMapping,
};

/// AWS does not publish its backoff. Short delays make a failing function visible.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(100);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(super) struct Worker {
    pub(super) function: String,
    pub(super) mapping: Arc<StreamMapping>,
    pub(super) lambda: Lambda,
    pub(super) tracker: Arc<ProgressTracker>,
    pub(super) failures: FailureQueue,
    pub(super) shard: Shard,
    pub(super) output: Output,
    pub(super) shutdown: CancellationToken,
}

impl Worker {
    /// Processes `pages` until the channel closes or the run shuts down. Waits for the invocation in progress.
    pub(super) async fn run(self, mut pages: mpsc::Receiver<Vec<Record>>) {
        let mut waiting = VecDeque::new();
        let shutdown = self.shutdown.clone();
        while let Some(Some(batch)) = shutdown.run_until_cancelled(self.gather(&mut pages, &mut waiting)).await {
            if self.process(batch).await.is_break() {
                return;
            }
        }
    }

    /// Collects the next batch until the batching window ends or the batch is full.
    async fn gather(&self, pages: &mut mpsc::Receiver<Vec<Record>>, waiting: &mut VecDeque<Record>) -> Option<Batch> {
        while waiting.is_empty() {
            waiting.extend(pages.recv().await?);
        }
        let window_ends = Instant::now() + self.mapping.maximum_batching_window;
        loop {
            while let Ok(page) = pages.try_recv() {
                waiting.extend(page);
            }
            let length = batch_length(waiting.iter(), &self.mapping);
            let full = length < waiting.len() || length >= self.mapping.batch_size as usize;
            if full || Instant::now() >= window_ends {
                return Some(Batch::new(waiting.drain(..length).collect()));
            }
            match tokio::time::timeout_at(window_ends, pages.recv()).await {
                Ok(Some(page)) => waiting.extend(page),
                // The window or the stream has ended.
                Err(_) | Ok(None) => return Some(Batch::new(waiting.drain(..length).collect())),
            }
        }
    }

    async fn process(&self, batch: Batch) -> ControlFlow<()> {
        let mut queue = VecDeque::from([(batch, false)]);
        while let Some((batch, function_error)) = queue.pop_front() {
            let (expired, batch) = batch.split_expired(&self.mapping, super::now());
            if let Some(expired) = expired {
                self.discard(&expired, Condition::RecordAgeExceeded, function_error);
            }
            let Some(batch) = batch else { continue };
            if self.back_off(&batch).await.is_break() {
                return ControlFlow::Break(());
            }
            let Some(outcome) = self.invoke(&batch).await else { return ControlFlow::Break(()) };
            let function_error = outcome == BatchOutcome::FunctionError;
            let settled = batch.settle(outcome, &self.mapping);
            self.finish(&settled.done);
            if let Some(discarded) = &settled.discarded {
                self.discard(discarded, Condition::RetryAttemptsExhausted, function_error);
            }
            for batch in settled.retry.into_iter().rev() {
                queue.push_front((batch, function_error));
            }
        }
        ControlFlow::Continue(())
    }

    async fn back_off(&self, batch: &Batch) -> ControlFlow<()> {
        let wait = match batch.invocations.checked_sub(1) {
            None => Duration::ZERO,
            Some(earlier) => MIN_RETRY_DELAY.saturating_mul(2u32.saturating_pow(earlier)).min(MAX_RETRY_DELAY),
        };
        match self.shutdown.run_until_cancelled(tokio::time::sleep(wait)).await {
            Some(()) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
        }
    }

    /// Invokes the function. Returns `None` if the run is stopping.
    async fn invoke(&self, batch: &Batch) -> Option<BatchOutcome> {
        let invocation = self.lambda.invoke_measured(&self.function, event(batch)).await;
        let (outcome, summary) = match &invocation.result {
            Err(InvokeError::Stopped) => return None,
            Err(problem) => (BatchOutcome::FunctionError, problem.to_string()),
            Ok(response) => {
                let outcome = read_response(response, &batch.records, &self.mapping);
                let summary = match outcome {
                    BatchOutcome::Success => "done".to_owned(),
                    BatchOutcome::FailedFrom(index) => format!("failed from record {}", index + 1),
                    BatchOutcome::BadResponse | BatchOutcome::FunctionError => "invalid batchItemFailures".to_owned(),
                };
                (outcome, summary)
            }
        };
        self.output.line(
            if outcome == BatchOutcome::Success { Kind::Stream } else { Kind::Problem },
            format!(
                "{} {} record(s) {summary}, {} ms, {}",
                self.function,
                batch.records.len(),
                invocation.duration.as_millis(),
                invocation.usage,
            ),
        );
        Some(outcome)
    }

    fn discard(&self, batch: &Batch, condition: Condition, function_error: bool) {
        let discarded = DiscardedBatch { batch, condition, function_error, now: super::now() };
        let queue = self.mapping.on_failure.as_deref();
        self.failures.discard(&self.function, queue, &self.shard, &discarded, &self.output);
        self.finish(&batch.records);
    }

    fn finish(&self, records: &[Record]) {
        self.tracker.update(|progress| records.iter().for_each(|record| progress.finish(record.sequence)));
    }
}
