use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::identity::Address;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF";
const OGG: &[u8] = b"OggS\0\x02\0\0\0\0\0\0\0\0";
const PDF: &[u8] = b"%PDF-1.7\n";
const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0\x08\0";
const MP4: &[u8] = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41";

#[test]
fn file_that_was_never_requested_is_gone_when_whatsapp_deletes_it() {
    let received_at = Timestamp::from_seconds(1_800_000_000).unwrap();
    let end = received_at.after(RECEIVED_LIFETIME);
    assert_eq!(unfetched_state(received_at, received_at), MediaState::Pending);
    assert_eq!(unfetched_state(received_at, end.before(Duration::from_millis(1))), MediaState::Pending);
    assert_eq!(unfetched_state(received_at, end), MediaState::Gone);
}

#[test]
fn file_of_several_chats_belongs_to_none() {
    let session_id = SessionId::for_owner("ada");
    let chat = |number: u32| ChatId::for_identity(session_id, &Address::Phone(format!("20100{number}")).identity());
    let media = |state, chat_id| Media {
        id: MediaId::from_uuid(uuid::Uuid::nil()),
        session_id,
        chat_id,
        is_received: false,
        state,
        mime_type: None,
        size: None,
        sha256: None,
        file_name: None,
        whatsapp_upload: None,
        expires_at: None,
    };
    assert_eq!(media(MediaState::AwaitingUpload, None).only_chat_after(chat(1)), Some(chat(1)));
    assert_eq!(media(MediaState::Stored, Some(chat(1))).only_chat_after(chat(1)), Some(chat(1)));
    assert_eq!(media(MediaState::Stored, Some(chat(1))).only_chat_after(chat(2)), None);
    assert_eq!(media(MediaState::Stored, None).only_chat_after(chat(1)), None);
}

#[test]
fn content_beats_the_declared_type() {
    let served = |head: &[u8], declared: &str| served_as(head, Some(declared));
    let inline = |content_type: &str| ServedAs { content_type: content_type.to_owned(), is_inline: true };
    let attachment = |content_type: &str| ServedAs { content_type: content_type.to_owned(), is_inline: false };
    assert_eq!(served(PNG, "image/jpeg"), inline("image/png"));
    assert_eq!(served(JPEG, "text/html"), inline("image/jpeg"));
    assert_eq!(served(OGG, "audio/ogg; codecs=opus"), inline("audio/ogg"));
    assert_eq!(served(MP4, "audio/mp4"), inline("audio/mp4"));
    assert_eq!(served(MP4, "video/mp4"), inline("video/mp4"));
    assert_eq!(served(PDF, "application/pdf"), inline("application/pdf"));
    let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    assert_eq!(served(ZIP, docx), attachment(docx));
    assert_eq!(served(ZIP, "image/png"), attachment("application/zip"));
    assert_eq!(served(b"a,b\n1,2\n", "text/csv"), attachment("text/csv"));
    assert_eq!(served_as(b"", None), attachment("application/octet-stream"));
}

#[test]
fn active_content_is_a_download_without_a_type() {
    let binary = ServedAs { content_type: "application/octet-stream".to_owned(), is_inline: false };
    for (head, declared) in [
        (b"<!DOCTYPE html><script>".as_slice(), "image/png"),
        (b"\xef\xbb\xbf  <svg xmlns='http://www.w3.org/2000/svg'>", "image/svg+xml"),
        (b"<?xml version='1.0'?>", "text/plain"),
        (b"alert(1)", "text/javascript"),
        (b"alert(1)", "application/xhtml+xml"),
        (b"MZ\x90\0", "image/png"),
        (&[b"\x7fELF\x02\x01".as_slice(), &[0; 64]].concat(), "audio/ogg"),
        (b"#!/bin/sh\n", "application/x-sh"),
        (b"\0asm\x01\0\0\0", "application/wasm"),
        (b"hello", "image/svg+xml\r\nx-header: 1"),
    ] {
        assert_eq!(served_as(head, Some(declared)), binary, "{declared}");
    }
}

#[test]
fn names_of_documents_are_encoded() {
    let served = served_as(PDF, None);
    assert_eq!(served.disposition(None), "inline");
    assert_eq!(served.disposition(Some("a b\"\r\n.pdf")), "inline; filename*=UTF-8''a%20b%22.pdf");
    assert_eq!(served.disposition(Some("فاتورة")), "inline; filename*=UTF-8''%D9%81%D8%A7%D8%AA%D9%88%D8%B1%D8%A9");
}

proptest! {
    #[test]
    fn headers_are_valid(head in proptest::collection::vec(any::<u8>(), 0..64), declared in ".{0,40}", name in ".{0,300}") {
        let served = served_as(&head, Some(&declared));
        let is_text = |text: &str| text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        prop_assert!(is_text(&served.content_type) && !served.content_type.contains([';', ' ']));
        prop_assert!(is_text(&served.disposition(Some(&name))));
    }
}

#[test]
fn uploads_have_the_limits_of_whatsapp() {
    let megabyte = 1024 * 1024;
    let upload = |mime_type: &str, size| check_upload(mime_type, size).map(|upload| upload.mime_type);
    assert_eq!(upload("image/jpeg", 5 * megabyte), Ok("image/jpeg"));
    assert_eq!(upload("Audio/OGG; codecs=opus", 1), Ok("audio/ogg"));
    assert!(matches!(upload("image/png", 5 * megabyte + 1), Err(UploadError::TooLarge { .. })));
    assert!(matches!(upload("image/webp", 500 * 1024 + 1), Err(UploadError::TooLarge { .. })));
    assert_eq!(upload("application/pdf", 100 * megabyte), Ok("application/pdf"));
    assert!(matches!(upload("application/pdf", 100 * megabyte + 1), Err(UploadError::TooLarge { .. })));
    for other in ["image/svg+xml", "text/html", "", "image", "image/gif"] {
        assert_eq!(upload(other, 1), Err(UploadError::NotSendable), "{other}");
    }
    assert_eq!(uploaded_as("audio/ogg"), ("audio/ogg; codecs=opus", "file.ogg".to_owned()));
    assert_eq!(uploaded_as("image/jpeg"), ("image/jpeg", "file.jpg".to_owned()));
    assert!(is_sendable_as("image/webp", MessageType::Sticker) && is_sendable_as("image/webp", MessageType::Document));
    assert!(!is_sendable_as("image/webp", MessageType::Image) && !is_sendable_as("video/mp4", MessageType::Audio));
}

#[test]
fn attempts_end_when_whatsapp_deletes_the_file() {
    let first: Timestamp = "2026-11-27T00:00:00.000Z".parse().unwrap();
    let (mut now, mut tries) = (first, 1);
    while let Some(delay) = retry_delay(tries, first, now) {
        now = now.after(delay);
        tries += 1;
    }
    assert!(now < first.after(RECEIVED_LIFETIME) && now > first.after(Duration::from_secs(6 * 24 * 60 * 60)));
    assert_eq!(tries, 20);
}

#[test]
fn hashes_are_read_in_both_forms() {
    let hash = [0xab; 32];
    assert_eq!(parse_sha256(&hex::encode(hash)), Some(hash));
    assert_eq!(parse_sha256(&STANDARD.encode(hash)), Some(hash));
    assert_eq!((parse_sha256(""), parse_sha256("ab"), parse_sha256(&json!(hash).to_string())), (None, None, None));
}
