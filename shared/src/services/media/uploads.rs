//! Uploads of files to send. Clients upload to the bucket, not to this API.

use serde::Serialize;

use super::{MediaLinks, MediaResponse};
use crate::{
    aws::{
        CallError,
        s3::{NewObject, S3Error},
    },
    domain::{
        id::{ChatId, MediaId, SessionId},
        media::{Media, Upload, is_sendable_as, sent_key},
        media_state::MediaState,
        message::MessageType,
        system::System,
        time::Timestamp,
    },
    store::{Store, StoreError},
};

/// Attempts to send a file while other sends of it change its item.
const ROUNDS: u32 = 10;

/// A caller's valid request to upload a file.
#[derive(Debug)]
pub struct NewUpload {
    pub(crate) session_id: SessionId,
    pub(crate) upload: Upload,
    pub(crate) file_name: Option<String>,
}

/// The request that uploads a file.
#[derive(Debug, Serialize)]
pub struct UploadRequest {
    method: &'static str,
    url: String,
    headers: UploadHeaders,
    expires_at: Timestamp,
}

#[derive(Debug, Serialize)]
struct UploadHeaders {
    #[serde(rename = "content-type")]
    content_type: &'static str,
}

/// A file can't be uploaded, sent, or read.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// There is no such session.
    #[error("Session not found")]
    SessionNotFound,
    /// The deployment leaves files at WhatsApp.
    #[error("This deployment doesn't keep files: set its parameter Media to Store, or send the link of a file")]
    NotKept,
    /// There is no such file in the session, or it can't be sent.
    #[error("{0} is not the ID of an uploaded file of this session: upload it with POST /api/media")]
    NotFound(String),
    /// Nothing was uploaded.
    #[error("The file of {0} isn't uploaded: send it to the upload URL that POST /api/media returned")]
    NotUploaded(String),
    /// WhatsApp doesn't deliver this type of file in this type of message.
    #[error(
        "{field} is a file of type {mime_type}, which WhatsApp doesn't deliver there: send it as a document, or another file"
    )]
    OtherType {
        /// The path in the request.
        field: String,
        /// The type of the file.
        mime_type: String,
    },
    /// The file isn't in the bucket.
    #[error("The file is not stored: its state is {}", .0.as_str())]
    NotStored(MediaState),
    /// The table didn't respond.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bucket didn't respond.
    #[error(transparent)]
    Bucket(#[from] S3Error),
    /// A URL could not be signed.
    #[error("a URL could not be signed")]
    Url(#[source] CallError),
}

/// Stores an announced upload. Returns the file, and the request that uploads it.
///
/// # Errors
/// See [`MediaError`].
pub async fn announce(
    store: &Store,
    links: &MediaLinks,
    system: System,
    new: NewUpload,
) -> Result<(MediaResponse, UploadRequest), MediaError> {
    links.bucket().ok_or(MediaError::NotKept)?;
    // An erasure that starts now leaves the item, which expires after two days.
    store.sessions().get(new.session_id).await?.ok_or(MediaError::SessionNotFound)?;
    let id = MediaId::from_uuid(system.ordered_uuid());
    let media = store.media().announce(id, new.session_id, &new.upload, new.file_name).await?;
    let (url, expires_at) = links.upload_url(&media, &new.upload)?;
    let headers = UploadHeaders { content_type: new.upload.mime_type };
    Ok((links.response(&media), UploadRequest { method: "PUT", url, headers, expires_at }))
}

/// Returns a new URL of a stored file.
///
/// # Errors
/// See [`MediaError`].
pub fn location(links: &MediaLinks, media: &Media) -> Result<String, MediaError> {
    match media.state {
        MediaState::Stored => links.url_of(media),
        state => Err(MediaError::NotStored(state)),
    }
}

/// Marks a file as sent in a chat, and keeps it as long as the messages that it is sent in. `field` is its path in the
/// request. The content of an upload is copied, so that a second upload doesn't change what is sent.
///
/// # Errors
/// See [`MediaError`].
pub async fn attach(
    store: &Store,
    links: &MediaLinks,
    (session_id, chat_id): (SessionId, ChatId),
    (id, kind): (MediaId, MessageType),
    field: &str,
) -> Result<Media, MediaError> {
    let not_found = || MediaError::NotFound(field.to_owned());
    let bucket = links.bucket().ok_or(MediaError::NotKept)?;
    for round in 0..ROUNDS {
        if round > 0 {
            store.pause(round).await;
        }
        let media = store.media().get(id).await?;
        let media = media.filter(|media| media.session_id == session_id && !media.is_received).ok_or_else(not_found)?;
        let mime_type = media.mime_type.clone().unwrap_or_default();
        if !is_sendable_as(&mime_type, kind) {
            return Err(MediaError::OtherType { field: field.to_owned(), mime_type });
        }
        let is_new = match media.state {
            MediaState::AwaitingUpload => true,
            MediaState::Stored => false,
            _ => return Err(not_found()),
        };
        if is_new || store.media().expires_early(&media) {
            let served = media.served();
            let to = NewObject {
                key: &sent_key(session_id, id),
                content_type: &served.content_type,
                content_disposition: &served.disposition(media.file_name.as_deref()),
            };
            match bucket.copy(&media.key(), to).await {
                Ok(()) => {}
                Err(S3Error::NotFound) if is_new => return Err(MediaError::NotUploaded(field.to_owned())),
                Err(S3Error::NotFound) => return Err(not_found()),
                Err(error) => return Err(error.into()),
            }
        }
        if store.media().sent(&media, chat_id).await? {
            return Ok(Media { state: MediaState::Stored, ..media });
        }
    }
    Err(StoreError::Contention { operation: "sending a file" }.into())
}
