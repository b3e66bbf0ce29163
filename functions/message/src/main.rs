//! `GET /api/messages/{messageId}`: returns a message with its delivery history.

use shared::{
    http::{responses, routes::MESSAGE},
    runtime::{StartError, serve},
    services::{
        export,
        messages::{self, FoundMessage},
    },
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&MESSAGE, |app, request| async move {
        let (id, session_id) = (request.message_id()?, request.optional_session()?);
        let includes_raw = request.query.choice("include", &[("raw", ())])?.is_some();
        let (own_number, is_admin) = (app.environment.phone_number_id(), request.caller()?.is_admin());
        let found = messages::find(&app.store, own_number, &id, session_id, is_admin).await?;
        let received = match &found {
            FoundMessage::Message(found) if includes_raw => Some(export::received(&app.store, &found.0).await?),
            _ => None,
        };
        responses::found_message(found, received, &app.media)
    })
    .await
}
