//! `GET /api/me`: returns the caller.

use shared::{
    http::{responses, routes::ME},
    runtime::{StartError, serve_stateless},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve_stateless(&ME, |request| async move { responses::caller(request.caller()?) }).await
}
