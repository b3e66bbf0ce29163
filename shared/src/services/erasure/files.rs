//! Erasure of files, after the items of their messages.
//!
//! - A received file without an item belonged to an erased message. The process that was storing it deletes it as well,
//!   unless it ended: the erasure's final run finds such a file.
//! - An uploaded file is erased with the only chat that it was sent in, or with its session.

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    aws::s3::{Bucket, S3Error},
    domain::{
        erasure::{Erasure, Target},
        id::MediaId,
        media::{received_prefix, sent_key, session_prefixes, upload_key},
        system::System,
        time::Timestamp,
    },
    store::{Store, StoreError},
};

/// The number of files that are deleted at once.
const PARALLEL: usize = 16;

/// The number of items that are read at once.
const BATCH: usize = 100;

/// Why files weren't erased.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileErasureError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bucket(#[from] S3Error),
}

/// One run.
pub(super) struct FileErasure<'a> {
    pub(super) store: &'a Store,
    pub(super) bucket: &'a Bucket,
    pub(super) system: System,
    /// Files that were sent later remain.
    pub(super) cutoff: Timestamp,
    pub(super) deadline: Timestamp,
}

impl FileErasure<'_> {
    /// Deletes the files of an erased chat or session. Returns whether all were processed before the deadline.
    pub(super) async fn run(&self, erasure: &Erasure) -> Result<bool, FileErasureError> {
        match erasure.target {
            Target::Chat(_) => {
                for chat_id in &erasure.chats {
                    if !self.delete_received(&received_prefix(erasure.session_id, *chat_id)).await? {
                        return Ok(false);
                    }
                    let uploads = self.store.media().sent_in(*chat_id).await?;
                    self.delete_uploads(erasure, Target::Chat(*chat_id), uploads).await?;
                }
                Ok(true)
            }
            Target::Session(session_id) => {
                let [received, uploaded, sent] = session_prefixes(session_id);
                Ok(self.delete_received(&received).await?
                    && self.delete_uploaded(erasure, &uploaded).await?
                    && self.delete_uploaded(erasure, &sent).await?)
            }
        }
    }

    /// Deletes the received files without an item.
    async fn delete_received(&self, prefix: &str) -> Result<bool, FileErasureError> {
        self.for_each_page(prefix, async |keys| self.delete_orphans(keys).await.map(drop)).await
    }

    /// Deletes the uploaded files of a session.
    async fn delete_uploaded(&self, erasure: &Erasure, prefix: &str) -> Result<bool, FileErasureError> {
        self.for_each_page(prefix, async |keys| {
            let uploads = self.delete_orphans(keys).await?;
            self.delete_uploads(erasure, erasure.target, uploads).await
        })
        .await
    }

    /// Deletes the files without an item. Returns the others.
    async fn delete_orphans(&self, keys: &[String]) -> Result<Vec<MediaId>, FileErasureError> {
        let mut others = Vec::new();
        for keys in keys.chunks(BATCH) {
            let ids: Vec<MediaId> = keys.iter().filter_map(|key| media_id(key)).collect();
            let existing = self.store.media().existing(&ids).await?;
            let is_orphan = |key: &&String| media_id(key).is_none_or(|id| !existing.contains(&id));
            let deletions = stream::iter(keys.iter().filter(is_orphan)).map(|key| self.bucket.delete(key));
            deletions.buffer_unordered(PARALLEL).try_collect::<()>().await?;
            others.extend(existing);
        }
        Ok(others)
    }

    async fn delete_uploads(
        &self,
        erasure: &Erasure,
        target: Target,
        uploads: Vec<MediaId>,
    ) -> Result<(), FileErasureError> {
        let deletions = stream::iter(uploads).map(|id| async move {
            // From here on, it can't be sent to another chat.
            if self.store.media().start_erasing(id, target, self.cutoff).await? {
                self.bucket.delete(&upload_key(erasure.session_id, id)).await?;
                self.bucket.delete(&sent_key(erasure.session_id, id)).await?;
                self.store.media().delete(id).await?;
            }
            Ok(())
        });
        deletions.buffer_unordered(PARALLEL).try_collect().await
    }

    /// Calls `delete` with the keys of the objects, up to 1,000 at a time. Returns `false` after the deadline.
    async fn for_each_page(
        &self,
        prefix: &str,
        delete: impl AsyncFn(&[String]) -> Result<(), FileErasureError>,
    ) -> Result<bool, FileErasureError> {
        let mut after = None;
        loop {
            let keys = self.bucket.list(prefix, after.as_deref()).await?;
            delete(&keys).await?;
            after = keys.into_iter().next_back();
            if after.is_none() {
                return Ok(true);
            }
            if self.system.now() > self.deadline {
                return Ok(false);
            }
        }
    }
}

/// Returns the ID at the end of a key.
fn media_id(key: &str) -> Option<MediaId> {
    key.rsplit('/').next()?.parse().ok()
}
