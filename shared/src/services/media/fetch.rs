//! Fetches the files that customers send, while WhatsApp still has them, and stores them in the bucket.
//!
//! A file passes through this process in one stream from WhatsApp to S3. The message was stored before, and is shown from
//! the first moment: nothing waits for its file.

use std::time::Duration;

use aws_smithy_types::body::SdkBody;
use futures_util::{StreamExt, stream};

use crate::{
    aws::s3::{Bucket, NewObject, S3Error, with_head},
    domain::{
        change::{ChangeType, NewChange, Subject},
        id::{ChangeId, MediaId},
        media::{FETCH_LEASE, Fetch, HEAD_BYTES, MAX_FILE_BYTES, received_key, retry_delay, served_as},
        media_state::{MediaEvent, MediaState, MessageMedia},
        system::System,
        time::Timestamp,
        whatsapp_error::ReadError,
    },
    services::{
        credentials::{AccessToken, Credentials, CredentialsError, Replacement},
        function_invoker::{FetchEvent, FunctionInvoker, NotifyEvent},
    },
    store::{Store, StoreError},
    telemetry::{self, Metric, Metrics},
    whatsapp::{DownloadError, GraphReader, MediaClient, MediaLocation},
};

/// Files that an invocation fetches at once.
const PARALLEL: usize = 4;

/// The number of due files that an invocation reads.
const MAX_DUE: i32 = 100;

/// The end of an invocation, in which it starts with no more files.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(20);

/// The end of a lease, and of an invocation, in which no file is transferred.
const SETTLE_MARGIN: Duration = Duration::from_secs(5);

/// Fetches files.
#[derive(Clone, Debug)]
pub struct Fetcher {
    store: Store,
    bucket: Bucket,
    reader: GraphReader,
    client: MediaClient,
    credentials: Credentials,
    notify: FunctionInvoker,
    system: System,
    metrics: Metrics,
}

/// Why a file wasn't fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("WhatsApp has no such file")]
    Gone,
    #[error("the file has {0} bytes")]
    TooLarge(u64),
    #[error("WhatsApp didn't return the URL of the file: {0}")]
    Graph(String),
    #[error(transparent)]
    Download(#[from] DownloadError),
    #[error("the file's SHA-256 differs from WhatsApp's")]
    Hash,
    #[error("the time ended before the file was stored")]
    TimedOut,
    #[error(transparent)]
    S3(#[from] S3Error),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

impl From<ReadError> for FetchError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Refused(refusal) => Self::Graph(refusal.error),
            ReadError::NoResponse(error) => Self::Graph(error),
        }
    }
}

impl Fetcher {
    /// Creates a fetcher.
    pub fn new(
        store: Store,
        bucket: Bucket,
        (reader, client): (GraphReader, MediaClient),
        credentials: Credentials,
        notify: FunctionInvoker,
        system: System,
    ) -> Self {
        Self { store, bucket, reader, client, credentials, notify, system, metrics: Metrics::default() }
    }

    /// Opens the connections and reads the access token before the first event arrives.
    pub async fn warm_up(&self) {
        tokio::join!(self.credentials.warm_up(), self.store.warm_up());
    }

    /// Fetches the files of an event until `deadline`, in milliseconds since 1970. Those that are left stay due.
    ///
    /// # Errors
    /// If the table doesn't respond.
    pub async fn run(&self, event: FetchEvent, deadline: u64) -> Result<(), StoreError> {
        let ids = match event {
            FetchEvent::New { media } => media,
            FetchEvent::Due { .. } => self.store.media().due(MAX_DUE).await?,
        };
        let deadline = i64::try_from(deadline).ok().and_then(Timestamp::from_milliseconds);
        let deadline = deadline.unwrap_or(Timestamp::MAX);
        let last_start = deadline.before(SHUTDOWN_MARGIN);
        let fetches = stream::iter(ids).map(|id| async move {
            if self.system.now() > last_start {
                return Ok(());
            }
            self.fetch(id, deadline.before(SETTLE_MARGIN)).await
        });
        let outcomes: Vec<_> = fetches.buffer_unordered(PARALLEL).collect().await;
        self.metrics.write(self.system.now());
        outcomes.into_iter().collect()
    }

    /// Fetches a file until `end`, unless another process does.
    async fn fetch(&self, id: MediaId, end: Timestamp) -> Result<(), StoreError> {
        let lease = self.system.random_uuid();
        let Some(fetch) = self.store.media().lease(id, lease).await? else { return Ok(()) };
        // An earlier attempt can have ended after it had shown the file.
        if fetch.tries > 1
            && let Some((message, _)) = self.store.messages().get(&fetch.message).await?
            && let Some(media) = message.media
        {
            return self.finish(&fetch, &media).await;
        }
        let started = self.system.now();
        // A process that no longer has the lease must not store the file: an erasure could have passed.
        let time = FETCH_LEASE.saturating_sub(SETTLE_MARGIN).min(end.since(started));
        let stored = tokio::time::timeout(time, self.store_file(&fetch)).await.unwrap_or(Err(FetchError::TimedOut));
        let duration_ms = self.system.now().since(started).as_millis();
        let base = MessageMedia {
            id,
            state: MediaState::Pending,
            mime_type: fetch.file.mime_type.clone(),
            size: None,
            sha256: fetch.file.sha256.map(hex::encode),
            file_name: fetch.file.file_name.clone(),
        };
        let (event, media) = match stored {
            Ok(media) => {
                tracing::info!(media_id = %id, size = media.size, tries = fetch.tries, duration_ms, "file stored");
                self.metrics.add(Metric::FilesStored, 1);
                (MediaEvent::Stored, media)
            }
            Err(FetchError::Gone) => (MediaEvent::Gone, base),
            Err(FetchError::TooLarge(size)) => (MediaEvent::TooLarge, MessageMedia { size: Some(size), ..base }),
            Err(error) => {
                let now = self.system.now();
                self.metrics.add(Metric::FileAttemptsFailed, 1);
                match retry_delay(fetch.tries, fetch.requested_at, now) {
                    Some(delay) => {
                        tracing::warn!(
                            media_id = %id, tries = fetch.tries, error = telemetry::chain(&error), "file not fetched"
                        );
                        return self.store.media().retry_at(id, lease, now.after(delay)).await;
                    }
                    None => {
                        tracing::error!(media_id = %id, error = telemetry::chain(&error), "file lost");
                        self.metrics.add(Metric::FilesLost, 1);
                        (MediaEvent::GivenUp, base)
                    }
                }
            }
        };
        self.settle(&fetch, event, media).await
    }

    /// Shows the final state in the message, and finishes. If the message was erased, so is the file.
    async fn settle(&self, fetch: &Fetch, event: MediaEvent, media: MessageMedia) -> Result<(), StoreError> {
        let Some(state) = MediaState::Pending.on(event) else { return Ok(()) };
        let media = MessageMedia { state, ..media };
        if self.store.media().show(fetch, &media).await? {
            return self.finish(fetch, &media).await;
        }
        let key = received_key(fetch.session_id, fetch.message.chat_id, fetch.id);
        if let Err(error) = self.bucket.delete(&key).await {
            // The file stays due, so that the next attempt deletes it.
            tracing::warn!(media_id = %fetch.id, error = telemetry::chain(&error), "file of an erased message not deleted");
            return Ok(());
        }
        self.store.media().delete(fetch.id).await
    }

    /// Reports the final state, and then ends the work. Can be repeated: the change has the same ID.
    async fn finish(&self, fetch: &Fetch, media: &MessageMedia) -> Result<(), StoreError> {
        let appended = self.store.changes().append(fetch.session_id, &[change(fetch, self.system.now())]).await?;
        if appended.has_webhooks {
            self.notify.invoke(&NotifyEvent::Sessions { sessions: vec![fetch.session_id] }).await;
        }
        self.store.media().settle(fetch.id, media).await
    }

    /// Streams a file from WhatsApp into the bucket.
    async fn store_file(&self, fetch: &Fetch) -> Result<MessageMedia, FetchError> {
        let number = fetch.phone_number_id.as_str();
        let token = self.credentials.access_token(number).await?;
        let (location, token) = match self.reader.media(&fetch.file.graph_id, number, token.as_str()).await {
            Ok(location) => (location, token),
            Err(error) if error.is_token_refused() => self.locate_again(fetch, token, error).await?,
            Err(error) => return Err(error.into()),
        };
        if let Some(size) = location.size.filter(|size| *size > MAX_FILE_BYTES) {
            return Err(FetchError::TooLarge(size));
        }
        let download = self.client.download(&location.url, token.as_str()).await?;
        if download.size > MAX_FILE_BYTES {
            return Err(FetchError::TooLarge(download.size));
        }
        let (head, content): (Vec<u8>, SdkBody) = with_head(download.content, HEAD_BYTES).await?;
        let served = served_as(&head, fetch.file.mime_type.as_deref());
        let object = NewObject {
            key: &received_key(fetch.session_id, fetch.message.chat_id, fetch.id),
            content_type: &served.content_type,
            content_disposition: &served.disposition(fetch.file.file_name.as_deref()),
        };
        let digest = self.bucket.put(object, download.size, content).await?;
        // The webhook's hash was signed. The Graph API's is of the file that it serves now.
        let expected = fetch.file.sha256.or(location.sha256);
        if expected.is_some_and(|expected| expected != digest) {
            self.bucket.delete(object.key).await?;
            return Err(FetchError::Hash);
        }
        Ok(MessageMedia {
            id: fetch.id,
            state: MediaState::Stored,
            mime_type: Some(served.content_type),
            size: Some(download.size),
            sha256: Some(hex::encode(digest)),
            file_name: fetch.file.file_name.clone(),
        })
    }

    /// Asks again with a newer token, if there is one. WhatsApp's error for a file that it doesn't have is the same as the one
    /// for a token without access, so the access to the number tells the two apart.
    async fn locate_again(
        &self,
        fetch: &Fetch,
        mut token: AccessToken,
        mut refusal: ReadError,
    ) -> Result<(MediaLocation, AccessToken), FetchError> {
        let number = fetch.phone_number_id.as_str();
        if let Replacement::Token(newer) = self.credentials.replacement(number, &token).await {
            match self.reader.media(&fetch.file.graph_id, number, newer.as_str()).await {
                Ok(location) => return Ok((location, newer)),
                Err(error) if error.is_token_refused() => (token, refusal) = (newer, error),
                Err(error) => return Err(error.into()),
            }
        }
        if self.reader.has_access(number, token.as_str()).await? { Err(FetchError::Gone) } else { Err(refusal.into()) }
    }
}

/// Returns the change that reports the final state of a file.
fn change(fetch: &Fetch, at: Timestamp) -> NewChange {
    let kind = ChangeType::MessageMedia;
    NewChange {
        id: ChangeId::for_message(fetch.message.message_id, kind.as_str()),
        kind,
        at,
        chat_id: Some(fetch.message.chat_id),
        subject: Subject::Message { key: fetch.message.to_string(), source: None },
    }
}
