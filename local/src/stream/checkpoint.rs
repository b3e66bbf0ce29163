//! Checkpoints: where each mapping continues after a restart.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::record::SequenceNumber;
use crate::file;

/// The checkpoints of all mappings, in memory or in a file. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Checkpoints {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// The last processed sequence number by mapping, as a string because JSON numbers lack the precision. `"0"` is
    /// before the first record.
    after: BTreeMap<String, String>,
    file: Option<PathBuf>,
}

/// An error reading the checkpoints of an earlier run.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the stream checkpoints in {}; delete the data folder to start over", path.display())]
pub struct CheckpointError {
    path: PathBuf,
    source: std::io::Error,
}

impl Checkpoints {
    /// Creates checkpoints that last for the process.
    pub fn memory() -> Checkpoints {
        Checkpoints::default()
    }

    /// Loads the checkpoints from `streams.json` in `directory`, which exists, and stores them there.
    ///
    /// # Errors
    /// Returns a [`CheckpointError`] if the file is damaged or cannot be read.
    pub fn directory(directory: &Path) -> Result<Checkpoints, CheckpointError> {
        let path = directory.join("streams.json");
        let load = || match file::read(&path)? {
            Some(json) => Ok(serde_json::from_slice(&json)?),
            None => Ok(BTreeMap::new()),
        };
        let after = load().map_err(|source| CheckpointError { path: path.clone(), source })?;
        Ok(Checkpoints { state: Arc::new(Mutex::new(State { after, file: Some(path) })) })
    }

    pub(super) fn get(&self, mapping: &str) -> Option<SequenceNumber> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.after.get(mapping)?.parse().ok()
    }

    pub(super) fn set(&self, mapping: &str, after: SequenceNumber) -> std::io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.after.insert(mapping.to_owned(), after.to_string());
        match &state.file {
            None => Ok(()),
            Some(path) => file::replace(path, &serde_json::to_vec_pretty(&state.after)?),
        }
    }
}

#[cfg(test)]
mod tests;
