//! The files of messages, as responses and webhooks contain them.

use serde::Serialize;

use super::MediaError;
use crate::{
    aws::s3::Bucket,
    domain::{
        id::MediaId,
        media::{Media, ReceivedFile, URL_LIFETIME, Upload, received_key, sent_key, unfetched_state},
        media_state::{MediaState, MessageMedia},
        message::Message,
        system::System,
        time::Timestamp,
    },
    telemetry,
};

/// Creates URLs of the bucket's objects, without requests.
#[derive(Clone, Debug)]
pub struct MediaLinks {
    /// `None` if the deployment leaves files at WhatsApp.
    bucket: Option<Bucket>,
    system: System,
}

/// A message's file: `null` where unset.
#[derive(Debug, Serialize)]
pub struct MediaResponse {
    id: MediaId,
    state: MediaState,
    mime_type: Option<String>,
    /// In bytes.
    size: Option<u64>,
    /// In hexadecimal.
    sha256: Option<String>,
    file_name: Option<String>,
    /// A presigned URL, if the file is stored.
    url: Option<String>,
    url_expires_at: Option<Timestamp>,
}

impl MediaLinks {
    /// Creates URLs of objects in `bucket`. Without one, messages have no files.
    pub fn new(bucket: Option<Bucket>, system: System) -> Self {
        Self { bucket, system }
    }

    /// Returns a message's file. `None` for a message without one.
    pub fn of(&self, message: &Message) -> Option<MediaResponse> {
        let bucket = self.bucket.as_ref()?;
        let media = match &message.media {
            Some(media) => media.clone(),
            None => unfetched(message, self.system.now())?,
        };
        let key = match message.from_me && message.source.is_none() {
            true => sent_key(message.session_id, media.id),
            false => received_key(message.session_id, message.chat_id, media.id),
        };
        let url = (media.state == MediaState::Stored).then(|| bucket.presigned_get(&key, URL_LIFETIME));
        let url = url.and_then(|url| {
            url.inspect_err(|error| tracing::error!(error = telemetry::chain(&**error), "URL not signed")).ok()
        });
        Some(self.response_with(media, url))
    }

    /// Returns a file that isn't stored yet.
    pub fn response(&self, media: &Media) -> MediaResponse {
        self.response_with(media.of_message(), None)
    }

    fn response_with(&self, media: MessageMedia, url: Option<String>) -> MediaResponse {
        let MessageMedia { id, state, mime_type, size, sha256, file_name } = media;
        let url_expires_at = url.as_ref().map(|_| self.system.now().after(URL_LIFETIME));
        MediaResponse { id, state, mime_type, size, sha256, file_name, url, url_expires_at }
    }

    /// The bucket; `None` if the deployment leaves files at WhatsApp.
    pub fn bucket(&self) -> Option<&Bucket> {
        self.bucket.as_ref()
    }

    /// Returns a URL of a stored file.
    ///
    /// # Errors
    /// [`MediaError::NotKept`] if the deployment leaves files at WhatsApp.
    pub fn url_of(&self, media: &Media) -> Result<String, MediaError> {
        let bucket = self.bucket.as_ref().ok_or(MediaError::NotKept)?;
        bucket.presigned_get(&media.key(), URL_LIFETIME).map_err(MediaError::Url)
    }

    /// Returns the URL to which an announced file is uploaded, and when it expires.
    ///
    /// # Errors
    /// [`MediaError::NotKept`] if the deployment leaves files at WhatsApp.
    pub fn upload_url(&self, media: &Media, upload: &Upload) -> Result<(String, Timestamp), MediaError> {
        let bucket = self.bucket.as_ref().ok_or(MediaError::NotKept)?;
        let url = bucket.presigned_put(&media.key(), URL_LIFETIME, upload.size, upload.mime_type);
        Ok((url.map_err(MediaError::Url)?, self.system.now().after(URL_LIFETIME)))
    }
}

/// Returns the file of a message that isn't fetched yet.
fn unfetched(message: &Message, now: Timestamp) -> Option<MessageMedia> {
    let file = ReceivedFile::of(message)?;
    Some(MessageMedia {
        id: MediaId::for_message(message.id),
        state: unfetched_state(message.received_at.unwrap_or(message.timestamp), now),
        mime_type: file.mime_type,
        size: None,
        sha256: file.sha256.map(hex::encode),
        file_name: file.file_name,
    })
}
