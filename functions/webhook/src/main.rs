//! `GET` and `POST /api/webhook`: Meta's subscription request, and WhatsApp's notifications.

use shared::{
    http::{routes::WEBHOOK, webhook},
    runtime::{StartError, Startup, serve_with},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve_with(&WEBHOOK, Startup::webhook, |(webhook, origin_guard), request| async move {
        webhook::handle(&webhook, &origin_guard, &request).await
    })
    .await
}
