//! What delivery has to know of a session, remembered for a few seconds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{
    domain::id::SessionId,
    domain::session::UnknownPolicy,
    domain::system::System,
    domain::time::Timestamp,
    store::{Store, StoreError},
};

/// How old the knowledge may be.
const LIFETIME: Duration = Duration::from_secs(5);

/// A session, as far as delivery is concerned.
#[derive(Clone, Copy, Debug)]
pub(super) struct SessionState {
    pub(super) is_paused: bool,
    pub(super) unknown_policy: UnknownPolicy,
}

#[derive(Clone, Debug)]
pub(super) struct Sessions {
    store: Store,
    system: System,
    known: Arc<Mutex<HashMap<SessionId, (SessionState, Timestamp)>>>,
}

impl Sessions {
    pub(super) fn new(store: Store, system: System) -> Self {
        Self { store, system, known: Arc::default() }
    }

    /// The session's state. One that is gone sends nothing.
    pub(super) async fn get(&self, id: SessionId) -> Result<SessionState, StoreError> {
        let now = self.system.now();
        if let Ok(known) = self.known.lock()
            && let Some((state, read_at)) = known.get(&id)
            && now.since(*read_at) < LIFETIME
        {
            return Ok(*state);
        }
        let session = self.store.sessions().get(id).await?;
        let state = SessionState {
            is_paused: session.as_ref().is_none_or(|session| session.paused_reason.is_some()),
            unknown_policy: session.map(|session| session.unknown_policy).unwrap_or_default(),
        };
        if let Ok(mut known) = self.known.lock() {
            known.insert(id, (state, now));
        }
        Ok(state)
    }

    /// Stops the session's outbox for a reason that every message of it shares. Whether it was not stopped before.
    pub(super) async fn pause(&self, id: SessionId, reason: &str) -> Result<bool, StoreError> {
        let is_new = self.store.sessions().pause(id, reason).await?;
        if let Ok(mut known) = self.known.lock() {
            known.remove(&id);
        }
        Ok(is_new)
    }

    /// Forgets what is known, as it was just changed elsewhere.
    pub(super) fn forget(&self, id: SessionId) {
        if let Ok(mut known) = self.known.lock() {
            known.remove(&id);
        }
    }
}
