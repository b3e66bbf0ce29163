//! The API's routes: methods, query parameters, and required scopes. A test compares them with `template.yaml`.

use lambda_http::http::Method;

use Access::{Authenticated, Needs, NeedsBoth, Open};

use crate::domain::scope::Scope::{
    self, Admin, ChatsWrite, MessagesRead, MessagesSend, Rules, Sessions, Webhooks, Worker,
};

/// The permission that a method of a path needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// No authorizer: the webhook, which verifies signatures instead, and files without data: those of the console, and the
    /// description of the API.
    Open,
    /// Any caller. For responses about nothing but the caller.
    Authenticated,
    /// A caller with this scope.
    Needs(Scope),
    /// A caller with both scopes.
    NeedsBoth(Scope, Scope),
}

impl Access {
    /// Returns the scopes that the caller needs.
    pub fn scopes(self) -> impl Iterator<Item = Scope> {
        let (first, second) = match self {
            Open | Authenticated => (None, None),
            Needs(scope) => (Some(scope), None),
            NeedsBoth(first, second) => (Some(first), Some(second)),
        };
        first.into_iter().chain(second)
    }
}

/// A method of a path.
#[derive(Debug)]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The query parameters that the method takes. Others are refused, except by open routes: Meta and the operator may
    /// add parameters to the webhook's URL.
    pub query: &'static [&'static str],
    /// The permission that the method needs.
    pub access: Access,
}

/// A path, with its methods.
#[derive(Debug)]
pub struct Route {
    /// The path pattern as in `template.yaml`: `/api/messages/{messageId}`.
    pub path: &'static str,
    /// The methods, in the order of the `Allow` header.
    pub operations: &'static [Operation],
}

impl Route {
    /// Returns the operation of `method`; `None` if the path doesn't support it. `HEAD` is a `GET` without the body (RFC
    /// 9110, section 9.3.2).
    pub fn operation(&self, method: &Method) -> Option<&'static Operation> {
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        self.operations.iter().find(|operation| operation.method == *method)
    }

    /// The names of the methods, without `HEAD`.
    pub fn methods(&self) -> String {
        self.operations.iter().map(|operation| operation.method.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The value of the `Allow` header.
    pub fn allow(&self) -> String {
        self.methods().replace("GET", "GET, HEAD")
    }

    fn matches(&self, path: &str) -> bool {
        let (mut wanted, mut found) = (self.path.split('/'), path.split('/'));
        loop {
            match (wanted.next(), found.next()) {
                (None, None) => return true,
                (Some(wanted), Some(_)) if wanted.ends_with("+}") => return true,
                (Some(wanted), Some(found)) if wanted == found => {}
                (Some(wanted), Some(found)) if wanted.starts_with('{') && !found.is_empty() => {}
                _ => return false,
            }
        }
    }
}

/// Returns the route of a path for any method; `None` for an unknown path. A path without variables takes precedence:
/// `/api/messages/send` isn't a message's.
pub fn route_of(path: &str) -> Option<&'static Route> {
    // The webhook is the one path that may end with a slash, which is easily typed into Meta's form.
    let path = if path.strip_suffix('/') == Some(WEBHOOK.path) { WEBHOOK.path } else { path };
    let exact = ALL.iter().find(|route| route.path == path);
    exact.or_else(|| ALL.iter().find(|route| route.matches(path))).copied()
}

/// Returns the path pattern that a caller most likely means by a path that doesn't exist: without repeated slashes and the
/// one at the end, in lowercase, and below `/api`.
pub fn similar_path(path: &str) -> Option<&'static str> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let path = format!("/{}", segments.join("/"));
    let candidates = [path.clone(), path.to_ascii_lowercase(), format!("/api{path}").to_ascii_lowercase()];
    let mut routes = candidates.iter().filter_map(|candidate| route_of(candidate));
    // Any path below a greedy one matches it.
    routes.find(|route| !route.path.ends_with("+}")).map(|route| route.path)
}

macro_rules! routes {
    ($($(#[$doc:meta])* $name:ident $path:literal: $($method:ident $query:tt $access:expr),+;)+) => {
        $(
            $(#[$doc])*
            pub static $name: Route = Route {
                path: $path,
                operations: &[$(Operation { method: Method::$method, query: &$query, access: $access }),+],
            };
        )+

        /// Every route.
        pub static ALL: &[&Route] = &[$(&$name),+];
    };
}

routes! {
    /// Returns the caller.
    ME "/api/me": GET [] Authenticated;
    /// Creates an owner's session.
    CREATE_SESSION "/api/session/create": POST [] Needs(Sessions);
    /// Lists the sessions that the caller can use.
    SESSIONS "/api/sessions": GET ["limit", "cursor"] Needs(Sessions);
    /// Returns a session's state.
    SESSION_STATUS "/api/session/status": GET ["sessionId"] Needs(Sessions);
    /// Checks why a session's messages don't flow.
    HEALTH "/api/health": GET ["sessionId"] Needs(Sessions);
    /// Returns the QR code to scan.
    QR "/api/qr": GET ["sessionId", "format"] Needs(Sessions);
    /// Resumes a paused session.
    SESSION_RESUME "/api/session/resume": POST [] Needs(Sessions);
    /// Sends a message.
    SEND_MESSAGE "/api/messages/send": POST [] Needs(MessagesSend);
    /// Lists the message templates of the number's account.
    TEMPLATES "/api/templates": GET ["sessionId", "status", "limit", "cursor"] Needs(MessagesSend);
    /// Returns a message with its delivery history.
    MESSAGE "/api/messages/{messageId}": GET ["sessionId", "include"] Needs(MessagesRead);
    /// Announces a file to upload and send.
    CREATE_MEDIA "/api/media": POST [] Needs(MessagesSend);
    /// Redirects to a file.
    MEDIA "/api/media/{mediaId}": GET [] Needs(MessagesRead);
    /// Publishes a worker's QR code.
    SESSION_QR "/api/session/qr": PUT [] Needs(Worker);
    /// Sets a worker session's state.
    SESSION_STATE "/api/session/state": PUT [] Needs(Worker);
    /// Claims messages for a worker.
    OUTBOX_CLAIM "/api/outbox/claim": POST [] Needs(Worker);
    /// Settles a message that a worker claimed.
    OUTBOX_SETTLE "/api/outbox/settle": POST [] Needs(Worker);
    /// Imports messages of another system.
    IMPORT_MESSAGES "/api/messages/import": POST [] Needs(Admin);
    /// Stores a message that a worker's device received.
    RECEIVE_MESSAGE "/api/messages/receive": POST [] Needs(Worker);
    /// Lists a session's chats.
    CHATS "/api/chats": GET ["sessionId", "phone", "status", "type", "unread", "limit", "cursor"] Needs(MessagesRead);
    /// Returns, changes, or erases a chat.
    CHAT "/api/chats/{chatId}": GET [] Needs(MessagesRead), PATCH [] Needs(ChatsWrite), DELETE [] Needs(Sessions);
    /// Marks a chat as read.
    CHAT_READ "/api/chats/{chatId}/read": POST [] Needs(ChatsWrite);
    /// Shows the contact that the business is typing.
    CHAT_TYPING "/api/chats/{chatId}/typing": POST [] Needs(MessagesSend);
    /// Lists a chat's messages.
    CHAT_MESSAGES "/api/chats/{chatId}/messages": GET ["limit", "cursor", "order"] Needs(MessagesRead);
    /// Lists a session's auto-reply rules, or creates one.
    AUTO_REPLIES "/api/auto-replies": GET ["sessionId"] Needs(Rules), POST ["sessionId"] Needs(Rules);
    /// Evaluates the auto-reply rules for a text.
    AUTO_REPLY_DRY_RUN "/api/auto-replies/dry-run": POST [] Needs(Rules);
    /// Returns, replaces, or deletes an auto-reply rule.
    AUTO_REPLY "/api/auto-replies/{ruleId}": GET [] Needs(Rules), PUT [] Needs(Rules), DELETE [] Needs(Rules);
    /// Exports a chat.
    CHAT_EXPORT "/api/chats/{chatId}/export": GET ["limit", "cursor"] Needs(MessagesRead);
    /// Changes a session's settings, or erases a session.
    SESSION "/api/session": PATCH [] Needs(Sessions), DELETE ["sessionId"] Needs(Sessions);
    /// Lists a session's changes.
    CHANGES "/api/changes": GET ["sessionId", "after", "limit", "types"] Needs(MessagesRead);
    /// Returns a session's hourly counters.
    STATS "/api/stats": GET ["sessionId", "from", "to"] Needs(MessagesRead);
    /// Lists account events, and webhook content that couldn't be parsed.
    EVENTS "/api/events": GET ["sessionId", "cursor"] Needs(MessagesRead);
    /// Creates or lists API keys.
    KEYS "/api/keys": POST [] Needs(Admin), GET ["limit", "cursor"] Needs(Admin);
    /// Deletes an API key.
    KEY "/api/keys/{keyId}": DELETE [] Needs(Admin);
    /// Lists the registered numbers.
    NUMBERS "/api/numbers": GET [] Needs(Admin);
    /// Returns, registers, or deletes a number.
    NUMBER "/api/numbers/{phoneNumberId}": GET [] Needs(Admin), PUT [] Needs(Admin), DELETE [] Needs(Admin);
    /// Lists the webhooks of a session, or those for all sessions, or creates one, which receives messages.
    WEBHOOKS "/api/webhooks": GET ["sessionId"] Needs(Webhooks), POST [] NeedsBoth(Webhooks, MessagesRead);
    /// Returns, changes, or deletes a webhook. A change can send messages to another URL.
    WEBHOOK_ENDPOINT "/api/webhooks/{webhookId}":
        GET [] Needs(Webhooks), PATCH [] NeedsBoth(Webhooks, MessagesRead), DELETE [] Needs(Webhooks);
    /// Returns or rotates the secret of a webhook.
    WEBHOOK_SECRET "/api/webhooks/{webhookId}/secret": GET [] Needs(Webhooks), POST [] Needs(Webhooks);
    /// Sends a test to a webhook.
    WEBHOOK_TEST "/api/webhooks/{webhookId}/test": POST [] Needs(Webhooks);
    /// Lists failed, waiting, and retried deliveries of a webhook.
    WEBHOOK_ATTEMPTS "/api/webhooks/{webhookId}/attempts": GET ["status", "messageId", "limit", "cursor"] Needs(Webhooks);
    /// Delivers a change to a webhook again.
    WEBHOOK_RETRY "/api/webhooks/{webhookId}/attempts/{changeId}/retry": POST [] Needs(Webhooks);
    /// Delivers a part of a session's change log to a webhook again.
    WEBHOOK_REPLAY "/api/webhooks/{webhookId}/replay": POST [] Needs(Webhooks);
    /// Returns the OpenAPI description of the API.
    OPENAPI "/api/openapi.json": GET [] Open;
    /// Serves the console's page.
    CONSOLE "/console": GET [] Open;
    /// Serves the console's files.
    CONSOLE_FILES "/console/{proxy+}": GET [] Open;
    /// Receives WhatsApp's webhooks.
    WEBHOOK "/api/webhook": GET ["hub.mode", "hub.verify_token", "hub.challenge"] Open, POST [] Open;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_matches_its_pattern() {
        let allow = |path| route_of(path).map(Route::allow);
        assert_eq!(allow("/api/messages/wamid.X").as_deref(), Some("GET, HEAD"));
        assert_eq!(allow("/api/messages/send").as_deref(), Some("POST"));
        assert_eq!(allow("/api/keys").as_deref(), Some("POST, GET, HEAD"));
        assert_eq!(KEYS.methods(), "POST, GET");
        assert_eq!(allow("/api/webhook/"), allow("/api/webhook"));
        assert_eq!(allow("/console/0/styles.css").as_deref(), Some("GET, HEAD"));
        for nothing in
            ["", "/", "/api", "/api/messages/", "/api/messages/a/b", "/api/keys/", "/API/keys", "/api/webhook//"]
        {
            assert!(route_of(nothing).is_none(), "{nothing}");
        }
    }

    #[test]
    fn head_is_the_operation_of_get() {
        for route in ALL {
            let [head, get] =
                [Method::HEAD, Method::GET].map(|method| route.operation(&method).map(|found| found.access));
            assert_eq!(head, get, "{}", route.path);
        }
    }

    #[test]
    fn a_misspelled_path_leads_to_the_similar_one() {
        for (path, expected) in [
            ("/api/webhook/", Some("/api/webhook")),
            ("/api/chats//", Some("/api/chats")),
            ("//api/chats", Some("/api/chats")),
            ("/API/Chats", Some("/api/chats")),
            ("/chats", Some("/api/chats")),
            ("/api/messages/wamid.X/", Some("/api/messages/{messageId}")),
            ("/console//", Some("/console")),
            ("/console/0/app.js", None),
            ("/api/nothing", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(similar_path(path), expected, "{path}");
        }
    }
}
