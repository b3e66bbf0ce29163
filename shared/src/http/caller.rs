//! The caller of a request: how the authorizer passes it to the functions, and the responses to what it may not do.
//!
//! The authorizer identifies the caller, and API Gateway passes its result to the function behind the route. The
//! function decides what the caller may do.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{ApiError, ErrorCode, read_session_id};
use crate::domain::{caller::Caller, id::SessionId, scope::Scope};

impl Caller {
    /// The authorizer's `context`: `{"keyId", "scopes", "owner"?}`. All values are strings, which API Gateway passes on
    /// unchanged.
    pub fn context(&self) -> Value {
        let scopes: Vec<&str> = self.scopes.iter().map(|scope| scope.as_str()).collect();
        let mut context = json!({"keyId": self.key_id, "scopes": scopes.join(" ")});
        if let Some(owner) = &self.owner {
            context["owner"] = json!(owner);
        }
        context
    }

    /// The inverse of [`Caller::context`]. `None` for an incomplete context, so that it never becomes an admin.
    pub fn from_context(context: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| context.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let key_id = text("keyId")?;
        let scopes: BTreeSet<Scope> = text("scopes")?.split(' ').filter_map(|scope| scope.parse().ok()).collect();
        match text("owner") {
            Some(owner) => Some(Self::tenant(key_id, owner.to_owned(), scopes)),
            None => scopes.contains(&Scope::Admin).then(|| Self::admin(key_id)),
        }
    }

    /// Returns 403 unless the caller has `scope`.
    pub(super) fn require(&self, scope: Scope) -> Result<(), ApiError> {
        if self.has(scope) {
            return Ok(());
        }
        Err(ApiError::new(ErrorCode::MissingScope, format!("This needs a key with the scope {scope}")))
    }

    /// Returns `session_id` if the caller may use it, else 404, as for a session that doesn't exist.
    pub fn session(&self, session_id: SessionId) -> Result<SessionId, ApiError> {
        if self.may_use(session_id) { Ok(session_id) } else { Err(ApiError::session_not_found()) }
    }

    /// Returns the session of a webhook by the `sessionId` of a request; `None` for all sessions, which needs an admin.
    pub(super) fn session_of_webhook(&self, session_id: Option<&str>) -> Result<Option<SessionId>, ApiError> {
        match session_id {
            Some(text) => self.session(read_session_id(text)?).map(Some),
            None if self.is_admin() => Ok(None),
            None => {
                let message = "sessionId is required: only an admin's webhook covers all sessions";
                Err(ApiError::new(ErrorCode::MissingField, message))
            }
        }
    }

    /// Returns 403 unless the caller acts for `owner`. Not 404: the owner's ID comes from the caller, and the response
    /// doesn't depend on whether that owner has a session.
    pub fn act_for(&self, owner: &str) -> Result<(), ApiError> {
        if self.acts_for(owner) {
            return Ok(());
        }
        let message = "This key acts for another userId: use one of that owner, or of an admin";
        Err(ApiError::new(ErrorCode::OtherOwner, message))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(context: &Value) -> Option<Caller> {
        context.as_object().and_then(Caller::from_context)
    }

    proptest! {
        #[test]
        fn a_context_reads_back(owner in "\\PC+", scopes in proptest::collection::btree_set(0..Scope::ALL.len(), 0..Scope::ALL.len())) {
            let scopes: Vec<Scope> = scopes.into_iter().map(|index| Scope::ALL[index]).collect();
            let caller = Caller::tenant("k", owner, scopes.clone());
            // A key without a scope may do nothing, and its context is refused.
            prop_assert_eq!(read(&caller.context()), (!scopes.is_empty()).then_some(caller));
        }
    }

    #[test]
    fn an_incomplete_context_is_refused() {
        for context in [
            json!({}),
            json!({"keyId": "k"}),
            json!({"keyId": "k", "scopes": "sessions"}),
            json!({"keyId": "k", "scopes": "sessions", "owner": ""}),
            json!({"keyId": "k", "scopes": "everything"}),
            json!({"keyId": "k", "scopes": ["admin"]}),
            json!({"scopes": "admin"}),
            json!({"keyId": "k", "owner": "ada"}),
        ] {
            assert_eq!(read(&context), None, "{context}");
        }
    }
}
