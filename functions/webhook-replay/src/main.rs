//! `POST /api/webhooks/{webhookId}/replay`: delivers a part of a session's change log again.

use shared::{
    http::{responses, routes::WEBHOOK_REPLAY},
    runtime::{StartError, Startup, serve_with},
    services::webhook_deliveries::{ReplayRequest, replay},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let build = async |startup: &Startup| Ok((startup.app().await?, startup.notify_invoker()?));
    serve_with(&WEBHOOK_REPLAY, build, |(app, notify), request| async move {
        let webhook = request.webhook(&app.store).await?;
        let range = ReplayRequest::read(&request.body, &webhook, request.caller()?, app.system.now())?;
        responses::replayed_webhook(replay(&app.store, &notify, &webhook, &range).await?)
    })
    .await
}
