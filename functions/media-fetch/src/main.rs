//! Fetches what customers send, and stores it in the bucket: new files that `relay` has requested, and due ones.

use shared::runtime::{StartError, Startup, serve_events};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve_events(
        Startup::fetcher,
        |fetcher, event| async move { fetcher.run(event.payload, event.context.deadline).await },
    )
    .await
}
