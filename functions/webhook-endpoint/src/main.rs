//! `GET`, `PATCH`, and `DELETE /api/webhooks/{webhookId}`: returns, changes, or deletes a webhook.

use shared::{
    domain::webhook_endpoint::WebhookChange,
    http::{Method, responses, routes::WEBHOOK_ENDPOINT},
    runtime::{StartError, Startup, serve_with},
    services::webhook_endpoints::{delete, update, with_status},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let build = async |startup: &Startup| Ok((startup.app().await?, startup.notify_invoker()?));
    serve_with(&WEBHOOK_ENDPOINT, build, |(app, notify), request| async move {
        let webhook = request.webhook(&app.store).await?;
        match request.method {
            Method::PATCH => {
                let change = WebhookChange::read(&request.body, app.environment.allows_local_webhooks())?;
                responses::webhook(&update(&app.store, &notify, &webhook, &change).await?)
            }
            Method::DELETE => responses::deleted(delete(&app.store, &webhook).await?),
            _ => responses::webhook(&with_status(&app.store, webhook).await?),
        }
    })
    .await
}
