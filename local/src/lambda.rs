//! The function processes, and the Lambda Runtime API that they speak.

mod environment;
mod error;
mod instance;
mod log_line;
mod pool;
mod runtime_api;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use axum::body::Bytes;
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::error::InvokeError;
use self::{pool::Pool, runtime_api::RuntimeApi};
use crate::{
    console::Console,
    database::usage::{Usage, UsageMeter},
    template::Function,
};

/// What came of an invocation, and what it cost.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The function's answer.
    pub result: Result<Bytes, InvokeError>,
    /// What it asked of DynamoDB.
    pub usage: Usage,
    /// Whether a process was started for it.
    pub cold: bool,
    /// From the call to the answer, waiting and starting included.
    pub duration: Duration,
}

/// A process that was started ahead of its first event.
#[derive(Clone, Debug)]
pub struct Provisioned {
    /// The process's id.
    pub pid: u32,
    /// From the start of the process to its first request for an event.
    pub init: Duration,
    /// What it asked of DynamoDB meanwhile.
    pub usage: Usage,
}

/// A function and where its binary is.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// As the template describes it.
    pub function: Function,
    /// The built binary.
    pub binary: PathBuf,
}

/// What all functions share.
pub(crate) struct Surroundings {
    /// Environment variables beside the template's: where the stand-ins of AWS services are.
    pub(crate) endpoints: BTreeMap<String, String>,
    pub(crate) meter: UsageMeter,
    pub(crate) console: Console,
    stop: CancellationToken,
    runtime_api: RuntimeApi,
}

/// A cheap handle on the functions. Their processes end with [`Lambda::stop`], or when the last handle is dropped.
#[derive(Clone)]
pub struct Lambda {
    backend: Backend,
}

#[derive(Clone)]
enum Backend {
    Processes {
        pools: Arc<BTreeMap<String, Arc<Pool>>>,
        stop: CancellationToken,
        running: TaskTracker,
    },
    #[cfg(test)]
    Double(Arc<Double>),
}

#[cfg(test)]
type Double =
    dyn Fn(String, Bytes) -> futures_util::future::BoxFuture<'static, Result<Bytes, InvokeError>> + Send + Sync;

impl Lambda {
    /// Starts the Runtime API. A function's processes start with its first invocation, as on AWS.
    ///
    /// # Errors
    /// When no port on the loopback interface is free.
    pub async fn start(
        deployments: Vec<Deployment>,
        endpoints: BTreeMap<String, String>,
        meter: UsageMeter,
        console: Console,
    ) -> std::io::Result<Lambda> {
        let stop = CancellationToken::new();
        let runtime_api = RuntimeApi::start(stop.clone()).await?;
        let surroundings = Arc::new(Surroundings { endpoints, meter, console, stop: stop.clone(), runtime_api });
        let pools = deployments
            .into_iter()
            .map(|one| (one.function.name.clone(), Arc::new(Pool::new(one, Arc::clone(&surroundings)))))
            .collect();
        Ok(Lambda { backend: Backend::Processes { pools: Arc::new(pools), stop, running: TaskTracker::new() } })
    }

    /// Invokes `function` (its package name) with the event's JSON and returns the answer's bytes. Waits for an idle
    /// instance, and starts one where that is allowed. As on AWS, a caller that goes away does not end the invocation.
    ///
    /// # Errors
    /// As [`InvokeError`] says.
    pub async fn invoke(&self, function: &str, event: Bytes) -> Result<Bytes, InvokeError> {
        self.invoke_measured(function, event).await.result
    }

    /// As [`Lambda::invoke`], with what it took.
    pub async fn invoke_measured(&self, function: &str, event: Bytes) -> Invocation {
        let started = Instant::now();
        let failed = |error| (Err(error), Usage::default(), false);
        let (result, usage, cold) = match &self.backend {
            Backend::Processes { pools, stop, running } => match pools.get(function).cloned() {
                Some(_) if stop.is_cancelled() => failed(InvokeError::Stopped),
                Some(pool) => {
                    let invocation = running.spawn(async move { pool.invoke(event).await });
                    invocation.await.unwrap_or_else(|_| failed(InvokeError::Stopped))
                }
                None => failed(InvokeError::Unknown { name: function.to_owned() }),
            },
            #[cfg(test)]
            Backend::Double(answer) => (answer(function.to_owned(), event).await, Usage::default(), false),
        };
        Invocation { result, usage, cold, duration: started.elapsed() }
    }

    /// Starts a process of `function` that the next invocation finds waiting, as provisioned concurrency does.
    ///
    /// # Errors
    /// As [`InvokeError`] says.
    pub async fn provision(&self, function: &str) -> Result<Provisioned, InvokeError> {
        match &self.backend {
            Backend::Processes { pools, .. } => match pools.get(function) {
                Some(pool) => pool.provision().await,
                None => Err(InvokeError::Unknown { name: function.to_owned() }),
            },
            #[cfg(test)]
            Backend::Double(_) => Err(InvokeError::Unknown { name: function.to_owned() }),
        }
    }

    /// Ends every process and waits until they are gone. Invocations under way fail with [`InvokeError::Stopped`].
    pub async fn stop(&self) {
        match &self.backend {
            Backend::Processes { pools, stop, running } => {
                stop.cancel();
                running.close();
                running.wait().await;
                for pool in pools.values() {
                    pool.kill_idle().await;
                }
            }
            #[cfg(test)]
            Backend::Double(_) => {}
        }
    }

    /// A stand-in for the functions in a unit test.
    #[cfg(test)]
    pub(crate) fn double<F>(answer: F) -> Lambda
    where
        F: Fn(String, Bytes) -> futures_util::future::BoxFuture<'static, Result<Bytes, InvokeError>>
            + Send
            + Sync
            + 'static,
    {
        Lambda { backend: Backend::Double(Arc::new(answer)) }
    }
}
