//! Reads the table's stream: logs changes, replies to contacts' messages by auto-reply rules, and starts `notify`.

use shared::{
    runtime::{StartError, Startup, serve_events},
    services::stream,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve_events(Startup::relay, |relay, event| async move {
        Ok::<_, StartError>(stream::relay(&relay, event.payload).await)
    })
    .await
}
