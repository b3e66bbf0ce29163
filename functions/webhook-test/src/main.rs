//! `POST /api/webhooks/{webhookId}/test`: sends a test to a webhook and returns the result.

use shared::{
    http::{responses, routes::WEBHOOK_TEST},
    runtime::{StartError, Startup, serve_with},
    services::webhook_deliveries,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let build = async |startup: &Startup| Ok((startup.app().await?, startup.webhook_sender().await?));
    serve_with(&WEBHOOK_TEST, build, |(app, sender), request| async move {
        request.body.none()?;
        let webhook = request.webhook(&app.store).await?;
        let attempt = webhook_deliveries::test(&sender, &webhook, app.system).await?;
        responses::tested_webhook(attempt.as_ref())
    })
    .await
}
