//! `POST /api/outbox/claim`: leases pending messages to a linked-device worker.

use shared::{
    http::{responses, routes::OUTBOX_CLAIM},
    runtime::{StartError, serve},
    services::worker::{ClaimRequest, claim},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&OUTBOX_CLAIM, |app, request| async move {
        let claiming = ClaimRequest::read(&request.body, request.caller()?)?;
        let messages = claim(&app.store, &app.media, app.system, &claiming).await?;
        responses::claimed(&messages)
    })
    .await
}
