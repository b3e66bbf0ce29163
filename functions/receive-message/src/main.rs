//! `POST /api/messages/receive`: a linked-device worker hands in what its device received.

use lambda_http::Error;
use serde_json::json;
use shared::{
    http::ApiResponse,
    http::routes::RECEIVE_MESSAGE,
    runtime::{serve, startup::Startup},
    services::worker::{ReceiveRequest, receive},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let store = startup.store()?;
    store.warm_up().await;
    serve(&RECEIVE_MESSAGE, move |request| {
        let store = store.clone();
        async move {
            let request = ReceiveRequest::read(&request.body, request.caller()?)?;
            let duplicate = receive(&store, request).await?;
            ApiResponse::json(&json!({"success": true, "duplicate": duplicate}))
        }
    })
    .await
}
