//! How far a mapping has come. Lanes finish out of order; the checkpoint is the last record before the first unfinished.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{checkpoint::Checkpoints, record::SequenceNumber};
use crate::console::{Console, Kind};

/// After a crash, what other lanes had finished beyond the checkpoint is delivered again: at least once, as on AWS.
#[derive(Debug)]
pub(super) struct Progress {
    /// The last record that was read.
    last: SequenceNumber,
    /// Records that are not finished, each with the record read before it.
    unfinished: BTreeMap<SequenceNumber, SequenceNumber>,
}

impl Progress {
    pub(super) fn new(position: SequenceNumber) -> Progress {
        Progress { last: position, unfinished: BTreeMap::new() }
    }

    /// Takes note of a record, in stream order; one that is filtered out is finished at once.
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

/// The progress of a mapping, shared by its lanes and kept in its checkpoint.
#[derive(Debug)]
pub(super) struct Tracker {
    progress: Mutex<Progress>,
    checkpoints: Checkpoints,
    mapping: String,
    console: Console,
}

impl Tracker {
    pub(super) fn new(
        position: SequenceNumber,
        checkpoints: Checkpoints,
        mapping: String,
        console: Console,
    ) -> Tracker {
        Tracker { progress: Mutex::new(Progress::new(position)), checkpoints, mapping, console }
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let before = progress.checkpoint();
        change(&mut progress);
        let after = progress.checkpoint();
        // Under the lock, so that an older checkpoint never overwrites a newer one.
        if after != before
            && let Err(problem) = self.checkpoints.set(&self.mapping, after)
        {
            self.console.line(Kind::Problem, format!("{}: the checkpoint is not saved: {problem}", self.mapping));
        }
    }
}

#[cfg(test)]
mod tests;
