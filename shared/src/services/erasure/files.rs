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
        id::{MediaId, SessionId},
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
                    if !self.delete_below(&received_prefix(erasure.session_id, *chat_id), None).await? {
                        return Ok(false);
                    }
                    let uploads = self.store.media().sent_in(*chat_id).await?;
                    self.delete_uploads(erasure.session_id, Target::Chat(*chat_id), uploads).await?;
                }
                Ok(true)
            }
            Target::Session(session_id) => {
                let [received, uploaded, sent] = session_prefixes(session_id);
                Ok(self.delete_below(&received, None).await?
                    && self.delete_below(&uploaded, Some(session_id)).await?
                    && self.delete_below(&sent, Some(session_id)).await?)
            }
        }
    }

    /// Deletes the files below `prefix` that have no item, and all if they are uploads of a session. Returns `false` after
    /// the deadline.
    async fn delete_below(&self, prefix: &str, uploads: Option<SessionId>) -> Result<bool, FileErasureError> {
        let mut after = None;
        loop {
            let keys = self.bucket.list(prefix, after.as_deref()).await?;
            for keys in keys.chunks(BATCH) {
                let existing = self.delete_orphans(keys).await?;
                if let Some(session_id) = uploads {
                    self.delete_uploads(session_id, Target::Session(session_id), existing).await?;
                }
            }
            after = keys.into_iter().next_back();
            if after.is_none() {
                return Ok(true);
            }
            if self.system.now() > self.deadline {
                return Ok(false);
            }
        }
    }

    /// Deletes the files without an item. Returns the others.
    async fn delete_orphans(&self, keys: &[String]) -> Result<Vec<MediaId>, FileErasureError> {
        let ids: Vec<MediaId> = keys.iter().filter_map(|key| media_id(key)).collect();
        let existing = self.store.media().existing(&ids).await?;
        let is_orphan = |key: &&String| media_id(key).is_none_or(|id| !existing.contains(&id));
        let orphans: Vec<String> = keys.iter().filter(is_orphan).cloned().collect();
        let deletions = stream::iter(orphans).map(|key| async move { self.bucket.delete(&key).await });
        deletions.buffer_unordered(PARALLEL).try_collect::<()>().await?;
        Ok(existing.into_iter().collect())
    }

    async fn delete_uploads(
        &self,
        session_id: SessionId,
        target: Target,
        uploads: Vec<MediaId>,
    ) -> Result<(), FileErasureError> {
        let deletions = stream::iter(uploads).map(|id| async move {
            // From here on, it can't be sent to another chat.
            if self.store.media().start_erasing(id, target, self.cutoff).await? {
                self.bucket.delete(&upload_key(session_id, id)).await?;
                self.bucket.delete(&sent_key(session_id, id)).await?;
                self.store.media().delete(id).await?;
            }
            Ok(())
        });
        deletions.buffer_unordered(PARALLEL).try_collect().await
    }
}

/// Returns the ID at the end of a key.
fn media_id(key: &str) -> Option<MediaId> {
    key.rsplit('/').next()?.parse().ok()
}
