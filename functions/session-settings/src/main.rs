//! `PATCH /api/session`: changes a session's settings.

use shared::{
    domain::session::SettingsChange,
    http::{responses, routes::SESSION},
    runtime::{StartError, serve},
    services::sessions,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&SESSION, |app, request| async move {
        let (session_id, change) = SettingsChange::read_for_session(&request.body, request.caller()?)?;
        responses::session(&sessions::change_settings(&app.store, session_id, change).await?, None)
    })
    .await
}
