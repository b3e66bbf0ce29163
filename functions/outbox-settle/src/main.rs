//! `POST /api/outbox/settle`: a linked-device worker says what became of a message.

use lambda_http::Error;
use serde_json::json;
use shared::{
    http::ApiResponse,
    http::routes::OUTBOX_SETTLE,
    runtime::{serve, startup::Startup},
    services::worker::{SettleRequest, settle},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let store = startup.store()?;
    store.warm_up().await;
    serve(&OUTBOX_SETTLE, move |request| {
        let store = store.clone();
        async move {
            let settling = SettleRequest::read(&request.body.object()?)?;
            let caller = request.caller()?;
            let message = settle(&store, &settling, |session_id| caller.may_use(session_id)).await?;
            ApiResponse::json(&json!({"success": true, "message": message}))
        }
    })
    .await
}
