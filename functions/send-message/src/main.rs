//! `POST /api/messages/send`: stores a message for `deliver` to post.

use lambda_http::Error;
use shared::{
    http::ApiResponse,
    http::routes::SEND_MESSAGE,
    runtime::{serve, startup::Startup},
    services::send::{SendRequest, send},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let (store, system) = (startup.store()?, startup.system);
    store.warm_up().await;
    serve(&SEND_MESSAGE, move |request| {
        let store = store.clone();
        async move {
            let key = request.header("idempotency-key")?;
            let request = SendRequest::read(&request.body.object()?, key, request.caller()?)?;
            Ok(ApiResponse::json_text(send(&store, system, request).await?))
        }
    })
    .await
}
