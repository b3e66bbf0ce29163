//! Runs the functions as processes behind the Lambda Runtime API.

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

pub(crate) use self::environment::SECRET_ACCESS_KEY;
pub use self::error::InvokeError;
use self::{pool::Pool, runtime_api::RuntimeApi};
use crate::{
    database::usage::{Usage, UsageMeter},
    output::Output,
    template::Function,
};

/// The result and the cost of an invocation.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The function's response.
    pub result: Result<Bytes, InvokeError>,
    /// DynamoDB usage.
    pub usage: Usage,
    /// Whether the invocation started a process.
    pub cold: bool,
    /// Time from call to response, including waiting and startup.
    pub duration: Duration,
}

/// A process started before its first event.
#[derive(Clone, Debug)]
pub struct ProvisionedInstance {
    /// The process ID.
    pub pid: u32,
    /// Time from process start to the first request for an event.
    pub init: Duration,
    /// DynamoDB usage during startup.
    pub usage: Usage,
}

/// A function and its binary.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The function as declared in the template.
    pub function: Function,
    /// The path of the binary.
    pub binary: PathBuf,
}

/// State shared by all functions.
pub(crate) struct RuntimeContext {
    /// Additional environment variables: the endpoints of the fake AWS services.
    pub(crate) endpoints: BTreeMap<String, String>,
    pub(crate) meter: UsageMeter,
    pub(crate) output: Output,
    stop: CancellationToken,
    runtime_api: RuntimeApi,
}

/// A handle to the functions. Cheap to clone. The processes end with [`Lambda::stop`], or when the last handle is
/// dropped.
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
    Fake(Arc<FakeFunction>),
}

#[cfg(test)]
type FakeFunction =
    dyn Fn(String, Bytes) -> futures_util::future::BoxFuture<'static, Result<Bytes, InvokeError>> + Send + Sync;

impl Lambda {
    /// Starts the Runtime API. As on AWS, a function's first invocation starts its first process.
    ///
    /// # Errors
    /// Returns an error if no loopback port is available.
    pub async fn start(
        deployments: Vec<Deployment>,
        endpoints: BTreeMap<String, String>,
        meter: UsageMeter,
        output: Output,
    ) -> std::io::Result<Lambda> {
        let stop = CancellationToken::new();
        let runtime_api = RuntimeApi::start(stop.clone()).await?;
        let context = Arc::new(RuntimeContext { endpoints, meter, output, stop: stop.clone(), runtime_api });
        let pools = deployments
            .into_iter()
            .map(|one| (one.function.name.clone(), Arc::new(Pool::new(one, Arc::clone(&context)))))
            .collect();
        Ok(Lambda { backend: Backend::Processes { pools: Arc::new(pools), stop, running: TaskTracker::new() } })
    }

    /// Invokes `function` (package name) with a JSON event and returns the response. Waits for an idle instance, or
    /// starts one if the concurrency limit allows. As on AWS, the invocation continues if the caller goes away.
    ///
    /// # Errors
    /// Returns an [`InvokeError`] if the function fails, times out, crashes, or does not exist.
    pub async fn invoke(&self, function: &str, event: Bytes) -> Result<Bytes, InvokeError> {
        self.invoke_measured(function, event).await.result
    }

    /// Invokes `function` like [`Lambda::invoke`] and reports its duration and usage.
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
            Backend::Fake(respond) => (respond(function.to_owned(), event).await, Usage::default(), false),
        };
        Invocation { result, usage, cold, duration: started.elapsed() }
    }

    /// Starts a process of `function` for the next invocation, like provisioned concurrency.
    ///
    /// # Errors
    /// Returns an [`InvokeError`] if the process does not start or the function does not exist.
    pub async fn provision(&self, function: &str) -> Result<ProvisionedInstance, InvokeError> {
        match &self.backend {
            Backend::Processes { pools, .. } => match pools.get(function) {
                Some(pool) => pool.provision().await,
                None => Err(InvokeError::Unknown { name: function.to_owned() }),
            },
            #[cfg(test)]
            Backend::Fake(_) => Err(InvokeError::Unknown { name: function.to_owned() }),
        }
    }

    /// Returns the names of the functions, in order.
    pub fn functions(&self) -> Vec<String> {
        let mut names: Vec<String> = match &self.backend {
            Backend::Processes { pools, .. } => pools.keys().cloned().collect(),
            #[cfg(test)]
            Backend::Fake(_) => Vec::new(),
        };
        names.sort_unstable();
        names
    }

    /// Kills the processes of `function`, idle or not, like a crash. Returns their number; `None` if there is no such
    /// function.
    pub fn kill(&self, function: &str) -> Option<usize> {
        match &self.backend {
            Backend::Processes { pools, .. } => pools.get(function).map(|pool| pool.kill_all()),
            #[cfg(test)]
            Backend::Fake(_) => None,
        }
    }

    /// Ends all processes and waits for them. Invocations in progress fail with [`InvokeError::Stopped`].
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
            Backend::Fake(_) => {}
        }
    }

    /// Creates a fake for unit tests that answers every invocation with `relay`.
    #[cfg(test)]
    pub(crate) fn fake<F>(respond: F) -> Lambda
    where
        F: Fn(String, Bytes) -> futures_util::future::BoxFuture<'static, Result<Bytes, InvokeError>>
            + Send
            + Sync
            + 'static,
    {
        Lambda { backend: Backend::Fake(Arc::new(respond)) }
    }
}
