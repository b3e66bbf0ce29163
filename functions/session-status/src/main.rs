//! `GET /api/session/status`: returns a session.

use shared::{
    http::{responses, routes::SESSION_STATUS},
    runtime::{StartError, serve},
    services::sessions,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&SESSION_STATUS, |app, request| async move {
        let session = sessions::find(&app.store, request.session_of_query()?).await?;
        responses::session_status(&session, app.system.now())
    })
    .await
}
