//! A cache of the session attributes that delivery needs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{
    domain::{delivery::SessionState, id::SessionId, system::System, time::Timestamp},
    store::{Store, StoreError},
};

/// How long the state of a session that isn't paused is cached. The state of a paused one is always read, because it
/// can be resumed at any time.
const LIFETIME: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub(super) struct Sessions {
    store: Store,
    system: System,
    running: Arc<Mutex<HashMap<SessionId, (SessionState, Timestamp)>>>,
}

impl Sessions {
    pub(super) fn new(store: Store, system: System) -> Self {
        Self { store, system, running: Arc::default() }
    }

    /// Returns the session's state.
    pub(super) async fn get(&self, id: SessionId) -> Result<SessionState, StoreError> {
        let now = self.system.now();
        if let Ok(running) = self.running.lock()
            && let Some((state, read_at)) = running.get(&id)
            && now.since(*read_at) < LIFETIME
        {
            return Ok(*state);
        }
        let session = self.store.sessions().get(id).await?;
        let state = SessionState {
            is_paused: session.as_ref().is_none_or(|session| session.paused_reason.is_some()),
            unknown_policy: session.map(|session| session.unknown_policy).unwrap_or_default(),
        };
        if let Ok(mut running) = self.running.lock() {
            running.remove(&id);
            running.extend((!state.is_paused).then_some((id, (state, now))));
        }
        Ok(state)
    }

    /// Pauses the session for a reason that affects all its messages. Returns whether it was running.
    pub(super) async fn pause(&self, id: SessionId, reason: &str) -> Result<bool, StoreError> {
        let was_running = self.store.sessions().pause(id, reason).await?;
        if let Ok(mut running) = self.running.lock() {
            running.remove(&id);
        }
        Ok(was_running)
    }
}
