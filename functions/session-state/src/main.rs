//! `PUT /api/session/state`: sets whether a linked-device worker is connected and ready.

use shared::{
    http::{requests::WorkerState, responses, routes::SESSION_STATE},
    runtime::{StartError, serve},
    services::worker_session,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&SESSION_STATE, |app, request| async move {
        let WorkerState { session_id, is_connected, is_ready } = WorkerState::read(&request.body, request.caller()?)?;
        let session = worker_session::set_state(&app.store, session_id, is_connected, is_ready).await?;
        responses::session(&session, None)
    })
    .await
}
