//! `POST /api/messages/receive`: stores a message that a linked-device worker received.

use shared::{
    http::{responses, routes::RECEIVE_MESSAGE},
    runtime::{StartError, serve},
    services::worker::{ReceiveRequest, receive},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&RECEIVE_MESSAGE, |app, request| async move {
        let received = ReceiveRequest::read(&request.body, request.caller()?)?;
        let duplicate = receive(&app.store, received, request.request_id).await?;
        responses::received(duplicate)
    })
    .await
}
