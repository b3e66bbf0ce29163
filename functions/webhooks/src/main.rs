//! `GET` and `POST /api/webhooks`: lists the webhooks of a session, or those for all sessions, or creates one.

use shared::{
    http::{Method, requests::NewWebhook, responses, routes::WEBHOOKS},
    runtime::{StartError, Startup, serve_with},
    services::webhook_endpoints,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let build = async |startup: &Startup| Ok((startup.app().await?, startup.webhook_creator()?));
    serve_with(&WEBHOOKS, build, |(app, creator), request| async move {
        if request.method == Method::GET {
            let session_id = request.session_of_webhooks()?;
            return responses::webhooks(&webhook_endpoints::list(&app.store, session_id).await?);
        }
        let allow_local = app.environment.allows_local_webhooks();
        let NewWebhook { session_id, fields, verification } =
            NewWebhook::read(&request.body, request.caller()?, allow_local)?;
        responses::created_webhook(&creator.create(&app.store, session_id, fields, verification).await?)
    })
    .await
}
