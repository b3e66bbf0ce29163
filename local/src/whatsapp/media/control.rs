//! Controls for the media of customers:
//!
//! - `POST /simulator/media` stores the body as a file that a customer can send. The `Content-Type` header is required.
//!   `?phoneNumberId=` selects another business number than the default one, and `?fileName=` is the name of a document.
//!   Returns the `id` for `POST /simulator/messages`.
//! - `GET /simulator/media/{id}` downloads any file, as the phone of a customer does.
//!
//! A media message of `POST /simulator/messages` with the ID of a stored file gets the file's `mime_type`, `sha256`, and
//! `url`. With `data`, a file in Base64 with its `mime_type`, the message stores the file itself.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    http::{HeaderValue, StatusCode, header},
    response::Response,
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::TryStreamExt;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{MAX_FILE_BYTES, Media, NewMedia, Source, Writer, response};
use crate::{
    error_chain,
    whatsapp::{clock::unix_now, control::ControlError, simulator::Simulator},
};

/// The types of media messages.
const KINDS: [&str; 5] = ["audio", "document", "image", "sticker", "video"];

pub(in crate::whatsapp) fn routes() -> Router<Arc<Simulator>> {
    Router::new().route("/simulator/media", post(store)).route("/simulator/media/{id}", get(download))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Upload {
    phone_number_id: Option<String>,
    file_name: Option<String>,
}

async fn store(
    State(simulator): State<Arc<Simulator>>,
    upload: Result<Query<Upload>, QueryRejection>,
    request: Request,
) -> Result<Json<Value>, ControlError> {
    let Query(upload) = upload.map_err(|error| ControlError::bad_request(error.body_text()))?;
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mime_type = content_type.map(str::to_owned);
    let mut writer = simulator.media.writer().map_err(storage_error)?;
    let mut body = request.into_body().into_data_stream();
    let unreadable = |_| ControlError::bad_request("The request body could not be read");
    while let Some(bytes) = body.try_next().await.map_err(unreadable)? {
        writer.write(&bytes).await.map_err(storage_error)?;
    }
    let mime_type =
        mime_type.ok_or_else(|| ControlError::bad_request("Set the Content-Type header to the type of the file"))?;
    let phone_number_id =
        upload.phone_number_id.unwrap_or_else(|| simulator.numbers.default_number().number.phone_number_id);
    let new = NewMedia { phone_number_id, mime_type, file_name: upload.file_name, source: Source::Customer };
    let media = finish(&simulator, writer, new).await?;
    Ok(Json(json!({
        "id": media.id,
        "mime_type": media.mime_type,
        "sha256": media.sha256_base64(),
        "file_size": media.size,
    })))
}

async fn finish(simulator: &Simulator, writer: Writer, new: NewMedia) -> Result<Media, ControlError> {
    if writer.size() > MAX_FILE_BYTES {
        return Err(ControlError(
            StatusCode::PAYLOAD_TOO_LARGE,
            "WhatsApp delivers files of up to 100 MB. For a larger one, send a message with error 131052 in errors"
                .to_owned(),
        ));
    }
    simulator.media.store(writer, new, unix_now()).await.map_err(storage_error)
}

fn storage_error(error: std::io::Error) -> ControlError {
    ControlError(StatusCode::INTERNAL_SERVER_ERROR, format!("The file could not be stored: {}", error_chain(&error)))
}

async fn download(State(simulator): State<Arc<Simulator>>, Path(id): Path<String>) -> Result<Response, ControlError> {
    match simulator.find_media(&id) {
        Some(media) => {
            let mut response = response::content(&simulator.media, &media).await.map_err(storage_error)?;
            // A page that a browser opens must not become a page of this server, which can use the control API.
            let policy = HeaderValue::from_static("sandbox; default-src 'none'; style-src 'unsafe-inline'");
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
            response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            Ok(response)
        }
        None => Err(ControlError(StatusCode::NOT_FOUND, format!("There is no file with the ID {id}"))),
    }
}

/// Completes a customer's media message to a business number: stores the file in `data`, and adds what WhatsApp knows
/// about the file.
pub(in crate::whatsapp) async fn complete(
    simulator: &Simulator,
    phone_number_id: &str,
    message: &mut Value,
) -> Result<(), ControlError> {
    let kind = message.get("type").and_then(Value::as_str).filter(|kind| KINDS.contains(kind));
    let Some(kind) = kind.map(str::to_owned) else { return Ok(()) };
    let Some(Value::Object(object)) = message.get_mut(&kind) else { return Ok(()) };
    let media = match object.remove("data") {
        Some(data) => {
            let media = store_data(simulator, phone_number_id, &kind, object, &data).await?;
            object.insert("id".to_owned(), json!(media.id));
            media
        }
        None => match object.get("id").and_then(Value::as_str).and_then(|id| simulator.find_media(id)) {
            Some(media) => media,
            // A test can send the ID of a file that cannot be downloaded.
            None => return Ok(()),
        },
    };
    if media.phone_number_id != phone_number_id {
        return Err(ControlError::bad_request(format!(
            "{kind}.id is a file for another business number. Store it with ?phoneNumberId={phone_number_id}"
        )));
    }
    let mut add = |name: &str, value: Value| {
        object.entry(name).or_insert(value);
    };
    add("mime_type", json!(media.mime_type));
    add("sha256", json!(media.sha256_base64()));
    add("url", json!(simulator.download_url(&media)));
    match (kind.as_str(), media.file_name.as_deref()) {
        ("audio", _) => add("voice", json!(false)),
        ("sticker", _) => add("animated", json!(media.is_animated())),
        ("document", Some(name)) => add("filename", json!(name)),
        _ => {}
    }
    Ok(())
}

async fn store_data(
    simulator: &Simulator,
    phone_number_id: &str,
    kind: &str,
    object: &Map<String, Value>,
    data: &Value,
) -> Result<Media, ControlError> {
    if object.contains_key("id") {
        return Err(ControlError::bad_request(format!("{kind} must contain either id or data")));
    }
    let bytes = data.as_str().and_then(|data| STANDARD.decode(data).ok());
    let bytes = bytes.ok_or_else(|| ControlError::bad_request(format!("{kind}.data must be a file in Base64")))?;
    let Some(Value::String(mime_type)) = object.get("mime_type") else {
        return Err(ControlError::bad_request(format!("{kind}.data requires {kind}.mime_type, a string")));
    };
    let mut writer = simulator.media.writer().map_err(storage_error)?;
    writer.write(&bytes).await.map_err(storage_error)?;
    let new = NewMedia {
        phone_number_id: phone_number_id.to_owned(),
        mime_type: mime_type.clone(),
        file_name: None,
        source: Source::Customer,
    };
    finish(simulator, writer, new).await
}
