//! `POST /api/session/create`: creates an owner's session, or returns the one that exists.

use shared::{
    http::{responses, routes::CREATE_SESSION},
    runtime::{StartError, serve},
    services::sessions::{self, NewSession},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&CREATE_SESSION, |app, request| async move {
        let new = NewSession::read(&request.body)?;
        request.caller()?.act_for(&new.owner_id)?;
        let own_number = app.environment.business_number();
        responses::created_session(&sessions::create(&app.store, app.system, own_number, new).await?)
    })
    .await
}
