//! Responses with the content of a file.

use std::io;

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use tokio_util::io::ReaderStream;

use super::{Media, MediaStore};

/// The size of the parts in which a file is read, in bytes.
const CHUNK: usize = 64 * 1024;

/// Returns a response that streams the file.
pub(in crate::whatsapp) async fn content(store: &MediaStore, media: &Media) -> io::Result<Response> {
    let mut response =
        Body::from_stream(ReaderStream::with_capacity(store.content(media).await?, CHUNK)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(media.size));
    // A type or a name with other characters than visible ASCII cannot be in a header.
    if let Ok(mime_type) = HeaderValue::from_str(&media.mime_type) {
        headers.insert(header::CONTENT_TYPE, mime_type);
    }
    let disposition = media.file_name.as_ref().map(|name| format!("inline;filename={name}"));
    if let Some(Ok(disposition)) = disposition.map(|text| HeaderValue::from_str(&text)) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}
