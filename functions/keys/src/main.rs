//! `POST` and `GET /api/keys`: creates an API key, or lists the keys.

use shared::{
    http::{Method, requests, responses, routes::KEYS},
    runtime::{StartError, serve},
    services::api_keys::{self, NewApiKey},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&KEYS, |app, request| async move {
        if request.method == Method::GET {
            let (limit, after) = requests::read_key_page(&request.query)?;
            return responses::key_page(&api_keys::list(&app.store, limit, after).await?);
        }
        let new = NewApiKey::read(&request.body, app.system.now())?;
        let (key, secret) = api_keys::create(&app.store, app.system, new, &request.caller()?.key_id).await?;
        responses::created_key(&key, &secret)
    })
    .await
}
