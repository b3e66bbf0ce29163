//! Callers: the authenticated senders of requests, and the sessions that they can use.

use std::collections::BTreeSet;

use crate::domain::{id::SessionId, scope::Scope};

/// The authenticated sender of a request: a tenant, who acts for one owner, or an admin, who acts for every owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The ID of the API key, or the kind of credential if it has no ID (`operator`, `token`). For logs.
    pub key_id: String,
    /// The owner that a tenant acts for. `None` for an admin.
    pub(crate) owner: Option<String>,
    pub(crate) scopes: BTreeSet<Scope>,
}

impl Caller {
    /// Creates a caller who acts for every owner.
    pub fn admin(key_id: impl Into<String>) -> Self {
        Self { key_id: key_id.into(), owner: None, scopes: [Scope::Admin].into() }
    }

    /// Creates a caller who acts for one owner, or for every owner if `scopes` contains [`Scope::Admin`].
    pub fn tenant(key_id: impl Into<String>, owner: String, scopes: impl IntoIterator<Item = Scope>) -> Self {
        let scopes: BTreeSet<Scope> = scopes.into_iter().collect();
        match scopes.contains(&Scope::Admin) {
            true => Self::admin(key_id),
            false => Self { key_id: key_id.into(), owner: Some(owner), scopes },
        }
    }

    /// Returns whether the caller has `scope`. An admin has every scope.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&Scope::Admin) || self.scopes.contains(&scope)
    }

    /// Returns whether the caller can use the session `session_id` and everything that belongs to it.
    ///
    /// An owner has one session, whose ID is derived from the owner's ID, so the check doesn't read the table. Another
    /// tenant's session and a session that doesn't exist are therefore indistinguishable by response and timing.
    pub fn may_use(&self, session_id: SessionId) -> bool {
        self.own_session().is_none_or(|own| own == session_id)
    }

    /// Returns whether the caller acts for every owner.
    pub fn is_admin(&self) -> bool {
        self.owner.is_none()
    }

    /// Returns the session of a tenant, or `None` for an admin, who can use every session.
    pub fn own_session(&self) -> Option<SessionId> {
        self.owner.as_deref().map(SessionId::for_owner)
    }

    /// Returns whether the caller acts for `owner`.
    pub fn acts_for(&self, owner: &str) -> bool {
        self.owner.as_deref().is_none_or(|own| own == owner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tenant_can_use_only_own_session(owner in any::<String>(), other in any::<String>()) {
            let caller = Caller::tenant("k", owner.clone(), Scope::OF_TOKENS);
            prop_assert!(caller.may_use(SessionId::for_owner(&owner)));
            prop_assert_eq!(caller.may_use(SessionId::for_owner(&other)), owner == other);
            prop_assert!(Caller::admin("k").may_use(SessionId::for_owner(&other)));
        }
    }

    #[test]
    fn only_admin_has_every_scope() {
        let tenant = Caller::tenant("k", "ada".to_owned(), [Scope::Sessions]);
        assert!(tenant.has(Scope::Sessions));
        assert!(!Scope::ALL[1..].iter().any(|scope| tenant.has(*scope)));
        let admin = Caller::tenant("k", "ada".to_owned(), [Scope::Admin]);
        assert!(Scope::ALL.iter().all(|scope| admin.has(*scope)));
        assert!(admin.is_admin() && !tenant.is_admin());
        assert!(admin.acts_for("grace") && !tenant.acts_for("grace") && tenant.acts_for("ada"));
    }
}
