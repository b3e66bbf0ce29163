//! `GET` and `POST /api/webhooks/{webhookId}/secret`: returns or rotates the secret of a webhook.

use shared::{
    http::{Method, requests::read_rotation, responses, routes::WEBHOOK_SECRET},
    runtime::{StartError, Startup, serve_with},
    services::webhook_endpoints::{rotate, secret},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let build = async |startup: &Startup| Ok((startup.app().await?, startup.signing_key()?));
    serve_with(&WEBHOOK_SECRET, build, |(app, key), request| async move {
        let webhook = request.webhook(&app.store).await?;
        if request.method == Method::GET {
            return responses::webhook_secret(&webhook, &secret(&key, &webhook).await?);
        }
        let grace = read_rotation(&request.body)?;
        let (webhook, secret) = rotate(&app.store, &key, app.system, &webhook, grace).await?;
        responses::webhook_secret(&webhook, &secret)
    })
    .await
}
