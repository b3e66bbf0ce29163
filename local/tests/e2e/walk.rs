//! Every route of `template.yaml`, walked with keys that must not reach what is behind it. A route that is not described
//! in [`call`] fails these tests: a new endpoint says here how a tenant would ask for what is another's.

use std::collections::{BTreeMap, BTreeSet};

use local::{functions, template::Template};
use serde_json::{Value, json};
use shared::http::access::{Access, Scope, paths};

use crate::system::{Answer, System};

/// Ids of one tenant's things, or of nobody's.
struct Ids {
    owner: String,
    session: String,
    chat: String,
    message: String,
    key: String,
    rule: String,
}

impl Ids {
    /// Well-formed ids that nothing has.
    fn of_nothing() -> Self {
        let nothing = |n: u8| format!("00000000-0000-4000-8000-0000000000{n:02}");
        Self {
            owner: "nobody".to_owned(),
            session: nothing(1),
            chat: nothing(4),
            message: nothing(2),
            key: nothing(3),
            rule: nothing(5),
        }
    }
}

/// What a caller without the right to it gets for a good request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// 404, the same for what is another's and for what is not there.
    Missing,
    /// 403, because the request names an owner, and the caller is another.
    OtherOwner,
    /// 403, because only administrators may.
    AdminsOnly,
}

/// A good request to the route, for the things with these ids, and how a tenant who does not own them is refused.
fn call(route: &str, ids: &Ids) -> Option<(String, Value, Refusal)> {
    let Ids { owner, session, chat, message, key, rule } = ids;
    let to = "201001234567";
    let number = "106540352242922";
    let lease = "00000000-0000-4000-8000-000000000009";
    let now = jiff::Timestamp::UNIX_EPOCH.to_string();
    let auto_reply = json!({"name": "x", "trigger": {"type": "any"}, "reply": {"message": "x"}});
    let (path, body, refusal) = match route {
        "POST /api/session/create" => ("".to_owned(), json!({"userId": owner}), Refusal::OtherOwner),
        "GET /api/session/status" => (format!("?sessionId={session}"), Value::Null, Refusal::Missing),
        "GET /api/qr" => (format!("?sessionId={session}"), Value::Null, Refusal::Missing),
        "POST /api/session/resume" => ("".to_owned(), json!({"sessionId": session}), Refusal::Missing),
        "POST /api/messages/send" => {
            ("".to_owned(), json!({"sessionId": session, "to": to, "message": "hello"}), Refusal::Missing)
        }
        "GET /api/messages/{messageId}" => (message.clone(), Value::Null, Refusal::Missing),
        "PUT /api/session/qr" => {
            ("".to_owned(), json!({"sessionId": session, "qr": "2@x", "expiresInSeconds": 20}), Refusal::Missing)
        }
        "PUT /api/session/state" => {
            ("".to_owned(), json!({"sessionId": session, "isConnected": false, "isReady": false}), Refusal::Missing)
        }
        "POST /api/outbox/claim" => ("".to_owned(), json!({"sessionId": session}), Refusal::Missing),
        "POST /api/outbox/settle" => {
            ("".to_owned(), json!({"messageId": message, "lease": lease, "sent": {"id": "3EB0"}}), Refusal::Missing)
        }
        "POST /api/messages/receive" => {
            ("".to_owned(), json!({"sessionId": session, "id": "3EB1", "from": to, "timestamp": now}), Refusal::Missing)
        }
        "GET /api/chats" => (format!("?sessionId={session}"), Value::Null, Refusal::Missing),
        "GET /api/chats/{chatId}" | "GET /api/chats/{chatId}/messages" | "GET /api/chats/{chatId}/export" => {
            (chat.clone(), Value::Null, Refusal::Missing)
        }
        "PATCH /api/chats/{chatId}" => (chat.clone(), json!({"status": "ARCHIVED"}), Refusal::Missing),
        "POST /api/chats/{chatId}/read" => (chat.clone(), Value::Null, Refusal::Missing),
        "GET /api/auto-replies" => (format!("?sessionId={session}"), Value::Null, Refusal::Missing),
        "POST /api/auto-replies" => (format!("?sessionId={session}"), auto_reply, Refusal::Missing),
        "POST /api/auto-replies/dry-run" => {
            ("".to_owned(), json!({"sessionId": session, "text": "hello", "chatId": chat}), Refusal::Missing)
        }
        "GET /api/auto-replies/{ruleId}" | "DELETE /api/auto-replies/{ruleId}" => {
            (rule.clone(), Value::Null, Refusal::Missing)
        }
        "PUT /api/auto-replies/{ruleId}" => (rule.clone(), auto_reply, Refusal::Missing),
        "DELETE /api/chats/{chatId}" => (chat.clone(), Value::Null, Refusal::Missing),
        "DELETE /api/session" => (format!("?sessionId={session}"), Value::Null, Refusal::Missing),
        "GET /api/events" => (format!("?sessionId={session}"), Value::Null, Refusal::Missing),
        "POST /api/keys" => {
            ("".to_owned(), json!({"name": "x", "ownerId": owner, "scopes": ["sessions"]}), Refusal::AdminsOnly)
        }
        "GET /api/keys" => ("".to_owned(), Value::Null, Refusal::AdminsOnly),
        "DELETE /api/keys/{keyId}" => (key.clone(), Value::Null, Refusal::AdminsOnly),
        "GET /api/numbers" => ("".to_owned(), Value::Null, Refusal::AdminsOnly),
        "GET /api/numbers/{phoneNumberId}" | "DELETE /api/numbers/{phoneNumberId}" => {
            (number.to_owned(), Value::Null, Refusal::AdminsOnly)
        }
        "PUT /api/numbers/{phoneNumberId}" => {
            (number.to_owned(), json!({"displayPhoneNumber": "15550783881", "ownerId": owner}), Refusal::AdminsOnly)
        }
        _ => return None,
    };
    let pattern = route.split_once(' ')?.1;
    let fixed = pattern.split('{').next()?;
    let rest = pattern.split_once('}').map_or("", |(_, rest)| rest);
    Some((format!("{fixed}{path}{rest}"), body, refusal))
}

/// The routes of the template by their keys, with the authorizer of each.
fn routes() -> BTreeMap<String, Option<String>> {
    let template = Template::load(&functions::workspace().join("template.yaml"), &BTreeMap::new()).unwrap();
    let routes = template.functions.into_iter().flat_map(|function| function.routes);
    routes.map(|route| (route.key(), route.authorizer)).collect()
}

/// Those that serve what the others do not.
fn is_the_rest(key: &str) -> bool {
    key == "$default" || key == "OPTIONS /{proxy+}"
}

#[test]
fn the_template_and_the_table_of_routes_agree() {
    let mut known = BTreeSet::new();
    for route in paths::ALL {
        for (method, access) in route.methods {
            let authorizer = (*access != Access::Open).then(|| "Credentials".to_owned());
            known.insert((format!("{method} {}", route.path), authorizer));
        }
    }
    known.insert(("$default".to_owned(), Some("Credentials".to_owned())));
    known.insert(("OPTIONS /{proxy+}".to_owned(), None));
    assert_eq!(routes().into_iter().collect::<BTreeSet<_>>(), known);
    let open: Vec<_> =
        known.iter().filter(|(_, authorizer)| authorizer.is_none()).map(|(key, _)| key.as_str()).collect();
    assert_eq!(open, ["GET /api/webhook", "OPTIONS /{proxy+}", "POST /api/webhook"]);
}

/// The routes that take a key, with what each needs.
fn guarded() -> Vec<(String, Scope)> {
    let guarded = routes().into_keys().filter(|key| !is_the_rest(key)).filter_map(|key| {
        let (method, path) = key.split_once(' ').unwrap();
        let route = paths::ALL.iter().find(|route| route.path == path).unwrap();
        match route.access(&method.parse().unwrap()).unwrap() {
            Access::Needs(scope) => Some((key, scope)),
            Access::Open => None,
        }
    });
    guarded.collect()
}

fn described(route: &str, ids: &Ids) -> (String, Value, Refusal) {
    call(route, ids).unwrap_or_else(|| panic!("{route} is not in this walk: say how a tenant would ask for another's"))
}

async fn ask(system: &System, route: &str, ids: &Ids, key: &str) -> Answer {
    let (path, body, _) = described(route, ids);
    system.with_key(key, route.split(' ').next().unwrap(), &path, &body).await
}

/// What an answer says, without the id of its request.
fn said(answer: &Answer) -> (u16, String) {
    let id = answer.json["requestId"].as_str().unwrap_or("none");
    (answer.status, String::from_utf8(answer.bytes.clone()).unwrap().replace(id, ""))
}

const EVERY_SCOPE_OF_A_TENANT: [&str; 5] = ["sessions", "messages:send", "messages:read", "rules", "worker"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_another_tenant_is_reached() {
    let system = System::start().await;
    // The victim is a worker's session with a message that waits: every route would do something to it.
    let session = system.create("ada").await["id"].as_str().unwrap().to_owned();
    let state = json!({"sessionId": session, "isConnected": true, "isReady": true});
    system.request("PUT", "/api/session/state", &[], state.to_string().into_bytes()).await;
    let sent = system.send(&session, "201001234567", "private").await.json;
    let (key, _) = system.key("ada", &["sessions"]).await;
    let rule = json!({"name": "private", "trigger": {"type": "any"}, "reply": {"message": "private"}});
    let rule = system.post(&format!("/api/auto-replies?sessionId={session}"), &rule).await.json["rule"].clone();
    let victim = Ids {
        owner: "ada".to_owned(),
        session: session.clone(),
        chat: sent["chat"]["id"].as_str().unwrap().to_owned(),
        message: sent["message"]["id"].as_str().unwrap().to_owned(),
        key: key["id"].as_str().unwrap().to_owned(),
        rule: rule["id"].as_str().unwrap().to_owned(),
    };
    let nothing = Ids::of_nothing();
    // One attacker has a session of his own, and one has none.
    system.create("mallory").await;
    let (_, with_session) = system.key("mallory", &EVERY_SCOPE_OF_A_TENANT).await;
    let (_, without) = system.key("trudy", &EVERY_SCOPE_OF_A_TENANT).await;
    let kinds = ["session", "chat", "message", "api_key_entry", "rule"];
    let everything = async || futures_util::future::join_all(kinds.map(|kind| system.items(kind))).await;
    let before = everything().await;

    for (route, _) in guarded() {
        for attacker in [&with_session, &without] {
            let (of_victim, of_nothing) =
                (ask(&system, &route, &victim, attacker).await, ask(&system, &route, &nothing, attacker).await);
            let (status, code) = match described(&route, &victim).2 {
                Refusal::Missing => (404, "_not_found"),
                Refusal::OtherOwner => (403, "other_owner"),
                Refusal::AdminsOnly => (403, "missing_scope"),
            };
            let refused = of_victim.json["code"].as_str().is_some_and(|found| found.ends_with(code));
            assert!(of_victim.status == status && refused, "{route}: {}", of_victim.json);
            assert_eq!(said(&of_victim), said(&of_nothing), "{route}");
            assert_eq!(headers(&of_victim), headers(&of_nothing), "{route}");
        }
    }
    assert_eq!(before, everything().await, "and nothing was changed");
    // By WhatsApp's id, and with the victim's session beside it.
    for path in [format!("/api/messages/{}?sessionId={session}", victim.message), "/api/messages/wamid.X".to_owned()] {
        assert_eq!(system.with_key(&without, "GET", &path, &Value::Null).await.status, 404, "{path}");
    }
}

fn headers(answer: &Answer) -> BTreeMap<String, String> {
    let of_the_request = ["x-request-id", "apigw-requestid", "date"];
    let headers = answer.headers.iter().filter(|(name, _)| !of_the_request.contains(&name.as_str()));
    headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}

/// With all the scopes but the one, a route refuses; with that one alone, it does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_asks_for_its_scope() {
    let system = System::start().await;
    let mut keys = BTreeMap::new();
    for scope in Scope::ALL {
        let others: Vec<&str> = EVERY_SCOPE_OF_A_TENANT.into_iter().filter(|other| *other != scope.as_str()).collect();
        keys.insert(scope, (system.key("ada", &[scope.as_str()]).await.1, system.key("ada", &others).await.1));
    }
    let ids = Ids { owner: "ada".to_owned(), ..Ids::of_nothing() };
    for (route, scope) in guarded() {
        let (with, without) = &keys[&scope];
        let refused = ask(&system, &route, &ids, without).await;
        let sentence = format!("This needs a key with the scope {scope}");
        assert_eq!((refused.status, refused.json["error"].as_str()), (403, Some(sentence.as_str())), "{route}");
        let heard = ask(&system, &route, &ids, with).await;
        assert_ne!(heard.json["code"], "missing_scope", "{route}");
    }
}
