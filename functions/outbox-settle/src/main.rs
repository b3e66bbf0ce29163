//! `POST /api/outbox/settle`: settles a message that a linked-device worker claimed.

use shared::{
    http::{responses, routes::OUTBOX_SETTLE},
    runtime::{StartError, serve},
    services::worker::{SettleRequest, settle},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&OUTBOX_SETTLE, |app, request| async move {
        let settling = SettleRequest::read(&request.body)?;
        let caller = request.caller()?;
        let message = settle(&app.store, &settling, |session_id| caller.may_use(session_id)).await?;
        responses::settled(&message)
    })
    .await
}
