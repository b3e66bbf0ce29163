//! The Lambda runtime loop.

use std::{convert::Infallible, future::Future, sync::Arc};

use lambda_http::{
    Adapter, Body, LambdaEvent, Request, Response, request::LambdaRequest, service_fn, tower::util::MapRequest,
};
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

use super::startup::{App, StartError, Startup, media_origin, start_logging};
use crate::{
    http::{
        ApiError, ApiRequest, ApiResponse, GatewayEvent, Method, StaticSite, caller_of, request_id, route_key,
        routes::{Route, route_of},
    },
    telemetry,
};

/// Builds the state of a function's handlers.
async fn start<S, B>(build: B) -> Result<S, StartError>
where
    B: AsyncFnOnce(&Startup) -> Result<S, StartError>,
{
    build(&Startup::begin().await).await.map_err(|error| logged(error, "start failed"))
}

/// Logs an error, which Lambda reports by its type only.
fn logged(error: StartError, message: &str) -> StartError {
    tracing::error!(error = telemetry::chain(&*error), "{message}");
    error
}

/// Serves the requests of `route` until Lambda ends the process.
pub async fn serve<H, F>(route: &'static Route, handler: H) -> Result<(), StartError>
where
    H: Fn(App, ApiRequest) -> F + Clone + Send + 'static,
    F: Future<Output = Result<ApiResponse, ApiError>> + Send + 'static,
{
    serve_with(route, Startup::app, handler).await
}

/// Like [`serve`], with the state that `build` returns. Each request gets a clone of it.
pub async fn serve_with<S, B, H, F>(route: &'static Route, build: B, handler: H) -> Result<(), StartError>
where
    S: Clone + Send + 'static,
    B: AsyncFnOnce(&Startup) -> Result<S, StartError>,
    H: Fn(S, ApiRequest) -> F + Clone + Send + 'static,
    F: Future<Output = Result<ApiResponse, ApiError>> + Send + 'static,
{
    let state = start(build).await?;
    run(move |request| {
        let (state, handler) = (state.clone(), handler.clone());
        async move { handler(state, ApiRequest::admit(route, request)?).await }
    })
    .await
}

/// Like [`serve`], for a handler that needs only the request: without clients, a process starts faster.
pub async fn serve_stateless<H, F>(route: &'static Route, handler: H) -> Result<(), StartError>
where
    H: Fn(ApiRequest) -> F + Clone + Send + 'static,
    F: Future<Output = Result<ApiResponse, ApiError>> + Send + 'static,
{
    start_logging();
    run(move |request| {
        let handler = handler.clone();
        async move { handler(ApiRequest::admit(route, request)?).await }
    })
    .await
}

/// Serves the events of a function that isn't behind API Gateway.
pub async fn serve_events<S, B, E, H, F, R, X>(build: B, handler: H) -> Result<(), StartError>
where
    S: Clone + Send + 'static,
    B: AsyncFnOnce(&Startup) -> Result<S, StartError>,
    E: DeserializeOwned + Send + 'static,
    H: Fn(S, LambdaEvent<E>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<R, X>> + Send + 'static,
    R: Serialize + Send + 'static,
    X: Into<StartError>,
{
    let state = start(build).await?;
    lambda_runtime::run_concurrent(service_fn(move |event: LambdaEvent<E>| {
        let response = handler(state.clone(), event);
        async move { response.await.map_err(|error| logged(error.into(), "invocation failed")) }
    }))
    .await
}

/// Runs `handler` for each event of a schedule.
pub async fn serve_schedule<H, F, X>(handler: H) -> Result<(), StartError>
where
    H: Fn(App) -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), X>> + Send + 'static,
    X: Into<StartError>,
{
    serve_events(Startup::app, move |app, _: LambdaEvent<IgnoredAny>| handler(app)).await
}

/// Serves every request that no other function serves, until Lambda ends the process: 405 for a method that a path
/// doesn't support, 404 for an unknown path, and preflight requests of browsers.
pub async fn serve_fallback() -> Result<(), StartError> {
    start_logging();
    run(|request| async move {
        let path = request.uri().path();
        match route_of(path) {
            Some(route) if request.method() == Method::OPTIONS => Ok(ApiResponse::no_content(&route.allow())),
            Some(route) => Err(ApiError::method_not_allowed(route)),
            None => Err(ApiError::path_not_found(path)),
        }
    })
    .await
}

/// Serves the files of the site that `build` returns, which need no credentials, until Lambda ends the process. `build`
/// gets the origin of the URLs of files, if the deployment has any.
pub async fn serve_static<B, E>(build: B) -> Result<(), StartError>
where
    B: FnOnce(Option<&str>) -> Result<StaticSite, E>,
    E: Into<StartError>,
{
    let origin = media_origin(start_logging()).map_err(|error| logged(error, "start failed"))?;
    let site = Arc::new(build(origin.as_deref()).map_err(|error| logged(error.into(), "start failed"))?);
    run(move |request| {
        let site = site.clone();
        async move { site.respond(&request) }
    })
    .await
}

async fn run<H, F>(handler: H) -> Result<(), StartError>
where
    H: Fn(Request) -> F + Clone + Send + 'static,
    F: Future<Output = Result<ApiResponse, ApiError>> + Send + 'static,
{
    let service = service_fn(move |request: Request| {
        let handler = handler.clone();
        async move { Ok::<_, Infallible>(respond(handler, request).await) }
    });
    lambda_runtime::run_concurrent(MapRequest::new(Adapter::from(service), |event: LambdaEvent<GatewayEvent>| {
        LambdaEvent::new(LambdaRequest::ApiGatewayV2(event.payload.sanitized()), event.context)
    }))
    .await
}

async fn respond<H, F>(handler: H, request: Request) -> Response<Body>
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<ApiResponse, ApiError>>,
{
    let request_id = request_id(&request);
    let method = request.method().clone();
    let (route, caller) = (route_key(&request), caller_of(&request));
    let response = handler(request).await.unwrap_or_else(|error| {
        if let Some(cause) = error.cause() {
            tracing::error!(request_id, error = cause, "request failed");
        }
        error.into_api_response(&request_id)
    });
    // The access log has every request. This line adds the key.
    if let Some(caller) = caller {
        tracing::info!(request_id, %method, route, key_id = caller.key_id, status = response.status(), "request");
    }
    response.into_response(&method, &request_id)
}
