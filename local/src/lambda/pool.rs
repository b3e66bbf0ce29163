//! The processes of one function.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use axum::body::Bytes;
use tokio::{sync::Semaphore, time::Instant};

use super::{Deployment, InvokeError, Provisioned, Surroundings, instance::Instance, runtime_api::PAYLOAD_LIMIT};
use crate::{console::Kind, database::usage::Usage};

/// Processes of one function at once. AWS starts with 1,000 for an account; a laptop is busy with fewer.
const LAPTOP_LIMIT: usize = 8;

pub(super) type Outcome = (Result<Bytes, InvokeError>, Usage, bool);

pub(super) struct Pool {
    deployment: Deployment,
    surroundings: Arc<Surroundings>,
    /// One for each process that may be busy; waiters are served in the order they came.
    permits: Semaphore,
    /// The last one used is taken first, as it is the warmest.
    idle: Mutex<Vec<Instance>>,
    started: AtomicU64,
}

impl Pool {
    pub(super) fn new(deployment: Deployment, surroundings: Arc<Surroundings>) -> Pool {
        let limit = deployment.function.reserved_concurrency.unwrap_or(LAPTOP_LIMIT).clamp(1, LAPTOP_LIMIT);
        Pool {
            deployment,
            surroundings,
            permits: Semaphore::new(limit),
            idle: Mutex::default(),
            started: AtomicU64::new(0),
        }
    }

    /// The answer, what DynamoDB was asked for, and whether a process was started.
    pub(super) async fn invoke(&self, event: Bytes) -> Outcome {
        if event.len() > PAYLOAD_LIMIT {
            let error = InvokeError::TooLarge { size: event.len(), limit: PAYLOAD_LIMIT };
            return (Err(error), Usage::default(), false);
        }
        self.run(event).await
    }

    /// Starts a process and leaves it idle.
    pub(super) async fn provision(&self) -> Result<Provisioned, InvokeError> {
        let started = Instant::now();
        let instance = self.start_instance().await?;
        let init = started.elapsed();
        let usage = self.surroundings.meter.take(instance.name());
        let provisioned = Provisioned { pid: instance.pid(), init, usage };
        self.push_idle(instance);
        Ok(provisioned)
    }

    pub(super) async fn kill_idle(&self) {
        while let Some(instance) = self.pop_idle() {
            instance.kill().await;
        }
    }

    async fn run(&self, event: Bytes) -> Outcome {
        let permit = self.unless_stopped(async { self.permits.acquire().await.map_err(|_| InvokeError::Stopped) });
        let _permit = match permit.await {
            Ok(permit) => permit,
            Err(error) => return (Err(error), Usage::default(), false),
        };
        let (mut instance, cold) = match self.ready_instance().await {
            Ok(ready) => ready,
            Err(error) => {
                self.report(&error);
                return (Err(error), Usage::default(), true);
            }
        };
        // What it asked for before, such as the warm-up of its init, is not this invocation's.
        self.surroundings.meter.take(instance.name());
        let result = self.unless_stopped(instance.invoke(event)).await;
        let usage = self.surroundings.meter.take(instance.name());
        match &result {
            Err(error) if !error.leaves_process_usable() => {
                instance.kill().await;
                self.report(error);
            }
            Err(error) => {
                self.report(error);
                self.push_idle(instance);
            }
            Ok(_) => self.push_idle(instance),
        }
        (result, usage, cold)
    }

    /// An instance that waits for an event, and whether it was started for this.
    async fn ready_instance(&self) -> Result<(Instance, bool), InvokeError> {
        while let Some(mut instance) = self.pop_idle() {
            if let Some(status) = instance.ended() {
                self.report(&InvokeError::Crashed { status });
                continue;
            }
            match self.unless_stopped(instance.ready()).await {
                Ok(()) => return Ok((instance, false)),
                Err(error) => {
                    instance.kill().await;
                    self.report(&error);
                }
            }
        }
        Ok((self.start_instance().await?, true))
    }

    async fn start_instance(&self) -> Result<Instance, InvokeError> {
        let number = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        let mut instance = Instance::spawn(&self.deployment, &self.surroundings, number)?;
        match self.unless_stopped(instance.ready()).await {
            Ok(()) => Ok(instance),
            Err(error) => {
                instance.kill().await;
                Err(error)
            }
        }
    }

    /// What waits for a process must not outlast the run; the caller then kills the process.
    async fn unless_stopped<T>(&self, step: impl Future<Output = Result<T, InvokeError>>) -> Result<T, InvokeError> {
        self.surroundings.stop.run_until_cancelled(step).await.unwrap_or(Err(InvokeError::Stopped))
    }

    fn report(&self, error: &InvokeError) {
        if *error == InvokeError::Stopped {
            return;
        }
        let name = &self.deployment.function.name;
        let consequence = if error.leaves_process_usable() { "" } else { "; the next invocation starts it anew" };
        self.surroundings.console.line(Kind::Problem, format!("{name}: {error}{consequence}"));
    }

    fn pop_idle(&self) -> Option<Instance> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn push_idle(&self, instance: Instance) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
    }
}
