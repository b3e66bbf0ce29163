//! A cache of the session attributes that delivery needs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{
    domain::{id::SessionId, session::UnknownPolicy, system::System, time::Timestamp},
    store::{Store, StoreError},
};

/// How long a session's state is cached.
const LIFETIME: Duration = Duration::from_secs(5);

/// The state of a session that delivery depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct SessionState {
    pub(super) is_paused: bool,
    pub(super) unknown_policy: UnknownPolicy,
}

#[derive(Clone, Debug)]
pub(super) struct Sessions {
    store: Store,
    system: System,
    cached: Arc<Mutex<HashMap<SessionId, (SessionState, Timestamp)>>>,
}

impl Sessions {
    pub(super) fn new(store: Store, system: System) -> Self {
        Self { store, system, cached: Arc::default() }
    }

    /// Returns the session's state. A deleted session counts as paused.
    pub(super) async fn get(&self, id: SessionId) -> Result<SessionState, StoreError> {
        let now = self.system.now();
        if let Ok(cached) = self.cached.lock()
            && let Some((state, read_at)) = cached.get(&id)
            && now.since(*read_at) < LIFETIME
        {
            return Ok(*state);
        }
        let session = self.store.sessions().get(id).await?;
        let state = SessionState {
            is_paused: session.as_ref().is_none_or(|session| session.paused_reason.is_some()),
            unknown_policy: session.map(|session| session.unknown_policy).unwrap_or_default(),
        };
        if let Ok(mut cached) = self.cached.lock() {
            cached.insert(id, (state, now));
        }
        Ok(state)
    }

    /// Pauses the session for a reason that affects all its messages. Returns whether it was running.
    pub(super) async fn pause(&self, id: SessionId, reason: &str) -> Result<bool, StoreError> {
        let was_running = self.store.sessions().pause(id, reason).await?;
        self.forget(id);
        Ok(was_running)
    }

    /// Removes a session from the cache because it was changed.
    pub(super) fn forget(&self, id: SessionId) {
        if let Ok(mut cached) = self.cached.lock() {
            cached.remove(&id);
        }
    }
}
