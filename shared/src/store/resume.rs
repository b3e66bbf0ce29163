//! Resuming paused sessions.

use serde_json::json;

use super::{
    Sessions, StoreError, item,
    keys::{Key, due_shard},
    session::SESSION,
    transaction::Transaction,
    update::{Condition, UpdateBuilder},
};
use crate::domain::{id::SessionId, session::Session};

/// The outcome of resuming a session.
#[derive(Debug)]
pub enum Resumed {
    /// The session was paused, and no longer is.
    Resumed(Session),
    /// The session wasn't paused.
    NotPaused(Session),
    /// There is no such session.
    Missing,
}

impl Sessions<'_> {
    /// Resumes a session, and in the same transaction writes the request that makes its pending messages due.
    pub async fn resume(self, id: SessionId) -> Result<Resumed, StoreError> {
        let operation = "resuming a session";
        let now = self.0.system.now();
        let update = UpdateBuilder::new(&Key::session(id))
            .set("updated_at", now)
            .remove(["paused_reason"])
            .condition("attribute_exists(paused_reason)");
        let request = json!({"session_id": id, "due_key": due_shard(&Key::resume(id).pk), "due_at": now});
        // Replaces a request that `deliver` hasn't carried out yet.
        let put = self.0.put_action(item::write("resume", &Key::resume(id), &request)?, Condition::none());
        match self.0.transact(operation, vec![self.0.update_action(update), put]).await? {
            Transaction::Committed => Ok(self.get(id).await?.map_or(Resumed::Missing, Resumed::Resumed)),
            Transaction::Refused(refusals) => match refusals.into_iter().next().and_then(|refusal| refusal.item) {
                Some(item) => Ok(Resumed::NotPaused(item::read::<Session>(SESSION, item)?)),
                None => Ok(Resumed::Missing),
            },
        }
    }
}
