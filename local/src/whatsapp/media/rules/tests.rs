use super::*;

const JPEG: &[u8] = b"\xff\xd8\xff\xe0";
const OPUS: &[u8] = b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead\x01\x01";

fn webp(chunk: &[u8], flags: u8) -> Vec<u8> {
    [b"RIFF\0\0\0\0WEBP", chunk, b"\x0a\0\0\0", &[flags]].concat()
}

#[test]
fn uploads_have_a_supported_type() {
    for mime_type in UPLOAD_TYPES {
        assert_eq!(upload_error(mime_type, 1), None);
    }
    assert_eq!(upload_error("audio/ogg; codecs=opus", 1), None);
    let error = upload_error("text/csv", 1).unwrap();
    assert!(error.starts_with("Param file must be a file with one of the following types: audio/aac, audio/mp4,"));
    assert!(error.ends_with(", video/mp4, video/3gpp. Received file of type 'text/csv'."), "{error}");
    for mime_type in ["", "application/octet-stream", "image/gif", "audio/wav", "image/jpeg2", "IMAGE/JPEG"] {
        assert!(upload_error(mime_type, 1).is_some(), "{mime_type}");
    }
}

#[test]
fn uploads_have_a_limited_size() {
    for (mime_type, megabytes) in [
        ("image/jpeg", 5),
        ("image/webp", 5),
        ("audio/ogg; codecs=opus", 16),
        ("video/3gpp", 16),
        ("application/pdf", 100),
        ("text/plain", 100),
    ] {
        let limit = megabytes * 1024 * 1024;
        assert_eq!(upload_error(mime_type, limit), None, "{mime_type}");
        let expected = format!("Media file size too big. Max file size we currently support: {megabytes}MB.");
        assert_eq!(upload_error(mime_type, limit + 1), Some(expected));
    }
}

#[test]
fn messages_need_a_file_of_their_type() {
    let animated = webp(b"VP8X", 2);
    let stereo = [&OPUS[..OPUS.len() - 1], b"\x02"].concat();
    let vorbis = b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x1e\x01vorbis\0\0\0\0\x01";
    let mp4 = b"\0\0\0\x18ftypmp42";
    let png = b"\x89PNG\r\n\x1a\n";
    // The last value is the unsupported type in the error.
    let cases: [(Kind, &str, &[u8], Option<&str>); 31] = [
        (Kind::Image, "image/jpeg", JPEG, None),
        (Kind::Image, "image/png", png, None),
        (Kind::Image, "image/png", JPEG, None),
        (Kind::Image, "image/webp", &animated, Some("image/webp")),
        (Kind::Image, "image/jpeg", &animated, Some("image/webp")),
        (Kind::Image, "image/jpeg", b"", Some("application/octet-stream")),
        (Kind::Image, "image/jpeg", mp4, Some("video/mp4")),
        (Kind::Sticker, "image/webp", &animated, None),
        (Kind::Sticker, "image/webp", png, Some("image/png")),
        (Kind::Sticker, "image/png", png, Some("image/png")),
        (Kind::Video, "video/mp4", mp4, None),
        (Kind::Video, "video/3gpp", b"\0\0\0\x18ftyp3gp4", None),
        (Kind::Video, "video/mp4", b"\x1aE\xdf\xa3", Some("application/octet-stream")),
        (Kind::Video, "audio/mp4", mp4, Some("audio/mp4")),
        (Kind::Audio, "audio/mp4", mp4, None),
        (Kind::Audio, "audio/amr", b"#!AMR\n", None),
        (Kind::Audio, "audio/mpeg", b"ID3\x04", None),
        (Kind::Audio, "audio/mpeg", b"\xff\xfb\x90", None),
        (Kind::Audio, "audio/aac", b"\xff\xf1\x50", None),
        (Kind::Audio, "audio/aac", b"\xff\xfb\x90", None),
        (Kind::Audio, "audio/ogg", OPUS, None),
        (Kind::Audio, "audio/ogg", b"RIFF\0\0\0\0WAVE", Some("application/octet-stream")),
        (Kind::Audio, "audio/ogg", &stereo, Some("application/ogg")),
        (Kind::Audio, "audio/ogg; codecs=opus", vorbis, Some("application/ogg")),
        (Kind::Audio, "audio/opus", OPUS, Some("audio/opus")),
        (Kind::Audio, "video/mp4", mp4, Some("video/mp4")),
        (Kind::Voice, "audio/ogg; codecs=opus", OPUS, None),
        (Kind::Voice, "audio/mpeg", b"ID3\x04", None),
        (Kind::Document, "application/pdf", b"", None),
        (Kind::Document, "image/jpeg", JPEG, None),
        (Kind::Document, "text/plain", b"text", None),
    ];
    for (kind, mime_type, head, unsupported) in cases {
        let error = delivery_error(kind, mime_type, 1, head);
        let expected = unsupported.map(|actual| format!("Unsupported {} mime type {actual}. Please use", kind.name()));
        assert_eq!(error.is_some(), expected.is_some(), "{kind:?} {mime_type} {head:?}: {error:?}");
        assert!(error.unwrap_or_default().starts_with(&expected.unwrap_or_default()), "{kind:?} {mime_type}");
    }
    assert_eq!(
        delivery_error(Kind::Voice, "audio/amr", 1, b"").unwrap(),
        "Unsupported Voice mime type application/octet-stream. Please use one of audio/ogg; codecs=opus, audio/mpeg, \
         audio/amr, audio/mp4, audio/aac."
    );
}

#[test]
fn messages_need_a_file_of_a_limited_size() {
    let (fixed, animated) = (webp(b"VP8X", 0x10), webp(b"VP8X", 0x12));
    for (kind, mime_type, head, limit) in [
        (Kind::Image, "image/jpeg", JPEG, MAX_IMAGE_BYTES),
        (Kind::Audio, "audio/ogg", OPUS, MAX_AUDIO_OR_VIDEO_BYTES),
        (Kind::Video, "video/mp4", b"\0\0\0\x18ftypmp42", MAX_AUDIO_OR_VIDEO_BYTES),
        (Kind::Document, "application/pdf", b"%PDF-1.7", MAX_FILE_BYTES),
        (Kind::Sticker, "image/webp", &fixed, 100 * 1024),
        (Kind::Sticker, "image/webp", &webp(b"VP8 ", 0xff), 100 * 1024),
        (Kind::Sticker, "image/webp", &animated, 500 * 1024),
    ] {
        assert_eq!(delivery_error(kind, mime_type, limit, head), None, "{kind:?}");
        let error = delivery_error(kind, mime_type, limit + 1, head).unwrap();
        assert!(error.contains(&limit.to_string()), "{error}");
    }
}
