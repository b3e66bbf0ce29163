//! Files that are uploaded to be sent.

use crate::domain::message::MessageType;

const KILOBYTE: u64 = 1024;
const MEGABYTE: u64 = 1024 * KILOBYTE;

/// The types that WhatsApp delivers, with the type of the message and the maximum size (Meta, *Media*, supported media
/// types).
const TYPES: [(&str, MessageType, u64); 18] = [
    ("image/jpeg", MessageType::Image, 5 * MEGABYTE),
    ("image/png", MessageType::Image, 5 * MEGABYTE),
    ("video/mp4", MessageType::Video, 16 * MEGABYTE),
    ("video/3gpp", MessageType::Video, 16 * MEGABYTE),
    ("audio/aac", MessageType::Audio, 16 * MEGABYTE),
    ("audio/amr", MessageType::Audio, 16 * MEGABYTE),
    ("audio/mpeg", MessageType::Audio, 16 * MEGABYTE),
    ("audio/mp4", MessageType::Audio, 16 * MEGABYTE),
    ("audio/ogg", MessageType::Audio, 16 * MEGABYTE),
    // WhatsApp refuses a static sticker over 100 KB. Animated ones have the same type.
    ("image/webp", MessageType::Sticker, 500 * KILOBYTE),
    ("text/plain", MessageType::Document, DOCUMENT),
    ("application/pdf", MessageType::Document, DOCUMENT),
    ("application/msword", MessageType::Document, DOCUMENT),
    ("application/vnd.ms-excel", MessageType::Document, DOCUMENT),
    ("application/vnd.ms-powerpoint", MessageType::Document, DOCUMENT),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", MessageType::Document, DOCUMENT),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", MessageType::Document, DOCUMENT),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", MessageType::Document, DOCUMENT),
];

/// The maximum size of a document.
const DOCUMENT: u64 = 100 * MEGABYTE;

/// A file that can be uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The type, without parameters.
    pub mime_type: &'static str,
    /// The size in bytes.
    pub size: u64,
}

/// Why a file can't be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// WhatsApp doesn't deliver files of this type.
    #[error("WhatsApp doesn't deliver files of this mimeType. It delivers {}", supported())]
    NotSendable,
    /// The file is too large.
    #[error("size is {size} bytes: WhatsApp delivers files of type {mime_type} with up to {limit}")]
    TooLarge {
        /// The size in bytes.
        size: u64,
        /// The type.
        mime_type: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
}

/// Returns the names of the supported types.
fn supported() -> String {
    TYPES.map(|(name, _, _)| name).join(", ")
}

/// Checks whether WhatsApp delivers a file of this type and size. Parameters of the type, such as `codecs=opus`, are
/// ignored.
///
/// # Errors
/// See [`UploadError`].
pub fn check_upload(mime_type: &str, size: u64) -> Result<Upload, UploadError> {
    let name = mime_type.split(';').next().unwrap_or_default().trim();
    let known = TYPES.iter().find(|(known, _, _)| known.eq_ignore_ascii_case(name));
    let &(mime_type, _, limit) = known.ok_or(UploadError::NotSendable)?;
    if size > limit {
        return Err(UploadError::TooLarge { size, mime_type, limit });
    }
    Ok(Upload { mime_type, size })
}

/// Returns whether a file of this type can be sent in a message of this type. Every file can be sent as a document.
pub fn is_sendable_as(mime_type: &str, kind: MessageType) -> bool {
    kind == MessageType::Document || TYPES.iter().any(|(known, of_type, _)| *known == mime_type && *of_type == kind)
}
