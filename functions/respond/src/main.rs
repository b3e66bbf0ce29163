//! Replies to inbound messages from the table's stream by auto-reply rules.

use shared::{
    runtime::{StartError, Startup, serve_events},
    services::stream,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve_events(Startup::responder, |responder, event| async move {
        Ok::<_, StartError>(stream::respond(&responder, event.payload).await)
    })
    .await
}
