//! `PUT /api/session/qr`: publishes the QR code of a linked-device worker.

use shared::{
    http::{requests::WorkerQr, responses, routes::SESSION_QR},
    runtime::{StartError, serve},
    services::worker_session,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&SESSION_QR, |app, request| async move {
        let WorkerQr { session_id, qr, lifetime } = WorkerQr::read(&request.body, request.caller()?)?;
        let session = worker_session::set_qr(&app.store, session_id, &qr, lifetime).await?;
        responses::session(&session, None)
    })
    .await
}
