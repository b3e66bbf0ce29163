//! `GET /api/changes`: lists a session's changes, oldest first.

use shared::{
    http::{responses, routes::CHANGES},
    runtime::{StartError, serve},
    services::changes::{self, ChangeList},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&CHANGES, |app, request| async move {
        let list = ChangeList::read(&request.query)?;
        request.caller()?.session(list.session_id)?;
        responses::change_page(&changes::list(&app.store, &app.media, &list).await?)
    })
    .await
}
