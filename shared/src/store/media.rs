//! Files of messages: those to fetch from WhatsApp, and uploads. The key of a received file is derived from its message, so
//! that it is fetched once.

use std::{collections::HashSet, time::Duration};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    MediaFiles, StoreError,
    item::{self, Item, string},
    keys::{Key, MEDIA_DUE},
    update::{Condition, UpdateBuilder, WriteOutcome},
};
use crate::domain::{
    erasure::Target,
    id::{ChatId, MediaId, SessionId},
    media::{FETCH_LEASE, Fetch, Media, ReceivedFile, UPLOADED_LIFETIME, Upload, WhatsAppUpload, parse_sha256},
    media_state::{MediaEvent, MediaState, MessageMedia},
    message_key::MessageKey,
    time::Timestamp,
};

const MEDIA: &str = "media";

/// How long the item of an upload that isn't sent is kept. The bucket deletes the upload after the same time.
const UPLOAD_LIFETIME: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// How often a file that is sent again and again gets a later expiration.
const REFRESH_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a new file waits for the invocation that fetches it, before the due poller starts another one.
const FIRST_DUE: Duration = Duration::from_secs(60);

/// A file's item.
#[derive(Serialize, Deserialize)]
struct MediaRow {
    session_id: SessionId,
    state: MediaState,
    /// The message of a received file.
    #[serde(default)]
    message_pk: Option<String>,
    #[serde(default)]
    message_sk: Option<String>,
    /// The number that received it.
    #[serde(default)]
    phone_number_id: Option<String>,
    /// WhatsApp's ID of a received file.
    #[serde(default)]
    graph_id: Option<String>,
    /// The chat of an uploaded file that was sent to one chat. The `by_id` index finds the files of a chat by it.
    #[serde(default)]
    id: Option<ChatId>,
    #[serde(default)]
    mime_type: Option<String>,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    sha256: Option<String>,
    #[serde(default)]
    file_name: Option<String>,
    #[serde(default)]
    whatsapp_upload: Option<WhatsAppUpload>,
    /// In seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    created_at: Timestamp,
    #[serde(default)]
    tries: u32,
}

impl MediaFiles<'_> {
    /// Stores that a received file is to be fetched, unless that is stored already. Returns whether it is new.
    pub async fn request(self, fetch: &Fetch) -> Result<bool, StoreError> {
        let Fetch { id, session_id, message, phone_number_id, file, requested_at, tries } = fetch.clone();
        let message = Key::message(&message);
        let row = MediaRow {
            session_id,
            state: MediaState::Pending,
            message_pk: Some(message.pk),
            message_sk: Some(message.sk),
            phone_number_id: Some(phone_number_id),
            graph_id: Some(file.graph_id),
            id: None,
            mime_type: file.mime_type,
            size: None,
            sha256: file.sha256.map(hex::encode),
            file_name: file.file_name,
            whatsapp_upload: None,
            expires_at: None,
            created_at: requested_at,
            tries,
        };
        let mut item = item::write(MEDIA, &Key::media(id), &row)?;
        item.insert("due_key".to_owned(), string(MEDIA_DUE));
        item.insert("due_at".to_owned(), string(requested_at.after(FIRST_DUE).to_string()));
        item.extend(self.0.expires_at(fetch.message.time).map(|at| ("expires_at".to_owned(), at)));
        let outcome = self.0.put_if("requesting a file", item, "attribute_not_exists(pk)").await?;
        Ok(matches!(outcome, WriteOutcome::Written { .. }))
    }

    /// Returns the received files that are due, the first due one first.
    pub async fn due(self, limit: i32) -> Result<Vec<MediaId>, StoreError> {
        let keys = self.0.due_keys("reading files to fetch", MEDIA_DUE, limit).await?;
        Ok(keys.iter().filter_map(Key::media_id).collect())
    }

    /// Acquires the lease on a file to fetch, which is due again when the lease ends. `None` if another process fetches it,
    /// its state is final, or it was erased.
    pub async fn lease(self, id: MediaId, lease: Uuid) -> Result<Option<Fetch>, StoreError> {
        let now = self.0.system.now();
        let until = now.after(FETCH_LEASE);
        let update = UpdateBuilder::new(&Key::media(id))
            .set("lease", lease)
            .set("lease_until", until)
            .set("due_at", until)
            .add("tries", 1)
            .condition(("#state = ?", MediaState::Pending))
            .condition(("attribute_not_exists(lease_until) OR lease_until < ?", now))
            .returning_new();
        match self.0.update("leasing a file", update).await? {
            WriteOutcome::Written { item: Some(item) } => fetch(id, item).map(Some),
            WriteOutcome::Written { item: None } | WriteOutcome::Refused { .. } => Ok(None),
        }
    }

    /// Ends the lease, and makes the file due at a later time.
    pub async fn retry_at(self, id: MediaId, lease: Uuid, due_at: Timestamp) -> Result<(), StoreError> {
        let update = UpdateBuilder::new(&Key::media(id))
            .set("due_at", due_at)
            .remove(["lease", "lease_until"])
            .condition(("lease = ?", lease));
        self.0.update_if("deferring a file", update).await.map(drop)
    }

    /// Writes the final state of a received file into its message. Returns `false` if the message no longer exists.
    pub async fn show(self, fetch: &Fetch, media: &MessageMedia) -> Result<bool, StoreError> {
        let update = UpdateBuilder::new(&Key::message(&fetch.message))
            .set(MEDIA, item::value(media)?)
            .condition("attribute_exists(pk)");
        self.0.update_if("showing a file", update).await
    }

    /// Writes the final state of a received file, which isn't due again.
    pub async fn settle(self, id: MediaId, media: &MessageMedia) -> Result<(), StoreError> {
        let update = UpdateBuilder::new(&Key::media(id))
            .set("state", media.state)
            .set("mime_type", media.mime_type.clone())
            .set("size", media.size)
            .set("sha256", media.sha256.clone())
            .remove(["lease", "lease_until", "due_key", "due_at"])
            .condition(("#state = ?", MediaState::Pending));
        self.0.update_if("settling a file", update).await.map(drop)
    }

    /// Deletes a file's item.
    pub async fn delete(self, id: MediaId) -> Result<(), StoreError> {
        self.0.delete_if("deleting a file", &Key::media(id), "attribute_exists(pk)").await.map(drop)
    }

    /// Returns a file.
    pub async fn get(self, id: MediaId) -> Result<Option<Media>, StoreError> {
        let item = self.0.get("reading a file", &Key::media(id)).await?;
        item.map(|item| media(id, item)).transpose()
    }

    /// Stores an announced upload. Returns it.
    pub async fn announce(
        self,
        id: MediaId,
        session_id: SessionId,
        upload: &Upload,
        file_name: Option<String>,
    ) -> Result<Media, StoreError> {
        let now = self.0.system.now();
        let row = MediaRow {
            session_id,
            state: MediaState::AwaitingUpload,
            message_pk: None,
            message_sk: None,
            phone_number_id: None,
            graph_id: None,
            id: None,
            mime_type: Some(upload.mime_type.to_owned()),
            size: Some(upload.size),
            sha256: None,
            file_name,
            whatsapp_upload: None,
            expires_at: Some(now.after(UPLOAD_LIFETIME).seconds()),
            created_at: now,
            tries: 0,
        };
        let item = item::write(MEDIA, &Key::media(id), &row)?;
        self.0.put_if_absent("announcing an upload", item.clone()).await?;
        media(id, item)
    }

    /// Returns whether a file that is sent now would expire before its message, by a day or more. One that was stored
    /// without a retention period can: the bucket's lifecycle applies to it as well.
    pub fn expires_early(self, media: &Media) -> bool {
        let Some(retention) = self.0.retention else { return false };
        media.expires_at.is_none_or(|at| at < self.0.system.now().after(retention).before(REFRESH_INTERVAL))
    }

    /// Stores that a file, as it was read, is sent in a chat, and is kept as long as the message. Returns `false` if it was
    /// changed or erased since it was read.
    pub async fn sent(self, media: &Media, chat_id: ChatId) -> Result<bool, StoreError> {
        let now = self.0.system.now();
        let stored = media.state.on(MediaEvent::Stored);
        let mut update = UpdateBuilder::new(&Key::media(media.id))
            .set("state", stored.unwrap_or(media.state))
            .set("sent_at", now)
            .set_or_remove("id", media.only_chat_after(chat_id))
            .condition(("#state = ?", media.state))
            .condition(Condition::equals("id", media.chat_id));
        if stored.is_some() || self.expires_early(media) {
            update = update.set_or_remove("expires_at", self.0.expires_at(now));
        }
        self.0.update_if("sending a file", update).await
    }

    /// Returns which of these files exist, up to 100.
    pub async fn existing(self, ids: &[MediaId]) -> Result<HashSet<MediaId>, StoreError> {
        let keys = ids.iter().map(|id| Key::media(*id)).collect();
        let items = self.0.get_all("reading files", keys).await?;
        Ok(items.keys().filter_map(Key::media_id).collect())
    }

    /// Returns the uploaded files that were sent in this chat only. Eventually consistent.
    pub async fn sent_in(self, chat_id: ChatId) -> Result<Vec<MediaId>, StoreError> {
        let keys = self.0.keys_by_id("reading a chat's files", chat_id).await?;
        Ok(keys.iter().filter_map(Key::media_id).collect())
    }

    /// Marks an uploaded file as gone, so that it can't be sent anymore, if it was last sent up to `cutoff`, in this chat
    /// only, or if it was announced up to `cutoff` in the session. Returns whether it was.
    pub async fn start_erasing(self, id: MediaId, target: Target, cutoff: Timestamp) -> Result<bool, StoreError> {
        let Some(state) = MediaState::Stored.on(MediaEvent::Erased) else { return Ok(false) };
        let update = UpdateBuilder::new(&Key::media(id)).set("state", state);
        let update = match target {
            Target::Chat(chat_id) => update.condition(("id = ?", chat_id)).condition(("sent_at <= ?", cutoff)),
            Target::Session(session_id) => {
                update.condition(("session_id = ?", session_id)).condition(("created_at <= ?", cutoff))
            }
        };
        self.0.update_if("erasing a file", update).await
    }

    /// Stores WhatsApp's ID of an upload.
    pub async fn set_whatsapp_upload(
        self,
        id: MediaId,
        graph_id: &str,
        phone_number_id: &str,
    ) -> Result<(), StoreError> {
        let expires_at = self.0.system.now().after(UPLOADED_LIFETIME);
        let upload =
            WhatsAppUpload { graph_id: graph_id.to_owned(), phone_number_id: phone_number_id.to_owned(), expires_at };
        let update = UpdateBuilder::new(&Key::media(id))
            .set("whatsapp_upload", item::value(&upload)?)
            .condition("attribute_exists(pk)");
        self.0.update_if("storing WhatsApp's ID of an upload", update).await.map(drop)
    }
}

fn message_key(row: &MediaRow) -> Option<MessageKey> {
    Key { pk: row.message_pk.clone()?, sk: row.message_sk.clone()? }.message_key()
}

fn fetch(id: MediaId, item: Item) -> Result<Fetch, StoreError> {
    let row: MediaRow = item::read(MEDIA, item)?;
    let invalid = || StoreError::Item { kind: MEDIA, source: "a received file has no message or ID".into() };
    let message = message_key(&row).ok_or_else(invalid)?;
    let MediaRow { session_id, phone_number_id, graph_id, mime_type, sha256, file_name, created_at, tries, .. } = row;
    let sha256 = sha256.and_then(|hash| parse_sha256(&hash));
    Ok(Fetch {
        id,
        session_id,
        message,
        phone_number_id: phone_number_id.ok_or_else(invalid)?,
        file: ReceivedFile { graph_id: graph_id.ok_or_else(invalid)?, mime_type, sha256, file_name },
        requested_at: created_at,
        tries,
    })
}

fn media(id: MediaId, item: Item) -> Result<Media, StoreError> {
    let row: MediaRow = item::read(MEDIA, item)?;
    let message = message_key(&row);
    let MediaRow {
        session_id, state, id: chat, mime_type, size, sha256, file_name, whatsapp_upload, expires_at, ..
    } = row;
    Ok(Media {
        id,
        session_id,
        chat_id: message.map(|message| message.chat_id).or(chat),
        is_received: message.is_some(),
        state,
        mime_type,
        size,
        sha256,
        file_name,
        whatsapp_upload,
        expires_at: expires_at.and_then(Timestamp::from_seconds),
    })
}
