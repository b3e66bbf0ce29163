//! The HTTP edge of a function: requests in, answers out, in the contract's shapes.

mod answer;
mod event;
mod input;

pub use answer::{Answer, ApiError};
pub use event::{Incoming, serve, serve_the_rest};
pub use input::{Body, JsonObject, Query, read_session_id};
pub use lambda_http::http::Method;
