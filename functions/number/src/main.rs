//! `PUT`, `GET` and `DELETE /api/numbers/{phoneNumberId}`: a number and the credentials of its app.

use lambda_http::Error;
use serde_json::json;
use shared::{
    domain::ciphertext::Ciphertext,
    domain::number::{NUMBER_LIMIT, NumberRequest, RegisteredNumber},
    http::routes::NUMBER,
    http::{ApiError, ApiRequest, ApiResponse, Method},
    runtime::{serve, startup::Startup},
    secrets::cipher::{CredentialCipher, Kind},
    store::{EncryptedCredentials, NumberChange, Store},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let (store, cipher) = (startup.store()?, startup.cipher()?);
    store.warm_up().await;
    serve(&NUMBER, move |request| {
        let (store, cipher) = (store.clone(), cipher.clone());
        async move {
            let id = request.phone_number_id()?;
            let id = id.as_str();
            match request.method {
                Method::PUT => put(&store, cipher.as_ref(), id, &request).await,
                Method::DELETE => delete(&store, id).await,
                _ => answer(store.numbers().get(id).await?),
            }
        }
    })
    .await
}

async fn put(
    store: &Store,
    cipher: Option<&CredentialCipher>,
    id: &str,
    request: &ApiRequest,
) -> Result<ApiResponse, ApiError> {
    let put = NumberRequest::read(id.to_owned(), &request.body.object()?)?;
    let known = store.numbers().list().await?;
    // Two that come at once may pass it together, which costs a webhook one more look and nothing else.
    if known.len() >= NUMBER_LIMIT && known.iter().all(|number| number.phone_number_id != id) {
        let message = format!("A deployment has up to {NUMBER_LIMIT} numbers: delete one that is not used any more");
        return Err(ApiError::conflict("too_many_numbers", message));
    }
    let app_secrets = put.app_secrets.as_ref().map(|secrets| json!(secrets).to_string());
    let credentials = EncryptedCredentials {
        access_token: seal(cipher, Kind::AccessToken, id, put.access_token.as_deref()).await?,
        app_secret: seal(cipher, Kind::AppSecret, id, app_secrets.as_deref()).await?,
    };
    match store.numbers().put(&put, &credentials).await? {
        NumberChange::Linked => {
            let message = "The number is linked to a session of another owner: delete that session first";
            Err(ApiError::conflict("number_linked", message))
        }
        NumberChange::Done | NumberChange::Missing => {
            let sets = (credentials.access_token.is_some(), credentials.app_secret.is_some());
            tracing::info!(phone_number_id = id, access_token = sets.0, app_secret = sets.1, "number put");
            answer(store.numbers().get(id).await?)
        }
    }
}

async fn seal(
    cipher: Option<&CredentialCipher>,
    kind: Kind,
    phone_number_id: &str,
    secret: Option<&str>,
) -> Result<Option<Ciphertext>, ApiError> {
    let Some(secret) = secret else { return Ok(None) };
    let cipher = cipher.ok_or_else(|| {
        let message = "This deployment has no key to encrypt credentials with: deploy it with NumbersKey=Yes";
        ApiError::conflict("no_numbers_key", message)
    })?;
    Ok(Some(cipher.encrypt(kind, phone_number_id, secret).await?))
}

async fn delete(store: &Store, id: &str) -> Result<ApiResponse, ApiError> {
    match store.numbers().delete(id).await? {
        NumberChange::Done => {
            tracing::info!(phone_number_id = id, "number deleted");
            ApiResponse::json(&json!({"success": true}))
        }
        NumberChange::Missing => Err(not_found()),
        NumberChange::Linked => {
            let message = "The number is linked to a session: delete that session first";
            Err(ApiError::conflict("number_linked", message))
        }
    }
}

fn answer(number: Option<RegisteredNumber>) -> Result<ApiResponse, ApiError> {
    let number = number.ok_or_else(not_found)?;
    ApiResponse::json(&json!({"success": true, "number": number.response()}))
}

fn not_found() -> ApiError {
    ApiError::not_found("number_not_found", "Number not found")
}
