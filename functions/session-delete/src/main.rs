//! `DELETE /api/session`: erases a session with everything that belongs to it. A repeated request continues the erasure.

use shared::{
    http::{responses, routes::SESSION},
    runtime::{StartError, serve},
    services::erasure::Erasable,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&SESSION, |app, request| async move {
        let session = Erasable::session(&app.store, request.session_of_query()?).await?;
        responses::erasure(&session.erase(&app.store, app.media.bucket(), app.system).await?)
    })
    .await
}
