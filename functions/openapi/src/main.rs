//! `GET /api/openapi.json`: serves the description of the API, which `build/main.rs` makes of `openapi.yaml`.

use shared::{
    http::{StaticDocument, routes::OPENAPI},
    runtime::{StartError, serve_stateless},
};

// `DOCUMENT`.
include!(concat!(env!("OUT_DIR"), "/document.rs"));

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve_stateless(&OPENAPI, |request| async move { DOCUMENT.respond(&request.headers) }).await
}
