//! Media of the business and of its customers: files in a folder, each with a JSON file of its metadata, so that nothing
//! is held in memory and everything survives a restart.

mod control;
mod download_url;
mod references;
mod response;
mod rules;

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::PathBuf,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir, TempPath};
use tokio::{fs::File, io::AsyncWriteExt};

pub(super) use self::{
    control::{complete, routes},
    references::references,
    response::content,
    rules::{Kind, MAX_FILE_BYTES, upload_error},
};
use super::clock::random;

/// How long WhatsApp keeps a file that the business uploaded (Meta, *Media*, upload media).
const UPLOADED_RETENTION_SECONDS: i64 = 30 * 24 * 60 * 60;
/// How long the ID in a webhook can be used (Meta, *Media*, get media ID).
const RECEIVED_RETENTION_SECONDS: i64 = 7 * 24 * 60 * 60;
/// The start of a file, which tells its type.
const HEAD_BYTES: usize = 64;

/// Who a file came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Source {
    /// The business uploaded it.
    Business,
    /// A customer sent it.
    Customer,
}

/// The description of a new file.
#[derive(Debug)]
pub(super) struct NewMedia {
    /// The business number that uploads or receives the file.
    pub(super) phone_number_id: String,
    pub(super) mime_type: String,
    pub(super) file_name: Option<String>,
    pub(super) source: Source,
}

/// A stored file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Media {
    pub(super) id: String,
    /// The business number that uploaded or received the file.
    pub(super) phone_number_id: String,
    /// The declared type, with its parameters, such as `audio/ogg; codecs=opus`.
    pub(super) mime_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_name: Option<String>,
    pub(super) size: u64,
    sha256: [u8; 32],
    source: Source,
    /// Unix seconds.
    stored_at: i64,
    /// The first bytes of the file.
    head: Vec<u8>,
    /// Signs the download URLs of this file.
    key: String,
}

impl Media {
    /// Returns the checksum as the Graph API writes it, in hexadecimal.
    pub(super) fn sha256_hex(&self) -> String {
        self.sha256.iter().fold(String::new(), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// Returns the checksum as webhooks write it, in Base64.
    pub(super) fn sha256_base64(&self) -> String {
        STANDARD.encode(self.sha256)
    }

    /// Returns a URL that downloads the file for the next 5 minutes, below `base`, the URL of the simulator.
    pub(super) fn download_url(&self, base: &str, now: i64) -> String {
        download_url::create(base, &self.id, &self.key, now)
    }

    /// Returns whether these are the parameters of a download URL of this file that has not expired.
    pub(super) fn is_download_url(&self, ext: &str, hash: &str, now: i64) -> bool {
        download_url::is_valid(&self.id, &self.key, ext, hash, now)
    }

    /// Returns the reason why WhatsApp cannot deliver this file in a message as `kind`.
    pub(super) fn delivery_error(&self, kind: Kind) -> Option<String> {
        rules::delivery_error(kind, &self.mime_type, self.size, &self.head)
    }

    /// Returns whether the file is an animated sticker.
    pub(super) fn is_animated(&self) -> bool {
        rules::is_animated_webp(&self.head)
    }

    fn expires_at(&self) -> i64 {
        self.stored_at
            + match self.source {
                Source::Business => UPLOADED_RETENTION_SECONDS,
                Source::Customer => RECEIVED_RETENTION_SECONDS,
            }
    }
}

/// A file that is being written. Dropping it deletes the file.
#[derive(Debug)]
pub(super) struct Writer {
    file: File,
    path: TempPath,
    hash: Sha256,
    head: Vec<u8>,
    size: u64,
}

impl Writer {
    /// Appends `bytes`. Only counts them once the file is larger than any that WhatsApp supports.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.size <= MAX_FILE_BYTES {
            self.file.write_all(bytes).await?;
        }
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        let missing = HEAD_BYTES.saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(missing));
        Ok(())
    }

    /// Returns the bytes written so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

/// The folder of all files.
#[derive(Debug)]
pub(super) struct MediaStore {
    folder: PathBuf,
    /// Deletes a temporary folder when the store is dropped.
    _temporary: Option<TempDir>,
}

impl MediaStore {
    /// Opens the store in `folder`, which is created if needed, or in a temporary folder. Deletes expired files, and
    /// files whose upload was interrupted. `now` is in Unix seconds.
    pub(super) fn open(folder: Option<PathBuf>, now: i64) -> io::Result<MediaStore> {
        let (folder, temporary) = match folder {
            Some(folder) => (folder, None),
            None => {
                let temporary = tempfile::tempdir()?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        std::fs::create_dir_all(&folder)?;
        let store = MediaStore { folder, _temporary: temporary };
        store.sweep(now)?;
        Ok(store)
    }

    fn sweep(&self, now: i64) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let id = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            if self.get(id, now)?.is_none() {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Starts a new file.
    pub(super) fn writer(&self) -> io::Result<Writer> {
        let (file, path) = NamedTempFile::new_in(&self.folder)?.into_parts();
        Ok(Writer { file: File::from_std(file), path, hash: Sha256::new(), head: Vec::new(), size: 0 })
    }

    /// Stores a complete file under a new ID. `now` is in Unix seconds.
    pub(super) async fn store(&self, mut writer: Writer, new: NewMedia, now: i64) -> io::Result<Media> {
        writer.file.flush().await?;
        let media = Media {
            id: new_id(),
            phone_number_id: new.phone_number_id,
            mime_type: new.mime_type,
            file_name: new.file_name,
            size: writer.size,
            sha256: writer.hash.finalize().into(),
            source: new.source,
            stored_at: now,
            head: writer.head,
            key: random().to_string(),
        };
        writer.path.persist(self.content_path(&media.id)).map_err(|error| error.error)?;
        // The metadata makes the file visible, so it is written last and in one step.
        let mut metadata = NamedTempFile::new_in(&self.folder)?;
        metadata.write_all(&serde_json::to_vec(&media)?)?;
        metadata.persist(self.metadata_path(&media.id)).map_err(|error| error.error)?;
        Ok(media)
    }

    /// Returns the file with this ID, if it exists and has not expired. Reading the small file takes microseconds, less
    /// than a switch to another thread. `now` is in Unix seconds.
    pub(super) fn get(&self, id: &str, now: i64) -> io::Result<Option<Media>> {
        if !is_id(id) {
            return Ok(None);
        }
        let metadata = match std::fs::read(self.metadata_path(id)) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let media: Media = serde_json::from_slice(&metadata)?;
        Ok((now < media.expires_at()).then_some(media))
    }

    /// Opens the content of a file.
    pub(super) async fn content(&self, media: &Media) -> io::Result<File> {
        File::open(self.content_path(&media.id)).await
    }

    /// Deletes a file.
    pub(super) fn delete(&self, media: &Media) -> io::Result<()> {
        std::fs::remove_file(self.metadata_path(&media.id))?;
        std::fs::remove_file(self.content_path(&media.id))
    }

    fn content_path(&self, id: &str) -> PathBuf {
        self.folder.join(id)
    }

    fn metadata_path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }
}

/// Returns a random ID in Meta's format: 16 digits.
fn new_id() -> String {
    const FIRST: u128 = 1_000_000_000_000_000;
    (FIRST + random().as_u128() % (9 * FIRST)).to_string()
}

/// IDs consist of up to 20 digits, so that an ID in a request cannot name another file.
fn is_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
