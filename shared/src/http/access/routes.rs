//! The API's paths: what each takes, and the scope that it needs. `template.yaml` has the same paths and methods, which a
//! test compares.

use lambda_http::http::Method;

use super::Scope;

/// Who may use a method of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody, as far as the gateway is concerned: the webhook, which checks signatures instead.
    Open,
    /// A caller with this scope.
    Needs(Scope),
}

/// A path, with its methods.
#[derive(Debug)]
pub struct Route {
    /// As in `template.yaml`: `/api/messages/{messageId}`.
    pub path: &'static str,
    /// The methods, the first one first in the `Allow` of a 405, and who may use each.
    pub methods: &'static [(Method, Access)],
}

impl Route {
    /// Who may use a method; `None` for one that the path does not know.
    pub fn access(&self, method: &Method) -> Option<Access> {
        self.methods.iter().find(|(known, _)| known == method).map(|(_, access)| *access)
    }

    /// The value of `Allow`.
    pub fn allow(&self) -> String {
        self.methods.iter().map(|(method, _)| method.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn matches(&self, path: &str) -> bool {
        let (mut wanted, mut found) = (self.path.split('/'), path.split('/'));
        loop {
            match (wanted.next(), found.next()) {
                (None, None) => return true,
                (Some(wanted), Some(found)) if wanted == found => {}
                (Some(wanted), Some(found)) if wanted.starts_with('{') && !found.is_empty() => {}
                _ => return false,
            }
        }
    }
}

/// The route of a path, whatever the method; `None` when there is nothing at this path. One without variables goes before
/// one with: `/api/messages/send` is no message.
pub fn route_of(path: &str) -> Option<&'static Route> {
    let exact = paths::ALL.iter().find(|route| route.path == path);
    exact.or_else(|| paths::ALL.iter().find(|route| route.matches(path))).copied()
}

macro_rules! paths {
    ($($(#[$doc:meta])* $name:ident $path:literal: $($method:ident $access:expr),+;)+) => {
        /// Every path of the API.
        pub mod paths {
            use super::{Access::{Needs, Open}, Method, Route, Scope::{Admin, MessagesRead, MessagesSend, Rules, Sessions, Worker}};

            $($(#[$doc])* pub static $name: Route = Route { path: $path, methods: &[$((Method::$method, $access)),+] };)+

            /// All of them.
            pub static ALL: &[&Route] = &[$(&$name),+];
        }
    };
}

paths! {
    /// An owner's session.
    CREATE_SESSION "/api/session/create": POST Needs(Sessions);
    /// The state of a session.
    SESSION_STATUS "/api/session/status": GET Needs(Sessions);
    /// The QR code to pair a session.
    QR "/api/qr": GET Needs(Sessions);
    /// Lets a paused session go on.
    SESSION_RESUME "/api/session/resume": POST Needs(Sessions);
    /// Sends a message.
    SEND_MESSAGE "/api/messages/send": POST Needs(MessagesSend);
    /// What became of a message.
    MESSAGE "/api/messages/{messageId}": GET Needs(MessagesRead);
    /// A worker's QR code.
    SESSION_QR "/api/session/qr": PUT Needs(Worker);
    /// A worker's state.
    SESSION_STATE "/api/session/state": PUT Needs(Worker);
    /// Messages for a worker.
    OUTBOX_CLAIM "/api/outbox/claim": POST Needs(Worker);
    /// A worker's word on a message.
    OUTBOX_SETTLE "/api/outbox/settle": POST Needs(Worker);
    /// What a worker's device received.
    RECEIVE_MESSAGE "/api/messages/receive": POST Needs(Worker);
    /// A session's chats.
    CHATS "/api/chats": GET Needs(MessagesRead);
    /// A chat, what a person changes about it, and its end.
    CHAT "/api/chats/{chatId}": GET Needs(MessagesRead), PATCH Needs(MessagesRead), DELETE Needs(Sessions);
    /// Marks a chat as read.
    CHAT_READ "/api/chats/{chatId}/read": POST Needs(MessagesRead);
    /// A chat's messages.
    CHAT_MESSAGES "/api/chats/{chatId}/messages": GET Needs(MessagesRead);
    /// The auto-reply rules of a session.
    AUTO_REPLIES "/api/auto-replies": GET Needs(Rules), POST Needs(Rules);
    /// What rules would make of a text.
    AUTO_REPLY_DRY_RUN "/api/auto-replies/dry-run": POST Needs(Rules);
    /// One auto-reply rule.
    AUTO_REPLY "/api/auto-replies/{ruleId}": GET Needs(Rules), PUT Needs(Rules), DELETE Needs(Rules);
    /// All that is known of a chat.
    CHAT_EXPORT "/api/chats/{chatId}/export": GET Needs(MessagesRead);
    /// The end of a session.
    SESSION "/api/session": DELETE Needs(Sessions);
    /// Account events, and what could not be understood.
    EVENTS "/api/events": GET Needs(MessagesRead);
    /// The API's keys.
    KEYS "/api/keys": POST Needs(Admin), GET Needs(Admin);
    /// One of the API's keys.
    KEY "/api/keys/{keyId}": DELETE Needs(Admin);
    /// The numbers beside the deployment's own.
    NUMBERS "/api/numbers": GET Needs(Admin);
    /// One of these numbers.
    NUMBER "/api/numbers/{phoneNumberId}": GET Needs(Admin), PUT Needs(Admin), DELETE Needs(Admin);
    /// What WhatsApp calls.
    WEBHOOK "/api/webhook": GET Open, POST Open;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_known_by_its_pattern() {
        let allow = |path| route_of(path).map(Route::allow);
        assert_eq!(allow("/api/messages/wamid.X").as_deref(), Some("GET"));
        assert_eq!(allow("/api/messages/send").as_deref(), Some("POST"));
        assert_eq!(allow("/api/keys").as_deref(), Some("POST, GET"));
        for nothing in ["", "/", "/api", "/api/messages/", "/api/messages/a/b", "/api/keys/", "/API/keys"] {
            assert!(route_of(nothing).is_none(), "{nothing}");
        }
    }
}
