//! Every method and path that no other function has: 405 or 404 in the API's own shape, and the questions of browsers
//! which methods a path takes.

use lambda_http::Error;
use shared::http::serve_fallback;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_http::tracing::init_default_subscriber();
    serve_fallback().await
}
