//! Files of messages.

use serde_json::json;

use crate::{
    http::{ApiError, ApiResponse},
    services::media::{MediaResponse, UploadRequest},
};

/// `{"success", "media", "upload"}`.
pub fn announced_media((media, upload): &(MediaResponse, UploadRequest)) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&json!({"media": media, "upload": upload}))
}

/// 302 to a URL of the bucket.
pub fn media_redirect(location: &str) -> Result<ApiResponse, ApiError> {
    ApiResponse::redirect(location)
}
