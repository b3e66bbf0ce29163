//! The types and sizes of media that WhatsApp supports (Meta, *Media*, supported media types).

/// Maximum size of a file that the Cloud API sends or receives (Meta, *Media*, media message download constraints).
pub(in crate::whatsapp) const MAX_FILE_BYTES: u64 = 100 * MEGABYTE;

const MEGABYTE: u64 = 1024 * 1024;
const MAX_IMAGE_BYTES: u64 = 5 * MEGABYTE;
const MAX_AUDIO_OR_VIDEO_BYTES: u64 = 16 * MEGABYTE;
const MAX_STATIC_STICKER_BYTES: u64 = 100 * 1024;
const MAX_ANIMATED_STICKER_BYTES: u64 = 500 * 1024;

/// The types that an upload can have, in the order of Meta's error message.
const UPLOAD_TYPES: [&str; 19] = [
    "audio/aac",
    "audio/mp4",
    "audio/mpeg",
    "audio/amr",
    "audio/ogg",
    "audio/opus",
    "application/vnd.ms-powerpoint",
    "application/msword",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/pdf",
    "text/plain",
    "application/vnd.ms-excel",
    "image/jpeg",
    "image/png",
    "image/webp",
    "video/mp4",
    "video/3gpp",
];

/// The role of a file in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::whatsapp) enum Kind {
    Audio,
    /// An audio with `voice`.
    Voice,
    Document,
    Image,
    Sticker,
    Video,
}

impl Kind {
    /// The name in Meta's error messages.
    fn name(self) -> &'static str {
        match self {
            Kind::Audio => "Audio",
            Kind::Voice => "Voice",
            Kind::Document => "Document",
            Kind::Image => "Image",
            Kind::Sticker => "Sticker",
            Kind::Video => "Video",
        }
    }

    /// The supported types, in the order of Meta's error messages. `None`: all.
    fn types(self) -> Option<&'static [&'static str]> {
        match self {
            Kind::Audio | Kind::Voice => {
                Some(&["audio/ogg; codecs=opus", "audio/mpeg", "audio/amr", "audio/mp4", "audio/aac"])
            }
            Kind::Document => None,
            Kind::Image => Some(&["image/jpeg", "image/png"]),
            Kind::Sticker => Some(&["image/webp"]),
            Kind::Video => Some(&["video/mp4", "video/3gpp"]),
        }
    }

    fn max_bytes(self, head: &[u8]) -> u64 {
        match self {
            Kind::Audio | Kind::Voice | Kind::Video => MAX_AUDIO_OR_VIDEO_BYTES,
            Kind::Document => MAX_FILE_BYTES,
            Kind::Image => MAX_IMAGE_BYTES,
            Kind::Sticker if is_animated_webp(head) => MAX_ANIMATED_STICKER_BYTES,
            Kind::Sticker => MAX_STATIC_STICKER_BYTES,
        }
    }
}

/// Returns the sentence of Meta's error 100 for an upload with this type, as declared in the part of the form, and size.
/// Meta neither looks into the file nor applies the limits of stickers before it sends the file.
pub(in crate::whatsapp) fn upload_error(mime_type: &str, size: u64) -> Option<String> {
    let base = base(mime_type);
    if !UPLOAD_TYPES.contains(&base) {
        return Some(format!(
            "Param file must be a file with one of the following types: {}. Received file of type '{mime_type}'.",
            UPLOAD_TYPES.join(", ")
        ));
    }
    let limit = match base.split_once('/') {
        Some(("image", _)) => MAX_IMAGE_BYTES,
        Some(("audio" | "video", _)) => MAX_AUDIO_OR_VIDEO_BYTES,
        _ => MAX_FILE_BYTES,
    };
    (size > limit)
        .then(|| format!("Media file size too big. Max file size we currently support: {}MB.", limit / MEGABYTE))
}

/// Returns the details of Meta's error 131053 for a message with this file. Both the declared type and the
/// content count.
pub(super) fn delivery_error(kind: Kind, mime_type: &str, size: u64, head: &[u8]) -> Option<String> {
    let name = kind.name();
    if let Some(types) = kind.types() {
        let is_supported = |mime_type| types.iter().any(|supported| base(supported) == base(mime_type));
        let is_mismatched = is_supported(mime_type) && !has_type(base(mime_type), head);
        let actual = if is_mismatched { detect(head) } else { mime_type };
        if !is_supported(actual) {
            return Some(format!("Unsupported {name} mime type {actual}. Please use one of {}.", types.join(", ")));
        }
    }
    let limit = kind.max_bytes(head);
    (size > limit).then(|| format!("{name} file has {size} bytes: WhatsApp supports up to {limit}."))
}

/// Returns the type of a file with this start.
fn detect(head: &[u8]) -> &'static str {
    const TYPES: [&str; 9] = [
        "image/jpeg",
        "image/png",
        "image/webp",
        "video/mp4",
        "audio/amr",
        "audio/mpeg",
        "audio/aac",
        "audio/ogg",
        "application/ogg",
    ];
    TYPES.into_iter().find(|base| has_type(base, head)).unwrap_or("application/octet-stream")
}

/// Returns whether a file with this start has this type.
fn has_type(base: &str, head: &[u8]) -> bool {
    let at = |offset: usize, signature: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(signature));
    match base {
        "image/jpeg" => at(0, b"\xff\xd8\xff"),
        "image/png" => at(0, b"\x89PNG\r\n\x1a\n"),
        "image/webp" => at(0, b"RIFF") && at(8, b"WEBP"),
        "video/mp4" | "video/3gpp" | "audio/mp4" => at(4, b"ftyp"),
        "audio/amr" => at(0, b"#!AMR"),
        // An ID3 tag, or a frame of layer III.
        "audio/mpeg" => at(0, b"ID3") || matches!(head, [0xff, second, ..] if second & 0xe6 == 0xe2),
        // A frame of ADTS.
        "audio/aac" => matches!(head, [0xff, second, ..] if second & 0xf6 == 0xf0),
        // The first page of an Ogg file with the Opus codec and one channel (RFC 7845, section 5.1).
        "audio/ogg" => at(0, b"OggS") && at(28, b"OpusHead") && head.get(37) == Some(&1),
        "application/ogg" => at(0, b"OggS"),
        _ => false,
    }
}

/// Returns whether the header of an extended WebP file has the animation flag (WebP Container Specification).
pub(super) fn is_animated_webp(head: &[u8]) -> bool {
    head.get(12..16) == Some(b"VP8X") && head.get(20).is_some_and(|flags| flags & 0x02 != 0)
}

/// Returns the type without its parameters.
fn base(mime_type: &str) -> &str {
    mime_type.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests;
