//! Files that are uploaded to be sent.

use crate::domain::message::MessageType;

const KILOBYTE: u64 = 1024;
const MEGABYTE: u64 = 1024 * KILOBYTE;

/// A type that WhatsApp delivers.
struct Type {
    mime_type: &'static str,
    /// The type of message.
    kind: MessageType,
    /// The maximum size in bytes.
    limit: u64,
    /// The extension of file names.
    extension: &'static str,
}

const fn of(mime_type: &'static str, kind: MessageType, limit: u64, extension: &'static str) -> Type {
    Type { mime_type, kind, limit, extension }
}

/// The types that WhatsApp delivers (Meta, *Media*, supported media types).
const TYPES: [Type; 18] = [
    of("image/jpeg", MessageType::Image, 5 * MEGABYTE, "jpg"),
    of("image/png", MessageType::Image, 5 * MEGABYTE, "png"),
    of("video/mp4", MessageType::Video, 16 * MEGABYTE, "mp4"),
    of("video/3gpp", MessageType::Video, 16 * MEGABYTE, "3gp"),
    of("audio/aac", MessageType::Audio, 16 * MEGABYTE, "aac"),
    of("audio/amr", MessageType::Audio, 16 * MEGABYTE, "amr"),
    of("audio/mpeg", MessageType::Audio, 16 * MEGABYTE, "mp3"),
    of("audio/mp4", MessageType::Audio, 16 * MEGABYTE, "m4a"),
    of("audio/ogg", MessageType::Audio, 16 * MEGABYTE, "ogg"),
    // WhatsApp refuses a static sticker over 100 KB. Animated ones have the same type.
    of("image/webp", MessageType::Sticker, 500 * KILOBYTE, "webp"),
    of("text/plain", MessageType::Document, DOCUMENT, "txt"),
    of("application/pdf", MessageType::Document, DOCUMENT, "pdf"),
    of("application/msword", MessageType::Document, DOCUMENT, "doc"),
    of("application/vnd.ms-excel", MessageType::Document, DOCUMENT, "xls"),
    of("application/vnd.ms-powerpoint", MessageType::Document, DOCUMENT, "ppt"),
    of(
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        MessageType::Document,
        DOCUMENT,
        "docx",
    ),
    of("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", MessageType::Document, DOCUMENT, "xlsx"),
    of(
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        MessageType::Document,
        DOCUMENT,
        "pptx",
    ),
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
    TYPES.map(|known| known.mime_type).join(", ")
}

/// Checks whether WhatsApp delivers a file of this type and size. Parameters of the type, such as `codecs=opus`, are
/// ignored.
///
/// # Errors
/// See [`UploadError`].
pub fn check_upload(mime_type: &str, size: u64) -> Result<Upload, UploadError> {
    let name = mime_type.split(';').next().unwrap_or_default().trim();
    let known = TYPES.iter().find(|known| known.mime_type.eq_ignore_ascii_case(name));
    let &Type { mime_type, limit, .. } = known.ok_or(UploadError::NotSendable)?;
    if size > limit {
        return Err(UploadError::TooLarge { size, mime_type, limit });
    }
    Ok(Upload { mime_type, size })
}

/// Returns whether a file of this type can be sent in a message of this type. Every file can be sent as a document.
pub fn is_sendable_as(mime_type: &str, kind: MessageType) -> bool {
    kind == MessageType::Document || TYPES.iter().any(|known| known.mime_type == mime_type && known.kind == kind)
}

/// Returns the type and the file name with which a file is uploaded to WhatsApp. WhatsApp goes by the extension as well, and
/// delivers audio in the container Ogg with the codec Opus only.
pub fn uploaded_as(mime_type: &str) -> (&str, String) {
    let extension = TYPES.iter().find(|known| known.mime_type == mime_type).map_or("bin", |known| known.extension);
    let mime_type = if mime_type == "audio/ogg" { "audio/ogg; codecs=opus" } else { mime_type };
    (mime_type, format!("file.{extension}"))
}
