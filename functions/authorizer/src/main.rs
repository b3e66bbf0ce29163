//! The Lambda authorizer in front of the API.

use shared::runtime::{StartError, Startup, serve_events};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve_events(Startup::authorizer, |authorizer, event| async move { authorizer.authorize(event.payload).await })
        .await
}
