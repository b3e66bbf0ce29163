//! Fetches the files that customers send, and stores them in the bucket: new ones that `relay` has requested, and due ones.

use shared::runtime::{StartError, Startup, serve_events};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve_events(
        Startup::fetcher,
        |fetcher, event| async move { fetcher.run(event.payload, event.context.deadline).await },
    )
    .await
}
