//! One lane of a mapping: batches of some partition keys, one after the other, in stream order.

use std::{collections::VecDeque, ops::ControlFlow, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    batch::{Batch, Condition, Outcome, batch_length, event, outcome},
    on_failure::{Discarded, FailureQueue},
    progress::Tracker,
    reader::Shard,
    record::Record,
};
use crate::{
    console::{Console, Kind},
    lambda::{InvokeError, Lambda},
    template::StreamMapping,
};

/// AWS does not publish its backoff; it is short here, so that a failing function is seen to fail.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(super) struct Lane {
    pub(super) function: String,
    pub(super) mapping: Arc<StreamMapping>,
    pub(super) lambda: Lambda,
    pub(super) tracker: Arc<Tracker>,
    pub(super) failures: FailureQueue,
    pub(super) shard: Shard,
    pub(super) console: Console,
    pub(super) shutdown: CancellationToken,
}

impl Lane {
    /// Works until `pages` ends or the run is shut down; an invocation that is under way is waited for.
    pub(super) async fn run(self, mut pages: mpsc::Receiver<Vec<Record>>) {
        let mut waiting = VecDeque::new();
        let shutdown = self.shutdown.clone();
        while let Some(Some(batch)) = shutdown.run_until_cancelled(self.gather(&mut pages, &mut waiting)).await {
            if self.process(batch).await.is_break() {
                return;
            }
        }
    }

    /// The next batch: what is there, or what comes until the window ends or the batch is full.
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
                // The window has ended, or the stream has.
                Err(_) | Ok(None) => return Some(Batch::new(waiting.drain(..length).collect())),
            }
        }
    }

    async fn process(&self, batch: Batch) -> ControlFlow<()> {
        let mut queue = VecDeque::from([(batch, false)]);
        while let Some((batch, function_error)) = queue.pop_front() {
            let (expired, batch) = batch.expire(&self.mapping, super::now());
            if let Some(expired) = expired {
                self.discard(&expired, Condition::RecordAgeExceeded, function_error);
            }
            let Some(batch) = batch else { continue };
            if self.wait_before(&batch).await.is_break() {
                return ControlFlow::Break(());
            }
            let Some(outcome) = self.invoke(&batch).await else { return ControlFlow::Break(()) };
            let function_error = outcome == Outcome::FunctionError;
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

    async fn wait_before(&self, batch: &Batch) -> ControlFlow<()> {
        let wait = match batch.invocations.checked_sub(1) {
            None => Duration::ZERO,
            Some(earlier) => FIRST_RETRY.saturating_mul(2u32.saturating_pow(earlier)).min(LONGEST_RETRY),
        };
        match self.shutdown.run_until_cancelled(tokio::time::sleep(wait)).await {
            Some(()) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
        }
    }

    /// `None` when the run is ending.
    async fn invoke(&self, batch: &Batch) -> Option<Outcome> {
        let invocation = self.lambda.invoke_measured(&self.function, event(batch)).await;
        let (outcome, said) = match &invocation.result {
            Err(InvokeError::Stopped) => return None,
            Err(problem) => (Outcome::FunctionError, problem.to_string()),
            Ok(answer) => {
                let outcome = outcome(answer, &batch.records, &self.mapping);
                let said = match outcome {
                    Outcome::Success => "done".to_owned(),
                    Outcome::FailedFrom(index) => format!("failed from record {}", index + 1),
                    Outcome::BadResponse | Outcome::FunctionError => {
                        "the answer's batchItemFailures name no record of the batch".to_owned()
                    }
                };
                (outcome, said)
            }
        };
        self.console.line(
            if outcome == Outcome::Success { Kind::Stream } else { Kind::Problem },
            format!(
                "{} {} record(s) {said}, {} ms, {}",
                self.function,
                batch.records.len(),
                invocation.duration.as_millis(),
                invocation.usage,
            ),
        );
        Some(outcome)
    }

    fn discard(&self, batch: &Batch, condition: Condition, function_error: bool) {
        let discarded = Discarded { batch, condition, function_error, now: super::now() };
        let queue = self.mapping.on_failure.as_deref();
        self.failures.discard(&self.function, queue, &self.shard, &discarded, &self.console);
        self.finish(&batch.records);
    }

    fn finish(&self, records: &[Record]) {
        self.tracker.update(|progress| records.iter().for_each(|record| progress.finish(record.sequence)));
    }
}
