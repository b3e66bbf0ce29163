//! The Lambda runtime loop of the functions behind API Gateway.

use std::{convert::Infallible, future::Future};

use lambda_http::tower::util::MapRequest;
use lambda_http::{Adapter, Body, LambdaEvent, Request, Response, request::LambdaRequest, service_fn};

use crate::http::{
    ApiError, ApiRequest, ApiResponse, ErrorCode, GatewayEvent, Method, caller_of, request_id, route_key,
    routes::{Route, route_of},
};

use super::startup::StartError;

/// Serves the requests of `route` until Lambda ends the process.
pub async fn serve<H, F>(route: &'static Route, handler: H) -> Result<(), StartError>
where
    H: Fn(ApiRequest) -> F + Clone + Send + 'static,
    F: Future<Output = Result<ApiResponse, ApiError>> + Send + 'static,
{
    run(move |request| {
        let handler = handler.clone();
        async move { handler(ApiRequest::admit(route, request)?).await }
    })
    .await
}

/// Serves every request that no other function serves, until Lambda ends the process: 405 for a method that a path
/// doesn't support, 404 for an unknown path, and preflight requests of browsers.
pub async fn serve_fallback() -> Result<(), StartError> {
    lambda_runtime::tracing::init_default_subscriber();
    run(|request| async move {
        match route_of(request.uri().path()).map(Route::allow) {
            Some(allow) if request.method() == Method::OPTIONS => Ok(ApiResponse::no_content(&allow)),
            Some(allow) => Err(ApiError::method_not_allowed(&allow)),
            None => Err(ApiError::new(ErrorCode::PathNotFound, "There is nothing at this path")),
        }
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
    let key_id = caller.map(|caller| caller.key_id);
    tracing::info!(request_id, %method, route, key_id, status = response.status(), "request");
    response.into_response(&request_id)
}
