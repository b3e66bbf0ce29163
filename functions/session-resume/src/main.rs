//! `POST /api/session/resume`: resumes sending after a pause.

use shared::{
    http::{responses, routes::SESSION_RESUME},
    runtime::{StartError, serve},
    services::sessions,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&SESSION_RESUME, |app, request| async move {
        let (session, was_paused) = sessions::resume(&app.store, request.session_of_body()?).await?;
        let message = if was_paused { "Session resumed" } else { "Session was not paused" };
        responses::session(&session, Some(message))
    })
    .await
}
