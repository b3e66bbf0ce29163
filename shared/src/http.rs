//! The HTTP edge: request parsing, routes, callers, responses, and error codes.

mod api_error;
mod api_request;
mod api_response;
pub mod authorizer;
mod body;
mod caller;
mod error_code;
mod gateway_event;
mod json;
pub mod origin_guard;
mod query;
pub mod requests;
pub mod responses;
pub mod routes;
mod service_errors;
mod static_document;
mod static_site;
pub mod webhook;

pub use self::{
    api_error::ApiError,
    api_request::ApiRequest,
    api_response::ApiResponse,
    body::{Body, JsonObject},
    error_code::ErrorCode,
    query::{Query, read_session_id},
    static_document::StaticDocument,
    static_site::{StaticFile, StaticSite},
};
pub(crate) use self::{
    api_request::{caller as caller_of, request_id, route_key},
    gateway_event::GatewayEvent,
};
pub use lambda_http::http::Method;
