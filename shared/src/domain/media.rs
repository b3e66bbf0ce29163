//! Files of messages: what customers send, and what is uploaded to be sent.

mod file_type;
mod upload;

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::{
    file_type::{HEAD_BYTES, ServedAs, served_as},
    upload::{Upload, UploadError, check_upload, is_sendable_as, uploaded_as},
};
use crate::domain::{
    id::{ChatId, MediaId, SessionId},
    media_state::{MediaState, MessageMedia},
    message::{Channel, Message, MessageType, Source},
    message_key::MessageKey,
    time::Timestamp,
};

/// The largest file that WhatsApp delivers, in bytes (Meta, *Media*, supported media types).
pub const MAX_FILE_BYTES: u64 = 100 * 1024 * 1024;

/// How long WhatsApp keeps a received file (Meta, *Media*, get media ID).
pub const RECEIVED_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long the ID that WhatsApp gives an uploaded file is used. WhatsApp keeps it for 30 days (Meta, *Media*).
pub const UPLOADED_LIFETIME: Duration = Duration::from_secs(29 * 24 * 60 * 60);

/// How long one attempt to fetch a file may take. Afterwards, another process may try.
pub const FETCH_LEASE: Duration = Duration::from_secs(120);

/// How long a URL of a file is valid.
pub const URL_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// A file that WhatsApp received, as the message describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedFile {
    /// WhatsApp's ID of the file.
    pub graph_id: String,
    /// The type that the sender declared.
    pub mime_type: Option<String>,
    /// The SHA-256.
    pub sha256: Option<[u8; 32]>,
    /// The name of a document.
    pub file_name: Option<String>,
}

/// A received file to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The ID of the file.
    pub id: MediaId,
    /// The session of the chat.
    pub session_id: SessionId,
    /// The message.
    pub message: MessageKey,
    /// The business number that received it.
    pub phone_number_id: String,
    /// The file, as the message describes it.
    pub file: ReceivedFile,
    /// When it was first due.
    pub requested_at: Timestamp,
    /// The attempts before this one.
    pub tries: u32,
}

/// A file, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// The ID.
    pub id: MediaId,
    /// The session.
    pub session_id: SessionId,
    /// The chat of a received file. An uploaded file has none until it is sent, and none again once it was sent to several
    /// chats.
    pub chat_id: Option<ChatId>,
    /// Whether it was received.
    pub is_received: bool,
    /// The state.
    pub state: MediaState,
    /// The type with which the bucket serves it, or the declared one.
    pub mime_type: Option<String>,
    /// The size in bytes, or the announced one.
    pub size: Option<u64>,
    /// The SHA-256 of a received file, in hexadecimal.
    pub sha256: Option<String>,
    /// The name of a document.
    pub file_name: Option<String>,
    /// The ID that WhatsApp gave an uploaded file.
    pub whatsapp_upload: Option<WhatsAppUpload>,
    /// When it expires. `None` without a retention period.
    pub expires_at: Option<Timestamp>,
}

/// A file that was uploaded to WhatsApp to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatsAppUpload {
    /// WhatsApp's ID.
    pub graph_id: String,
    /// The number that can send it.
    pub phone_number_id: String,
    /// Until when it is used.
    pub expires_at: Timestamp,
}

impl Media {
    /// Returns the key of the object in the bucket.
    pub fn key(&self) -> String {
        match (self.is_received, self.chat_id, self.state) {
            (true, Some(chat_id), _) => received_key(self.session_id, chat_id, self.id),
            (_, _, MediaState::AwaitingUpload) => upload_key(self.session_id, self.id),
            _ => sent_key(self.session_id, self.id),
        }
    }

    /// Returns the only chat of an uploaded file once it is sent to `chat_id`; `None` if there are several.
    pub fn only_chat_after(&self, chat_id: ChatId) -> Option<ChatId> {
        match self.state {
            MediaState::AwaitingUpload => Some(chat_id),
            _ => self.chat_id.filter(|only| *only == chat_id),
        }
    }

    /// Returns how the bucket serves an uploaded file. Types that a browser could run can't be uploaded.
    pub fn served(&self) -> ServedAs {
        served_as(&[], self.mime_type.as_deref())
    }

    /// Returns the file as its message stores it.
    pub fn of_message(&self) -> MessageMedia {
        MessageMedia {
            id: self.id,
            state: self.state,
            mime_type: self.mime_type.clone(),
            size: self.size,
            sha256: self.sha256.clone(),
            file_name: self.file_name.clone(),
        }
    }

    /// Returns WhatsApp's ID of the file for sends of a number, if it can still be used.
    pub fn graph_id(&self, phone_number_id: &str, now: Timestamp) -> Option<&str> {
        let upload = self.whatsapp_upload.as_ref()?;
        (upload.phone_number_id == phone_number_id && upload.expires_at > now).then_some(upload.graph_id.as_str())
    }
}

impl ReceivedFile {
    /// Returns the file that WhatsApp has of a message. `None` for a message without a file, one that was sent through the
    /// API, one that was imported, and one of a linked-device worker, whose files WhatsApp's servers can't read.
    pub fn of(message: &Message) -> Option<Self> {
        let is_received =
            (!message.from_me && message.source != Some(Source::History)) || message.source == Some(Source::Echo);
        if !is_received || message.channel != Channel::CloudApi {
            return None;
        }
        let content: Value = serde_json::from_str(message.content.as_deref()?).ok()?;
        let object = &content[type_name(message.kind)?];
        let text = |name: &str| object[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let graph_id = text("id")?;
        let sha256 = text("sha256").and_then(|hash| parse_sha256(&hash));
        Some(Self { graph_id, mime_type: text("mime_type"), sha256, file_name: text("filename") })
    }
}

impl Fetch {
    /// Returns the file to fetch of a new message; `None` if WhatsApp has none.
    pub fn of(message: &Message, now: Timestamp) -> Option<Self> {
        Some(Self {
            id: MediaId::for_message(message.id),
            session_id: message.session_id,
            message: message.key(),
            phone_number_id: message.phone_number_id.clone(),
            file: ReceivedFile::of(message)?,
            requested_at: now,
            tries: 0,
        })
    }
}

/// Returns whether messages of a type have a file.
pub fn has_file(kind: MessageType) -> bool {
    type_name(kind).is_some()
}

/// Returns the member of a message's content that describes its file.
fn type_name(kind: MessageType) -> Option<&'static str> {
    match kind {
        MessageType::Image => Some("image"),
        MessageType::Video => Some("video"),
        MessageType::Audio => Some("audio"),
        MessageType::Document => Some("document"),
        MessageType::Sticker => Some("sticker"),
        _ => None,
    }
}

/// Reads a SHA-256 in Base64, as webhooks have it, or in hexadecimal, as the Graph API has it.
pub fn parse_sha256(text: &str) -> Option<[u8; 32]> {
    let bytes = if text.len() == 64 { hex::decode(text).ok()? } else { STANDARD.decode(text).ok()? };
    bytes.try_into().ok()
}

/// Returns the delay after the attempt with this number, from 1, to fetch a file: 5 seconds, 1, 5, and 30 minutes, 2 and 8
/// hours, and then 12 hours. `None` if WhatsApp no longer has the file by then.
pub fn retry_delay(tries: u32, requested_at: Timestamp, now: Timestamp) -> Option<Duration> {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    let seconds = match tries {
        0 | 1 => 5,
        2 => MINUTE,
        3 => 5 * MINUTE,
        4 => 30 * MINUTE,
        5 => 2 * HOUR,
        6 => 8 * HOUR,
        _ => 12 * HOUR,
    };
    let delay = Duration::from_secs(seconds);
    (now.after(delay) < requested_at.after(RECEIVED_LIFETIME)).then_some(delay)
}

/// Returns the state of a received file that has no final one. If WhatsApp no longer has it, it was never requested, because
/// the deployment left files at WhatsApp when it arrived.
pub fn unfetched_state(received_at: Timestamp, now: Timestamp) -> MediaState {
    if now < received_at.after(RECEIVED_LIFETIME) { MediaState::Pending } else { MediaState::Gone }
}

/// Returns the prefix of the keys of a chat's received files.
pub fn received_prefix(session_id: SessionId, chat_id: ChatId) -> String {
    format!("in/{session_id}/{chat_id}/")
}

/// Returns the key of a received file.
pub fn received_key(session_id: SessionId, chat_id: ChatId, id: MediaId) -> String {
    format!("{}{id}", received_prefix(session_id, chat_id))
}

/// Returns the key of an uploaded file that hasn't been sent. The bucket deletes it after two days.
pub fn upload_key(session_id: SessionId, id: MediaId) -> String {
    format!("up/{session_id}/{id}")
}

/// Returns the key of an uploaded file that has been sent.
pub fn sent_key(session_id: SessionId, id: MediaId) -> String {
    format!("out/{session_id}/{id}")
}

/// Returns the prefixes of the keys of a session's files.
pub fn session_prefixes(session_id: SessionId) -> [String; 3] {
    ["in", "up", "out"].map(|folder| format!("{folder}/{session_id}/"))
}

#[cfg(test)]
mod tests;
