//! Uploads of files.

use crate::{
    domain::{
        caller::Caller,
        media::{UploadError, check_upload},
    },
    http::{ApiError, Body, ErrorCode},
    services::media::NewUpload,
};

/// The maximum length of a file name, in characters. WhatsApp displays longer names truncated.
const FILE_NAME_LIMIT: usize = 240;

impl NewUpload {
    /// Parses `{"sessionId", "mimeType", "size", "fileName"?}`.
    pub fn read(body: &Body, caller: &Caller) -> Result<Self, ApiError> {
        let body = body.object(&["sessionId", "mimeType", "size", "fileName"])?;
        let session_id = caller.session(body.session_id()?)?;
        let mime_type = body.required("mimeType")?;
        let size = body.whole_number("size", 1..=u32::MAX)?.ok_or_else(|| ApiError::missing_field("size"))?;
        let file_name = body.string("fileName")?.map(str::trim).filter(|name| !name.is_empty());
        let is_valid = |name: &str| name.chars().count() <= FILE_NAME_LIMIT && !name.contains(char::is_control);
        if !file_name.is_none_or(is_valid) {
            let message = format!("fileName may have up to {FILE_NAME_LIMIT} characters, without control characters");
            return Err(ApiError::invalid_field(message));
        }
        let upload = check_upload(mime_type, u64::from(size))?;
        Ok(Self { session_id, upload, file_name: file_name.map(str::to_owned) })
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        let code = match error {
            UploadError::NotSendable => ErrorCode::MediaTypeNotSendable,
            UploadError::TooLarge { .. } => ErrorCode::MediaTooLarge,
        };
        Self::new(code, error.to_string())
    }
}
