//! Delivers changes to webhooks: new ones when `relay` has appended them, and others when they are due.

use shared::runtime::{StartError, Startup, serve_events};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve_events(Startup::notifier, |notifier, event| async move {
        notifier.until(event.context.deadline).run(event.payload).await
    })
    .await
}
