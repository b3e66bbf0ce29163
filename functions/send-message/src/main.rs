//! `POST /api/messages/send`: stores a message, which `deliver` or a worker sends.

use shared::{
    http::{ApiResponse, routes::SEND_MESSAGE},
    runtime::{StartError, serve},
    services::send::{SendRequest, send},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&SEND_MESSAGE, |app, request| async move {
        let key = request.header("idempotency-key")?;
        let send_request = SendRequest::read(&request.body, key, request.caller()?)?;
        let sent = send(&app.store, &app.media, app.system, send_request, &request.request_id).await?;
        Ok(ApiResponse::json_text(sent))
    })
    .await
}
