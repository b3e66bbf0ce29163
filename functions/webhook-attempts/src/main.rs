//! `GET /api/webhooks/{webhookId}/attempts`: lists failed, waiting, and retried deliveries, newest first.

use shared::{
    http::{responses, routes::WEBHOOK_ATTEMPTS},
    runtime::{StartError, serve},
    services::webhook_deliveries::{AttemptList, list},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&WEBHOOK_ATTEMPTS, |app, request| async move {
        let webhook = request.webhook(&app.store).await?;
        let attempts = AttemptList::read(&webhook, &request.query)?;
        responses::webhook_attempts(&list(&app.store, &attempts, app.system).await?, &attempts)
    })
    .await
}
