//! `GET /api/messages/{messageId}`: returns a message with its delivery history.

use shared::{
    http::{responses, routes::MESSAGE},
    runtime::{StartError, serve},
    services::messages,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&MESSAGE, |app, request| async move {
        let (id, session_id) = (request.message_id()?, request.optional_session()?);
        let (own_number, is_admin) = (app.environment.phone_number_id(), request.caller()?.is_admin());
        responses::found_message(messages::find(&app.store, own_number, &id, session_id, is_admin).await?)
    })
    .await
}
