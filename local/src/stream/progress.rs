//! The progress of a mapping. Workers finish out of order, so the checkpoint is the last record before the first
//! unfinished one.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{checkpoint::Checkpoints, record::SequenceNumber};
use crate::output::{Kind, Output};

/// The read and the unfinished records of a mapping. After a crash, records that finished beyond the checkpoint are
/// delivered again: at least once, as on AWS.
#[derive(Debug)]
pub(super) struct Progress {
    /// The last record read.
    last: SequenceNumber,
    /// The unfinished records, each with its predecessor.
    unfinished: BTreeMap<SequenceNumber, SequenceNumber>,
}

impl Progress {
    pub(super) fn new(position: SequenceNumber) -> Progress {
        Progress { last: position, unfinished: BTreeMap::new() }
    }

    /// Adds a record, in stream order. A record that was filtered out is already finished.
    pub(super) fn read(&mut self, sequence: SequenceNumber, finished: bool) {
        if !finished {
            self.unfinished.insert(sequence, self.last);
        }
        self.last = sequence;
    }

    pub(super) fn finish(&mut self, sequence: SequenceNumber) {
        self.unfinished.remove(&sequence);
    }

    pub(super) fn checkpoint(&self) -> SequenceNumber {
        self.unfinished.first_key_value().map_or(self.last, |(_, before)| *before)
    }
}

/// The progress of a mapping, shared by its workers and saved as its checkpoint.
#[derive(Debug)]
pub(super) struct ProgressTracker {
    progress: Mutex<Progress>,
    checkpoints: Checkpoints,
    mapping: String,
    output: Output,
}

impl ProgressTracker {
    pub(super) fn new(
        position: SequenceNumber,
        checkpoints: Checkpoints,
        mapping: String,
        output: Output,
    ) -> ProgressTracker {
        ProgressTracker { progress: Mutex::new(Progress::new(position)), checkpoints, mapping, output }
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let before = progress.checkpoint();
        change(&mut progress);
        let after = progress.checkpoint();
        // Save under the lock, so that an older checkpoint never overwrites a newer one.
        if after != before
            && let Err(problem) = self.checkpoints.set(&self.mapping, after)
        {
            self.output.line(Kind::Problem, format!("{}: cannot save the checkpoint: {problem}", self.mapping));
        }
    }
}

#[cfg(test)]
mod tests;
