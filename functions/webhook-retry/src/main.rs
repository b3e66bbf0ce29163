//! `POST /api/webhooks/{webhookId}/attempts/{changeId}/retry`: delivers a change again now.

use shared::{
    http::{responses, routes::WEBHOOK_RETRY},
    runtime::{StartError, Startup, serve_with},
    services::webhook_deliveries::retry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let build = async |startup: &Startup| Ok((startup.app().await?, startup.notify_invoker()?));
    serve_with(&WEBHOOK_RETRY, build, |(app, notify), request| async move {
        request.body.none()?;
        let (webhook, change_id) = (request.webhook(&app.store).await?, request.change_id()?);
        let delivery = retry(&app.store, &notify, &webhook, change_id, app.system).await?;
        responses::retried_webhook(&delivery)
    })
    .await
}
