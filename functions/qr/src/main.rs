//! `GET /api/qr`: the QR code to scan, as text or picture.

use lambda_http::{Body, Error};
use serde_json::json;
use shared::{
    domain::message::Channel,
    domain::pairing::{PairingCode, number_of_link},
    domain::session::{Qr, QrState, Session},
    domain::system::System,
    domain::time::Timestamp,
    http::responses::qr_image,
    http::routes::QR,
    http::{ApiError, ApiRequest, ApiResponse},
    runtime::config::BusinessNumber,
    runtime::{serve, startup::Startup},
    store::Store,
};

/// When to ask again for a code that is not there yet, in seconds.
const RETRY_AFTER: u32 = 2;

#[derive(Clone, Copy)]
enum Format {
    Text,
    Image,
    Svg,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let (store, system) = (startup.store()?, startup.system);
    let number = startup.environment.business_number();
    store.warm_up().await;
    serve(&QR, move |request| {
        let (store, number) = (store.clone(), number.clone());
        async move { code(&store, system, number.as_ref(), &request).await }
    })
    .await
}

async fn code(
    store: &Store,
    system: System,
    number: Option<&BusinessNumber>,
    request: &ApiRequest,
) -> Result<ApiResponse, ApiError> {
    let session_id = request.caller()?.session(request.query.session_id()?)?;
    let format = match request.query.one("format")?.as_deref() {
        None | Some("text") => Format::Text,
        Some("image") => Format::Image,
        Some("svg") => Format::Svg,
        Some(_) => return Err(ApiError::bad_request("invalid_query", "format must be text, image or svg")),
    };
    let session = store.sessions().get(session_id).await?.ok_or_else(ApiError::session_not_found)?;
    match session.qr_state(system.now()) {
        QrState::Connected => ApiResponse::json(
            &json!({"success": true, "connected": true, "qr": null, "message": "WhatsApp already connected"}),
        ),
        QrState::None => {
            rotate(store, system, number, &session).await?;
            let body = json!({"success": false, "qr": null, "message": "QR not yet generated. Please wait..."});
            Ok(ApiResponse::json(&body)?.retry_after(RETRY_AFTER))
        }
        QrState::Expired => {
            rotate(store, system, number, &session).await?;
            let message = "QR expired. Generating new one...";
            let body = json!({"success": false, "qr": null, "expired": true, "message": message});
            Ok(ApiResponse::json(&body)?.retry_after(RETRY_AFTER))
        }
        QrState::Valid(link, expires_at) => show(link, expires_at, format),
    }
}

/// Makes the code that is not there yet, or in place of the one that has expired, which led to the number that the session
/// was made for. A worker's is the worker's to make.
async fn rotate(
    store: &Store,
    system: System,
    number: Option<&BusinessNumber>,
    session: &Session,
) -> Result<(), ApiError> {
    let before = session.qr.as_deref().and_then(number_of_link);
    let number = before.or(number.map(|number| number.display_phone_number.as_str()));
    if let (Channel::CloudApi, Some(number)) = (session.channel, number) {
        let code = PairingCode::from_random(system.random_uuid());
        let qr = Qr::new(session.id, number, code, system.now());
        store.sessions().rotate_qr(session.id, session.qr_expires_at, &qr).await?;
    }
    Ok(())
}

fn show(link: &str, expires_at: Timestamp, format: Format) -> Result<ApiResponse, ApiError> {
    match format {
        Format::Text => ApiResponse::json(&json!({"success": true, "qr": link, "qr_expires_at": expires_at})),
        Format::Image => {
            let picture = qr_image::png(link).map_err(|error| ApiError::internal(&error))?;
            Ok(ApiResponse::image("image/png", Body::Binary(picture)))
        }
        Format::Svg => {
            let picture = qr_image::svg(link).map_err(|error| ApiError::internal(&error))?;
            Ok(ApiResponse::image("image/svg+xml", Body::Text(picture)))
        }
    }
}
