//! Goes on with erasures that a request could not finish, and has a last look at those that it did.

use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, run_concurrent, service_fn};
use serde_json::Value;
use shared::{domain::system::System, runtime::startup::Startup, store::Store, telemetry};

/// How long one invocation works; the function's timeout is a minute.
const TIME: Duration = Duration::from_secs(40);

/// Erasures that one invocation takes up.
const MOST: i32 = 25;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let (store, system) = (startup.store()?, startup.system);
    store.warm_up().await;
    run_concurrent(service_fn(move |_: LambdaEvent<Value>| {
        let store = store.clone();
        async move { erase(&store, system).await }
    }))
    .await
}

/// One that fails does not keep the others from being tried.
async fn erase(store: &Store, system: System) -> Result<(), Error> {
    let deadline = system.now().after(TIME);
    let mut failure = None;
    for erasure in store.erasures().due(MOST).await? {
        match store.erasures().run(erasure, deadline).await {
            Ok(erasure) => tracing::info!(
                session_id = %erasure.session_id, erased = erasure.erased, complete = erasure.complete, "erasure"
            ),
            Err(error) => {
                tracing::error!(error = telemetry::chain(&error), "an erasure did not get on");
                failure = Some(error);
            }
        }
        if system.now() > deadline {
            break;
        }
    }
    failure.map_or(Ok(()), |error| Err(error.into()))
}
