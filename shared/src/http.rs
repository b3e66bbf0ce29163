//! The HTTP edge of a function: requests in, answers out, in the contract's shapes.

pub mod access;
mod answer;
mod event;
pub mod event_response;
mod input;
pub mod message_response;
pub mod origin_guard;
pub mod qr_image;

pub use answer::{ApiError, ApiResponse};
pub use event::{ApiRequest, serve, serve_fallback};
pub use input::{Body, JsonObject, Query, read_session_id};
pub use lambda_http::http::Method;
