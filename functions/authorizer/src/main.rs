//! The Lambda authorizer in front of the API: who calls. What the caller may do is decided behind it.

mod authentication;
mod guard;
mod signature;
mod token;

use std::collections::BTreeMap;

use authentication::Authentication;
use lambda_runtime::{Error, LambdaEvent, run_concurrent, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    domain::caller::Caller,
    http::origin_guard,
    runtime::startup::Startup,
    telemetry::{self, Metric},
};
use token::Tokens;

/// What we read of an authorizer's event (API Gateway developer guide, "Control access to HTTP APIs with AWS Lambda
/// authorizers", payload format 2.0).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    /// The value of the `Authorization` header. API Gateway keeps our answer under it, for every route, so nothing else
    /// of the request may count.
    #[serde(default)]
    identity_source: Vec<String>,
    /// All headers, their names in lower case. One of them counts where there is a firewall, and there API Gateway keeps no
    /// answer (`ReauthorizeEvery` in `template.yaml`).
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let (store, system) = (startup.store()?, startup.system);
    let tokens = startup.environment.token_issuer()?.map(Tokens::new).transpose()?;
    let authentication = Authentication::new(store, startup.operator_secret()?, tokens, system);
    let origin_guard = startup.origin_guard()?;
    tokio::join!(authentication.warm_up(), origin_guard.warm_up());
    run_concurrent(service_fn(move |event: LambdaEvent<Event>| {
        let (authentication, origin_guard) = (authentication.clone(), origin_guard.clone());
        async move {
            if !origin_guard.verify(event.payload.headers.get(origin_guard::HEADER).map(String::as_str)).await? {
                return Ok(answer(None));
            }
            let authorization = event.payload.identity_source.first().map(String::as_str).unwrap_or_default();
            let outcome = authentication.authenticate(authorization).await?;
            if let Err(reason) = &outcome {
                telemetry::count(Metric::AuthenticationFailed, 1, system.now());
                tracing::info!(reason = reason.to_string(), "authentication failed");
            }
            Ok::<_, Error>(answer(outcome.ok()))
        }
    }))
    .await
}

/// Who is nobody is refused, and not told why.
fn answer(caller: Option<Caller>) -> Value {
    match caller {
        Some(caller) => json!({"isAuthorized": true, "context": caller.context()}),
        None => json!({"isAuthorized": false}),
    }
}
