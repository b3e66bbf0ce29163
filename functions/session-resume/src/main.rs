//! `POST /api/session/resume`: resumes sending after a pause.

use shared::{
    http::{requests, responses, routes::SESSION_RESUME},
    runtime::{StartError, serve},
    services::sessions,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&SESSION_RESUME, |app, request| async move {
        let session_id = requests::read_resumed_session(&request.body, request.caller()?)?;
        let (session, was_paused) = sessions::resume(&app.store, session_id).await?;
        let message = if was_paused { "Session resumed" } else { "Session was not paused" };
        responses::session(&session, Some(message))
    })
    .await
}
