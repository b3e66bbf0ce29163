//! `POST /api/messages/send`: stores a message for `deliver` to post.

use lambda_http::Error;
use shared::{
    access::paths::SEND_MESSAGE,
    http::{Answer, serve},
    sending::{SendRequest, send},
    startup::Startup,
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
            send(&store, system, request).await.map(Answer::written_json)
        }
    })
    .await
}
