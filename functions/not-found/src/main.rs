//! All methods and paths that no other function serves.

use shared::runtime::{StartError, serve_fallback};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve_fallback().await
}
