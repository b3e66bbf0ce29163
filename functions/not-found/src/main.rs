//! Every method and path that no other function has: 405 or 404 in the API's own shape, and the questions of browsers
//! which methods a path takes.

use lambda_http::Error;
use shared::runtime::serve_fallback;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve_fallback().await
}
