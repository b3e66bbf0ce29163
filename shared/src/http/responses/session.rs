//! Sessions and their QR codes as responses contain them.

use base64::{Engine, prelude::BASE64_STANDARD};
use lambda_http::Body;
use serde_json::json;

use super::qr_image;
use crate::{
    domain::{
        page::Page,
        session::{QrState, Session},
        time::Timestamp,
    },
    http::{
        ApiError, ApiResponse,
        requests::{QrFormat, SESSION_LIST},
    },
    services::sessions::QrCode,
    store::Created,
};

/// When to request a QR code again that isn't ready, in seconds.
const RETRY_AFTER: u32 = 2;

/// `{"success", "session"}`, with `message` if there is one.
pub fn session(session: &Session, message: Option<&str>) -> Result<ApiResponse, ApiError> {
    match message {
        Some(message) => ApiResponse::success(&json!({"session": session.response(), "message": message})),
        None => ApiResponse::success(&json!({"session": session.response()})),
    }
}

/// `{"success", "session", "message"}`.
pub fn created_session(created: &Created) -> Result<ApiResponse, ApiError> {
    match created {
        Created::New(created) => session(created, Some("Session created successfully")),
        Created::Existing(existing) => session(existing, Some("Session already exists")),
    }
}

/// `{"success", "session"}`, where the session has `qr_expired`.
pub fn session_status(session: &Session, now: Timestamp) -> Result<ApiResponse, ApiError> {
    let mut response = json!(session.response());
    response["qr_expired"] = json!(session.qr_state(now) == QrState::Expired);
    ApiResponse::success(&json!({"session": response}))
}

/// `{"success", "sessions", "nextCursor"}`.
pub fn session_page(page: &Page<Session>) -> Result<ApiResponse, ApiError> {
    let sessions: Vec<_> = page.items.iter().map(Session::response).collect();
    ApiResponse::success(&json!({"sessions": sessions, "nextCursor": page.next.map(|next| next.cursor(SESSION_LIST))}))
}

/// The code in the format that was requested, or the JSON for a session without a valid code.
pub fn qr_code(code: QrCode, format: QrFormat) -> Result<ApiResponse, ApiError> {
    match code {
        QrCode::Connected => ApiResponse::json(
            &json!({"success": true, "connected": true, "qr": null, "message": "WhatsApp already connected"}),
        ),
        QrCode::NotReady => {
            let body = json!({"success": false, "qr": null, "message": "QR not yet generated. Please wait..."});
            Ok(ApiResponse::json(&body)?.retry_after(RETRY_AFTER))
        }
        QrCode::Expired => {
            let message = "QR expired. Generating new one...";
            let body = json!({"success": false, "qr": null, "expired": true, "message": message});
            Ok(ApiResponse::json(&body)?.retry_after(RETRY_AFTER))
        }
        QrCode::Ready(text, expires_at) => match format {
            QrFormat::Text => ApiResponse::success(&json!({"qr": text, "qr_expires_at": expires_at})),
            QrFormat::Image => image("image/png", qr_image::png(&text).map(Body::Binary)),
            QrFormat::DataUrl => {
                let png = qr_image::png(&text).map_err(|error| ApiError::internal(&error))?;
                let image = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png));
                ApiResponse::success(&json!({"qr_image": image, "qr_expires_at": expires_at}))
            }
            QrFormat::Svg => image("image/svg+xml", qr_image::svg(&text).map(Body::Text)),
        },
    }
}

fn image(content_type: &'static str, body: Result<Body, qr_image::QrError>) -> Result<ApiResponse, ApiError> {
    body.map(|body| ApiResponse::image(content_type, body)).map_err(|error| ApiError::internal(&error))
}
