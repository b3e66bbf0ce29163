//! Every path that the API does not know: 404 in the API's own shape.

use lambda_http::Error;
use shared::http::{ApiError, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_http::tracing::init_default_subscriber();
    serve(&[], |_| async { Err(ApiError::not_found("path_not_found", "There is nothing at this path")) }).await
}
