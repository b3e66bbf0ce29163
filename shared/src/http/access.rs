//! Who calls, and what a caller may do.
//!
//! The authorizer in front of the API decides who a caller is, and API Gateway hands its word to the function behind the
//! route. What a caller may do there is decided by the function, with the [`Caller`] that it is given.

mod key;
mod routes;

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    domain::chat::Chat,
    domain::id::{ChatId, SessionId},
    http::ApiError,
    store::Store,
};

pub use key::{ApiKey, KeyHash, KeyResponse, NAME_LIMIT, SecretKey};
pub use routes::{Access, Route, paths, route_of};

/// A right that a key can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// To make sessions, look at them and resume them, and to erase them and their chats.
    #[serde(rename = "sessions")]
    Sessions,
    /// To send messages.
    #[serde(rename = "messages:send")]
    MessagesSend,
    /// To read chats and messages, to file them, and to mark them as read.
    #[serde(rename = "messages:read")]
    MessagesRead,
    /// To manage automatic replies.
    #[serde(rename = "rules")]
    Rules,
    /// To carry the messages of a session as its linked-device worker.
    #[serde(rename = "worker")]
    Worker,
    /// Everything, for every owner.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Sessions, Self::MessagesSend, Self::MessagesRead, Self::Rules, Self::Worker, Self::Admin];

    /// What a token of the identity provider may do, for the owner that it names: what that person's own product would
    /// do for him. Not what belongs to a machine (`worker`) or to the operator (`admin`).
    pub const OF_TOKENS: [Self; 4] = [Self::Sessions, Self::MessagesSend, Self::MessagesRead, Self::Rules];

    /// As keys and answers have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::MessagesSend => "messages:send",
            Self::MessagesRead => "messages:read",
            Self::Rules => "rules",
            Self::Worker => "worker",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no scope.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a scope")]
pub struct NotAScope;

impl FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(NotAScope)
    }
}

/// Whoever sent a request, as the authorizer knows him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Which key it was, for the log: a key's id, or the kind of credential that has none.
    pub key_id: String,
    /// The one owner that the caller acts for; `None` for an administrator, who acts for every one.
    owner: Option<String>,
    scopes: BTreeSet<Scope>,
}

impl Caller {
    /// A caller who acts for every owner.
    pub fn admin(key_id: impl Into<String>) -> Self {
        Self { key_id: key_id.into(), owner: None, scopes: [Scope::Admin].into() }
    }

    /// A caller who acts for one owner. With the scope `admin` he acts for every one.
    pub fn tenant(key_id: impl Into<String>, owner: String, scopes: impl IntoIterator<Item = Scope>) -> Self {
        let scopes: BTreeSet<Scope> = scopes.into_iter().collect();
        match scopes.contains(&Scope::Admin) {
            true => Self::admin(key_id),
            false => Self { key_id: key_id.into(), owner: Some(owner), scopes },
        }
    }

    /// What the authorizer hands to API Gateway: texts only, because that is what arrives unchanged.
    pub fn context(&self) -> Value {
        let scopes: Vec<&str> = self.scopes.iter().map(|scope| scope.as_str()).collect();
        let mut context = json!({"keyId": self.key_id, "scopes": scopes.join(" ")});
        if let Some(owner) = &self.owner {
            context["owner"] = json!(owner);
        }
        context
    }

    /// The inverse of [`Caller::context`]. `None` for anything that does not say whom the caller acts for: no function
    /// takes that for an administrator.
    pub fn from_context(context: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| context.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let key_id = text("keyId")?;
        let scopes: BTreeSet<Scope> = text("scopes")?.split(' ').filter_map(|scope| scope.parse().ok()).collect();
        match text("owner") {
            Some(owner) => Some(Self::tenant(key_id, owner.to_owned(), scopes)),
            None => scopes.contains(&Scope::Admin).then(|| Self::admin(key_id)),
        }
    }

    /// 403 unless the caller has the scope.
    pub fn require(&self, scope: Scope) -> Result<(), ApiError> {
        if self.scopes.contains(&Scope::Admin) || self.scopes.contains(&scope) {
            return Ok(());
        }
        Err(ApiError::forbidden("missing_scope", format!("This needs a key with the scope {scope}")))
    }

    /// Whether what belongs to a session is the caller's to see.
    ///
    /// An owner has one session, whose id follows from the owner's: nothing has to be read to know whose it is. So a
    /// session of somebody else and one that does not exist are refused by the same line, with the same requests to the
    /// table (none), and cannot be told apart.
    pub fn may_use(&self, session_id: SessionId) -> bool {
        self.own_session().is_none_or(|own| own == session_id)
    }

    /// The session, when it is the caller's to use; else 404, as for a session that does not exist.
    pub fn session(&self, session_id: SessionId) -> Result<SessionId, ApiError> {
        if self.may_use(session_id) { Ok(session_id) } else { Err(ApiError::session_not_found()) }
    }

    /// The chat, when it is the caller's to use; else 404, as for a chat that does not exist.
    pub async fn chat(&self, store: &Store, chat_id: ChatId) -> Result<Chat, ApiError> {
        let chat = store.chat(chat_id).await?.filter(|chat| self.may_use(chat.session_id));
        chat.ok_or_else(ApiError::chat_not_found)
    }

    /// The one session that the caller may use; `None` for an administrator, who may use every one.
    pub fn own_session(&self) -> Option<SessionId> {
        self.owner.as_deref().map(SessionId::for_owner)
    }

    /// 403 unless the caller acts for this owner. Not 404: an owner's id is the caller's own word, and the answer is the
    /// same whether that owner has a session or not.
    pub fn act_for(&self, owner: &str) -> Result<(), ApiError> {
        if self.owner.as_deref().is_none_or(|own| own == owner) {
            return Ok(());
        }
        Err(ApiError::forbidden(
            "other_owner",
            "This key acts for another userId: use one of that owner, or of an admin",
        ))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn context(value: Value) -> Option<Caller> {
        value.as_object().and_then(Caller::from_context)
    }

    proptest! {
        #[test]
        fn a_context_reads_back(owner in "\\PC+", scopes in proptest::collection::btree_set(0_usize..6, 0..6)) {
            let scopes: Vec<Scope> = scopes.into_iter().map(|index| Scope::ALL[index]).collect();
            let caller = Caller::tenant("k", owner, scopes.clone());
            let read = context(caller.context());
            // A key without any scope may do nothing, and its context is no caller.
            prop_assert_eq!(read, (!scopes.is_empty()).then_some(caller));
        }

        #[test]
        fn a_tenant_may_use_its_own_session_only(owner in any::<String>(), other in any::<String>()) {
            let caller = Caller::tenant("k", owner.clone(), Scope::OF_TOKENS);
            prop_assert!(caller.may_use(SessionId::for_owner(&owner)));
            prop_assert_eq!(caller.may_use(SessionId::for_owner(&other)), owner == other);
            prop_assert!(Caller::admin("k").may_use(SessionId::for_owner(&other)));
        }
    }

    #[test]
    fn a_context_that_says_too_little_is_nobody() {
        for value in [
            json!({}),
            json!({"keyId": "k"}),
            json!({"keyId": "k", "scopes": "sessions"}),
            json!({"keyId": "k", "scopes": "sessions", "owner": ""}),
            json!({"keyId": "k", "scopes": "everything"}),
            json!({"keyId": "k", "scopes": ["admin"]}),
            json!({"scopes": "admin"}),
            json!({"keyId": "k", "owner": "ada"}),
        ] {
            assert_eq!(context(value.clone()), None, "{value}");
        }
    }

    #[test]
    fn only_an_admin_has_every_scope() {
        let tenant = Caller::tenant("k", "ada".to_owned(), [Scope::Sessions]);
        assert!(tenant.require(Scope::Sessions).is_ok());
        assert!(Scope::ALL[1..].iter().all(|scope| tenant.require(*scope).is_err()));
        let admin = Caller::tenant("k", "ada".to_owned(), [Scope::Admin]);
        assert!(Scope::ALL.iter().all(|scope| admin.require(*scope).is_ok()));
        assert!(admin.act_for("grace").is_ok() && tenant.act_for("grace").is_err() && tenant.act_for("ada").is_ok());
    }
}
