//! Files of messages to send. Each one is uploaded to WhatsApp before the claim of its message, because an upload can
//! outlast a claim, and WhatsApp's ID of it serves later messages as well.

use std::{sync::Arc, time::Duration};

use tokio::sync::{Mutex, MutexGuard};

use super::{DeliveryError, Dispatcher};
use crate::{
    aws::s3::{Bucket, S3Error},
    domain::{
        id::MediaId, media::Media, media_state::MediaState, message::Message, system::System, time::Timestamp,
        whatsapp_error::ErrorClass,
    },
    services::credentials::{AccessToken, Credentials, Replacement},
    store::Store,
    telemetry,
    whatsapp::{Download, MediaClient, SendError},
};

/// The maximum time of an upload.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The number of locks. Files with the same lock are uploaded one after the other.
const LOCKS: usize = 16;

/// Uploads files to WhatsApp.
#[derive(Clone, Debug)]
pub struct FileUploader {
    store: Store,
    bucket: Bucket,
    client: MediaClient,
    credentials: Credentials,
    system: System,
    /// Concurrent messages of this process with the same file upload it once.
    locks: Arc<[Mutex<()>; LOCKS]>,
}

/// WhatsApp's ID of a message's file, `None` for a message without an uploaded one, or why WhatsApp doesn't have it.
pub(super) type UploadedFile = Result<Option<String>, SendError>;

impl Dispatcher {
    /// Returns WhatsApp's ID of the message's file. Uploads the file if WhatsApp doesn't have it.
    pub(super) async fn uploaded_file(&self, message: &Message) -> Result<UploadedFile, DeliveryError> {
        match (&message.media, &self.files) {
            (None, _) => Ok(Ok(None)),
            (Some(media), Some(files)) => {
                let graph_id = files.graph_id(media.id, &message.phone_number_id, self.last_start()).await?;
                Ok(graph_id.map(Some))
            }
            (Some(_), None) => {
                let error = "This deployment doesn't keep files anymore: set its parameter Media to Store";
                Ok(Err(SendError::new(ErrorClass::Refused, error)))
            }
        }
    }
}

impl FileUploader {
    /// Creates an uploader.
    pub fn new(store: Store, bucket: Bucket, client: MediaClient, credentials: Credentials, system: System) -> Self {
        Self { store, bucket, client, credentials, system, locks: Arc::default() }
    }

    /// Returns WhatsApp's ID of a file for sends of a number. Uploads the file if it has none, until `deadline`.
    async fn graph_id(
        &self,
        id: MediaId,
        number: &str,
        deadline: Timestamp,
    ) -> Result<Result<String, SendError>, DeliveryError> {
        let mut guard: Option<MutexGuard<'_, ()>> = None;
        let media = loop {
            let media = self.store.media().get(id).await?.filter(|media| media.state == MediaState::Stored);
            let Some(media) = media else { return Ok(Err(gone())) };
            if let Some(graph_id) = media.graph_id(number, self.system.now()) {
                return Ok(Ok(graph_id.to_owned()));
            }
            if guard.is_some() {
                break media;
            }
            guard = Some(self.locks[usize::from(id.to_uuid().as_bytes()[15]) % LOCKS].lock().await);
        };
        let token = self.credentials.access_token(number).await?;
        let mut uploaded = self.upload(&media, number, &token, deadline).await;
        if let Err(error) = &uploaded
            && error.is_token_refused
        {
            match self.credentials.replacement(number, &token).await {
                Replacement::Token(newer) => uploaded = self.upload(&media, number, &newer, deadline).await,
                Replacement::NotYet => uploaded = Err(SendError { class: ErrorClass::NotSent, ..error.clone() }),
                Replacement::None => {}
            }
        }
        if let Ok(graph_id) = &uploaded {
            self.store.media().set_whatsapp_upload(id, graph_id, number).await?;
            tracing::info!(media_id = %id, size = media.size, "file uploaded to WhatsApp");
        }
        Ok(uploaded)
    }

    /// Streams a file from the bucket to WhatsApp.
    async fn upload(
        &self,
        media: &Media,
        number: &str,
        token: &AccessToken,
        deadline: Timestamp,
    ) -> Result<String, SendError> {
        let (content, size) = self.bucket.get(&media.key()).await.map_err(|error| match error {
            S3Error::NotFound => gone(),
            error => {
                tracing::warn!(media_id = %media.id, error = telemetry::chain(&error), "file not read");
                SendError::new(ErrorClass::NotSent, "The file could not be read")
            }
        })?;
        let timeout = deadline.since(self.system.now()).min(TIMEOUT);
        let mime_type = media.mime_type.as_deref().unwrap_or("application/octet-stream");
        let boundary = self.system.random_uuid();
        self.client.upload(number, token.as_str(), mime_type, Download { content, size }, boundary, timeout).await
    }
}

fn gone() -> SendError {
    SendError::new(ErrorClass::Refused, "The file no longer exists: upload it again")
}
