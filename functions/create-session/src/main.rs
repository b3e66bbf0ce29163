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
        let caller = request.caller()?;
        caller.act_for(&new.owner_id)?;
        let (own_number, is_admin) = (app.environment.business_number(), caller.is_admin());
        responses::created_session(&sessions::create(&app.store, app.system, own_number, new, is_admin).await?)
    })
    .await
}
