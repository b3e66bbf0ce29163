//! The processes of one function.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicU64, Ordering},
};

use axum::body::Bytes;
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Deployment, InvokeError, ProvisionedInstance, RuntimeContext, instance::Instance, runtime_api::MAX_PAYLOAD_BYTES,
};
use crate::{database::usage::Usage, output::Kind};

/// Maximum number of concurrent processes per function. An AWS account starts with 1,000 concurrent executions in
/// total.
const MAX_INSTANCES: usize = 8;

pub(super) type PoolResult = (Result<Bytes, InvokeError>, Usage, bool);

pub(super) struct Pool {
    deployment: Deployment,
    context: Arc<RuntimeContext>,
    /// One permit per process. Waiters are served in order.
    permits: Semaphore,
    /// The most recently used instance is reused first.
    idle: Mutex<Vec<Instance>>,
    started: AtomicU64,
    killers: Mutex<Vec<Weak<CancellationToken>>>,
}

impl Pool {
    pub(super) fn new(deployment: Deployment, context: Arc<RuntimeContext>) -> Pool {
        let limit = deployment.function.reserved_concurrency.unwrap_or(MAX_INSTANCES).clamp(1, MAX_INSTANCES);
        Pool {
            deployment,
            context,
            permits: Semaphore::new(limit),
            idle: Mutex::default(),
            started: AtomicU64::new(0),
            killers: Mutex::default(),
        }
    }

    /// Invokes the function. Returns the result, the DynamoDB usage, and whether a process was started.
    pub(super) async fn invoke(&self, event: Bytes) -> PoolResult {
        if event.len() > MAX_PAYLOAD_BYTES {
            let error = InvokeError::TooLarge { size: event.len(), limit: MAX_PAYLOAD_BYTES };
            return (Err(error), Usage::default(), false);
        }
        self.run(event).await
    }

    /// Starts a process and adds it to the idle instances.
    pub(super) async fn provision(&self) -> Result<ProvisionedInstance, InvokeError> {
        let started = Instant::now();
        let instance = self.start_instance().await?;
        let init = started.elapsed();
        let usage = self.context.meter.take(instance.name());
        let provisioned = ProvisionedInstance { pid: instance.pid(), init, usage };
        self.push_idle(instance);
        Ok(provisioned)
    }

    /// Kills all processes, idle or not, like a crash. Returns their number.
    pub(super) fn kill_all(&self) -> usize {
        let killers = std::mem::take(&mut *self.killers.lock().unwrap_or_else(PoisonError::into_inner));
        killers.iter().filter_map(Weak::upgrade).map(|killed| killed.cancel()).count()
    }

    pub(super) async fn kill_idle(&self) {
        while let Some(instance) = self.pop_idle() {
            instance.kill().await;
        }
    }

    async fn run(&self, event: Bytes) -> PoolResult {
        let permit = self.until_stopped(async { self.permits.acquire().await.map_err(|_| InvokeError::Stopped) });
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
        // Discard earlier usage, such as the warm-up during init.
        self.context.meter.take(instance.name());
        let result = self.until_stopped(instance.invoke(event)).await;
        let usage = self.context.meter.take(instance.name());
        match &result {
            Err(error) if !error.keeps_process_usable() => {
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

    /// Returns an instance that waits for an event, and whether it was started for this call.
    async fn ready_instance(&self) -> Result<(Instance, bool), InvokeError> {
        while let Some(mut instance) = self.pop_idle() {
            if let Some(status) = instance.ended() {
                self.report(&InvokeError::Crashed { status });
                continue;
            }
            match self.until_stopped(instance.ready()).await {
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
        let mut instance = Instance::spawn(&self.deployment, &self.context, number)?;
        self.remember(instance.killer());
        match self.until_stopped(instance.ready()).await {
            Ok(()) => Ok(instance),
            Err(error) => {
                instance.kill().await;
                Err(error)
            }
        }
    }

    fn remember(&self, killer: Weak<CancellationToken>) {
        let mut killers = self.killers.lock().unwrap_or_else(PoisonError::into_inner);
        killers.retain(|killer| killer.strong_count() > 0);
        killers.push(killer);
    }

    /// Runs `step` until the local run stops, so that it does not outlast the run. The caller then kills the process.
    async fn until_stopped<T>(&self, step: impl Future<Output = Result<T, InvokeError>>) -> Result<T, InvokeError> {
        self.context.stop.run_until_cancelled(step).await.unwrap_or(Err(InvokeError::Stopped))
    }

    fn report(&self, error: &InvokeError) {
        if *error == InvokeError::Stopped {
            return;
        }
        let name = &self.deployment.function.name;
        let consequence = if error.keeps_process_usable() { "" } else { "; the next invocation starts a new process" };
        self.context.output.line(Kind::Problem, format!("{name}: {error}{consequence}"));
    }

    fn pop_idle(&self) -> Option<Instance> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn push_idle(&self, instance: Instance) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
    }
}
