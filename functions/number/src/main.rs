//! `PUT`, `GET`, and `DELETE /api/numbers/{phoneNumberId}`: registers, returns, or deletes a number.

use shared::{
    domain::number::NumberRequest,
    http::{Method, responses, routes::NUMBER},
    runtime::{StartError, Startup, serve_with},
    services::numbers,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let build = async |startup: &Startup| Ok((startup.app().await?, startup.cipher()?));
    serve_with(&NUMBER, build, |(app, cipher), request| async move {
        let id = request.phone_number_id()?;
        match request.method {
            Method::PUT => {
                let put = NumberRequest::read(id, &request.body)?;
                responses::number(&numbers::put(&app.store, cipher.as_ref(), &put).await?)
            }
            Method::DELETE => responses::deleted(numbers::delete(&app.store, &id).await?),
            _ => responses::number(&numbers::find(&app.store, &id).await?),
        }
    })
    .await
}
