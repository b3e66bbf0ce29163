//! `GET /api/events`: lists account events and webhook content that couldn't be parsed, newest first.

use shared::{
    domain::cursor::Position,
    http::{responses, routes::EVENTS},
    runtime::{StartError, serve},
    services::events,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&EVENTS, |app, request| async move {
        let session_id = request.session_of_query()?;
        let list = format!("events/{session_id}");
        let after = request.query.cursor(&list, Position::from_cursor)?;
        let (own_number, is_admin) = (app.environment.phone_number_id(), request.caller()?.is_admin());
        let page = events::list(&app.store, session_id, own_number.as_deref(), is_admin, after).await?;
        responses::event_page(page, &list)
    })
    .await
}
