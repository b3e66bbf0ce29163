//! State that survives a restart: every change is in the journal before it takes effect.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Serialize, de::DeserializeOwned};

use super::journal::{Journal, JournalEntry, JournalError};

/// State of one kind, such as the message templates. Small: each change writes all of it.
pub(super) struct Registry<T> {
    name: &'static str,
    journal: Journal,
    state: Mutex<T>,
}

impl<T: Clone + Serialize + DeserializeOwned> Registry<T> {
    /// Creates a registry with the state that the journal has under `name`, or with `initial`.
    ///
    /// # Errors
    /// Returns an error if the journal's state doesn't have this form.
    pub(super) fn open(
        name: &'static str,
        journal: &Journal,
        recovered: &super::journal::Recovered,
        initial: T,
    ) -> Result<Registry<T>, JournalError> {
        let state = match recovered.registries.get(name) {
            Some(value) => T::deserialize(value).map_err(|source| JournalError::Registry { name, source })?,
            None => initial,
        };
        Ok(Registry { name, journal: journal.clone(), state: Mutex::new(state) })
    }

    /// Reads the state.
    pub(super) fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.lock())
    }

    /// Changes the state. If `change` returns an error, or the journal can't be written, nothing changes.
    ///
    /// `change` and [`Registry::read`]'s `read` must not use the simulator's users, windows, or phones: their lock comes
    /// before those of the registries.
    pub(super) fn change<R, E: From<JournalError>>(&self, change: impl FnOnce(&mut T) -> Result<R, E>) -> Result<R, E> {
        let mut state = self.lock();
        let mut changed = state.clone();
        let result = change(&mut changed)?;
        let value = serde_json::to_value(&changed).map_err(JournalError::Encode)?;
        self.journal.append(&JournalEntry::Registry { name: self.name.to_owned(), value })?;
        *state = changed;
        Ok(result)
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
