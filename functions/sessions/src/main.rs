//! `GET /api/sessions`: lists the caller's session, or all sessions for an admin, newest first.

use shared::{
    http::{requests, responses, routes::SESSIONS},
    runtime::{StartError, serve},
    services::sessions,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&SESSIONS, |app, request| async move {
        let (limit, after) = requests::read_session_page(&request.query)?;
        responses::session_page(&sessions::list(&app.store, request.caller()?.own_session(), limit, after).await?)
    })
    .await
}
