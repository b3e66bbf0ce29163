//! `POST /api/session/create`: the one session of an owner, new or as it is.

use lambda_http::Error;
use serde_json::json;
use shared::{
    domain::id::SessionId,
    domain::number::is_phone_number_id,
    domain::pairing::PairingCode,
    domain::session::{OWNER_ID_LIMIT, Qr, Session, UnknownPolicy},
    domain::system::System,
    http::routes::CREATE_SESSION,
    http::{ApiError, ApiRequest, ApiResponse},
    runtime::config::BusinessNumber,
    runtime::{serve, startup::Startup},
    store::{Created, Store},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let (store, system) = (startup.store()?, startup.system);
    let number = startup.environment.business_number();
    store.warm_up().await;
    serve(&CREATE_SESSION, move |request| {
        let (store, number) = (store.clone(), number.clone());
        async move { create(&store, system, number, &request).await }
    })
    .await
}

async fn create(
    store: &Store,
    system: System,
    number: Option<BusinessNumber>,
    request: &ApiRequest,
) -> Result<ApiResponse, ApiError> {
    let body = request.body.object()?;
    let owner_id = body.string("userId")?.filter(|id| !id.trim().is_empty());
    let owner_id = owner_id.ok_or_else(|| ApiError::bad_request("missing_field", "userId is required"))?;
    if owner_id.len() > OWNER_ID_LIMIT {
        let message = format!("userId has {} bytes: it may have up to {OWNER_ID_LIMIT}", owner_id.len());
        return Err(ApiError::bad_request("invalid_field", message));
    }
    request.caller()?.act_for(owner_id)?;
    let number = match body.string("phoneNumberId")? {
        Some(wanted) => Some(chosen(store, number, wanted, owner_id).await?),
        None => number,
    };
    let unknown_policy = match body.string("unknownPolicy")? {
        None | Some("fail") => UnknownPolicy::Fail,
        Some("resend") => UnknownPolicy::Resend,
        Some(_) => return Err(ApiError::bad_request("invalid_field", "unknownPolicy must be fail or resend")),
    };
    let now = system.now();
    let qr = number.map(|number| {
        let code = PairingCode::from_random(system.random_uuid());
        Qr::new(SessionId::for_owner(owner_id), &number.display_phone_number, code, now)
    });
    let session = Session { unknown_policy, ..Session::new(owner_id.to_owned(), qr, now) };
    let (session, message) = match store.sessions().create(session).await? {
        Created::New(session) => (session, "Session created successfully"),
        Created::Existing(session) => (session, "Session already exists"),
    };
    ApiResponse::json(&json!({"success": true, "session": session.response(), "message": message}))
}

/// The number that the caller names, where it is this owner's to pair. One of another owner is not told from one that does
/// not exist.
async fn chosen(
    store: &Store,
    own: Option<BusinessNumber>,
    wanted: &str,
    owner_id: &str,
) -> Result<BusinessNumber, ApiError> {
    let own = own.filter(|own| own.phone_number_id == wanted);
    let number = match is_phone_number_id(wanted) {
        true => store.numbers().get(wanted).await?,
        false => None,
    };
    let found = match number {
        Some(number) => number.is_for(owner_id).then_some(BusinessNumber {
            phone_number_id: number.phone_number_id,
            display_phone_number: number.display_phone_number,
        }),
        None => own,
    };
    found.ok_or_else(|| {
        let message = "phoneNumberId is not a number of this deployment: leave it out to use the one that it has";
        ApiError::bad_request("invalid_field", message)
    })
}
