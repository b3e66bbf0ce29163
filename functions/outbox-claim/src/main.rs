//! `POST /api/outbox/claim`: a linked-device worker takes messages to send.

use lambda_http::Error;
use serde_json::json;
use shared::{
    http::ApiResponse,
    http::routes::OUTBOX_CLAIM,
    runtime::{serve, startup::Startup},
    services::worker::{ClaimRequest, claim},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let (store, system) = (startup.store()?, startup.system);
    store.warm_up().await;
    serve(&OUTBOX_CLAIM, move |request| {
        let store = store.clone();
        async move {
            let request = ClaimRequest::read(&request.body.object()?, request.caller()?)?;
            let messages = claim(&store, system, &request).await?;
            ApiResponse::json(&json!({"success": true, "messages": messages}))
        }
    })
    .await
}
