//! Continues erasures that a request couldn't finish, and repeats finished ones for late writes.

use shared::{
    runtime::{StartError, serve_schedule},
    services::erasure,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve_schedule(|app| async move { erasure::continue_due(&app.store, app.media.bucket(), app.system).await }).await
}
