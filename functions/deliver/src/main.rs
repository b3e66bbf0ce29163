//! Sends pending messages to WhatsApp: new ones from the table's stream, and others when they are due.

use shared::{
    runtime::{StartError, Startup, serve_events},
    services::stream,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve_events(Startup::dispatcher, |dispatcher, event| async move {
        stream::deliver(&dispatcher.until(event.context.deadline), event.payload).await
    })
    .await
}
