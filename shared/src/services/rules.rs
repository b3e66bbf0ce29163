//! Auto-reply rules: creating, reading, replacing, and deleting them.

use std::cmp::Reverse;

use crate::{
    domain::{
        auto_reply::{MAX_RULES, Rule, RuleFields},
        id::{RuleId, SessionId},
        system::System,
    },
    store::{RuleCreated, Store, StoreError},
};

/// Why a request for an auto-reply rule fails.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// There is no such rule.
    #[error("Auto-reply not found")]
    NotFound,
    /// There is no such session.
    #[error("Session not found")]
    SessionNotFound,
    /// The session has the maximum number of rules.
    #[error("The session has {MAX_RULES} auto-replies, the maximum: delete one first")]
    TooMany,
    /// The table didn't respond.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns a session's rules in the order in which they are evaluated: highest priority first, then oldest first.
pub async fn list(store: &Store, session_id: SessionId) -> Result<Vec<Rule>, RuleError> {
    let (_, mut rules) = store.sessions().get_with_rules(session_id).await?.ok_or(RuleError::SessionNotFound)?;
    rules.sort_by_key(|rule| (Reverse(rule.priority), rule.id));
    Ok(rules)
}

/// Creates a rule.
pub async fn create(
    store: &Store,
    system: System,
    session_id: SessionId,
    fields: RuleFields,
) -> Result<Rule, RuleError> {
    let rule = Rule::new(RuleId::from_uuid(system.ordered_uuid()), session_id, fields, system.now());
    match store.rules().create(&rule).await? {
        RuleCreated::Created => Ok(rule),
        RuleCreated::NoSession => Err(RuleError::SessionNotFound),
        RuleCreated::TooMany => Err(RuleError::TooMany),
    }
}

/// Returns a rule.
pub async fn find(store: &Store, id: RuleId) -> Result<Rule, RuleError> {
    store.rules().get(id).await?.ok_or(RuleError::NotFound)
}

/// Replaces a rule's fields and returns the new rule.
pub async fn replace(store: &Store, system: System, rule: Rule, fields: RuleFields) -> Result<Rule, RuleError> {
    let rule = rule.updated(fields, system.now());
    if store.rules().replace(&rule).await? { Ok(rule) } else { Err(RuleError::NotFound) }
}

/// Deletes a rule.
pub async fn delete(store: &Store, rule: &Rule) -> Result<(), RuleError> {
    if store.rules().delete(rule).await? { Ok(()) } else { Err(RuleError::NotFound) }
}
