//! Tenant isolation and scopes of every route in `template.yaml`. These tests fail for a route that [`call`] doesn't
//! describe: for a new endpoint, add a request for a resource of another tenant.

use std::collections::{BTreeMap, BTreeSet};

use local::{functions, template::Template};
use serde_json::{Value, json};
use shared::{
    domain::scope::Scope,
    http::{
        Method,
        routes::{self, Access},
    },
};

use crate::test_app::{Response, TestApp};

/// Ids of one tenant's resources.
pub(crate) struct Ids {
    pub(crate) owner: String,
    pub(crate) session: String,
    pub(crate) chat: String,
    pub(crate) message: String,
    pub(crate) media: String,
    pub(crate) key: String,
    pub(crate) rule: String,
    pub(crate) webhook: String,
}

impl Ids {
    /// Returns well-formed ids without a resource.
    fn unused() -> Self {
        let unused = |n: u8| format!("00000000-0000-4000-8000-0000000000{n:02}");
        Self {
            owner: "unused".to_owned(),
            session: unused(1),
            chat: unused(4),
            message: unused(2),
            media: unused(7),
            key: unused(3),
            rule: unused(5),
            webhook: unused(6),
        }
    }
}

/// The error for a valid request by a caller without access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 404, identical for a resource of another tenant and a missing one.
    Missing,
    /// 403, because the request names another owner.
    OtherOwner,
    /// 403, because the route is for administrators.
    AdminsOnly,
    /// None: the request names no resource, and the response has nothing of another tenant.
    OwnDataOnly,
}

/// Returns a valid request to the route for the resources with these ids, and the refusal for another tenant.
pub(crate) fn call(route: &str, ids: &Ids) -> Option<(String, Value, Refusal)> {
    let Ids { owner, session, chat, message, media, key, rule, webhook } = ids;
    let to = "201001234567";
    let number = "106540352242922";
    let lease = "00000000-0000-4000-8000-000000000009";
    let now = jiff::Timestamp::UNIX_EPOCH.to_string();
    let auto_reply = json!({"name": "x", "trigger": {"type": "any"}, "reply": {"message": "x"}});
    let (path, body, refusal) = match route {
        "GET /api/me" | "GET /api/sessions" => ("".to_owned(), Value::Null, Refusal::OwnDataOnly),
        "POST /api/session/create" => ("".to_owned(), json!({"userId": owner}), Refusal::OtherOwner),
        "GET /api/session/status" => (format!("?sessionId={session}"), Value::Null, Refusal::Missing),
        "GET /api/qr" => (format!("?sessionId={session}"), Value::Null, Refusal::Missing),
        "POST /api/session/resume" => ("".to_owned(), json!({"sessionId": session}), Refusal::Missing),
        "POST /api/messages/send" => {
            ("".to_owned(), json!({"sessionId": session, "to": to, "message": "hello"}), Refusal::Missing)
        }
        "GET /api/messages/{messageId}" => (message.clone(), Value::Null, Refusal::Missing),
        "POST /api/media" => {
            ("".to_owned(), json!({"sessionId": session, "mimeType": "image/png", "size": 1}), Refusal::Missing)
        }
        "GET /api/media/{mediaId}" => (media.clone(), Value::Null, Refusal::Missing),
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
        "POST /api/chats/{chatId}/read" | "POST /api/chats/{chatId}/typing" => {
            (chat.clone(), Value::Null, Refusal::Missing)
        }
        "GET /api/auto-replies" => (format!("?sessionId={session}"), Value::Null, Refusal::Missing),
        "POST /api/auto-replies" => (format!("?sessionId={session}"), auto_reply, Refusal::Missing),
        "POST /api/auto-replies/dry-run" => {
            ("".to_owned(), json!({"sessionId": session, "text": "hello", "chatId": chat}), Refusal::Missing)
        }
        "GET /api/auto-replies/{ruleId}" | "DELETE /api/auto-replies/{ruleId}" => {
            (rule.clone(), Value::Null, Refusal::Missing)
        }
        "PUT /api/auto-replies/{ruleId}" => (rule.clone(), auto_reply, Refusal::Missing),
        "GET /api/webhooks" => (format!("?sessionId={session}"), Value::Null, Refusal::Missing),
        "POST /api/webhooks" => {
            ("".to_owned(), json!({"sessionId": session, "url": "https://example.com/"}), Refusal::Missing)
        }
        "GET /api/webhooks/{webhookId}"
        | "DELETE /api/webhooks/{webhookId}"
        | "GET /api/webhooks/{webhookId}/secret"
        | "POST /api/webhooks/{webhookId}/test"
        | "GET /api/webhooks/{webhookId}/attempts"
        | "POST /api/webhooks/{webhookId}/attempts/{changeId}/retry"
        | "POST /api/webhooks/{webhookId}/secret" => (webhook.clone(), Value::Null, Refusal::Missing),
        "POST /api/webhooks/{webhookId}/replay" => (webhook.clone(), json!({"after": 0}), Refusal::Missing),
        "PATCH /api/webhooks/{webhookId}" => (webhook.clone(), json!({"enabled": false}), Refusal::Missing),
        "DELETE /api/chats/{chatId}" => (chat.clone(), Value::Null, Refusal::Missing),
        "PATCH /api/session" => {
            ("".to_owned(), json!({"sessionId": session, "defaultCountry": "EG"}), Refusal::Missing)
        }
        "DELETE /api/session" => (format!("?sessionId={session}"), Value::Null, Refusal::Missing),
        "GET /api/health" => (format!("?sessionId={session}"), Value::Null, Refusal::Missing),
        "GET /api/templates" => (format!("?sessionId={session}"), Value::Null, Refusal::Missing),
        "GET /api/changes" => (format!("?sessionId={session}"), Value::Null, Refusal::Missing),
        "GET /api/stats" => (format!("?sessionId={session}"), Value::Null, Refusal::Missing),
        "GET /api/events" => (format!("?sessionId={session}"), Value::Null, Refusal::Missing),
        "POST /api/messages/import" => {
            let message = json!({"id": "1", "contact": to, "fromMe": false, "body": "hello", "timestamp": now});
            ("".to_owned(), json!({"sessionId": session, "messages": [message]}), Refusal::AdminsOnly)
        }
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
    // A second parameter belongs to the resource of the first.
    let rest = pattern.split_once('}').map_or("", |(_, rest)| rest).replace("{changeId}", message);
    Some((format!("{fixed}{path}{rest}"), body, refusal))
}

/// Returns the authorizer of every route in the template.
fn routes() -> BTreeMap<String, Option<String>> {
    let template = Template::load(&functions::workspace().join("template.yaml"), &BTreeMap::new()).unwrap();
    let routes = template.functions.into_iter().flat_map(|function| function.routes);
    routes.map(|route| (route.key(), route.authorizer)).collect()
}

/// The webhook with a slash at the end, for which the greedy variable stands.
const WEBHOOK_WITH_SLASH: [&str; 3] =
    ["GET /api/webhook/{proxy+}", "HEAD /api/webhook/{proxy+}", "POST /api/webhook/{proxy+}"];

/// Whether the route serves requests that match no other route, or another path of the webhook.
fn is_fallback(key: &str) -> bool {
    key == "$default" || key == "OPTIONS /{proxy+}" || WEBHOOK_WITH_SLASH.contains(&key)
}

#[test]
fn template_and_route_table_match() {
    let mut known = BTreeSet::new();
    for route in routes::ALL {
        for operation in route.operations {
            let authorizer = (operation.access != Access::Open).then(|| "Credentials".to_owned());
            known.insert((format!("{} {}", operation.method, route.path), authorizer.clone()));
            if operation.method == Method::GET {
                known.insert((format!("HEAD {}", route.path), authorizer));
            }
        }
    }
    known.insert(("$default".to_owned(), Some("Credentials".to_owned())));
    known.insert(("OPTIONS /{proxy+}".to_owned(), None));
    known.extend(WEBHOOK_WITH_SLASH.map(|key| (key.to_owned(), None)));
    assert_eq!(routes().into_iter().collect::<BTreeSet<_>>(), known);
    let open: Vec<_> =
        known.iter().filter(|(_, authorizer)| authorizer.is_none()).map(|(key, _)| key.as_str()).collect();
    let webhook = ["GET /api/webhook", "HEAD /api/webhook", "POST /api/webhook"];
    let console =
        ["GET /console", "HEAD /console", "GET /console/{proxy+}", "HEAD /console/{proxy+}", "OPTIONS /{proxy+}"];
    let document = ["GET /api/openapi.json", "HEAD /api/openapi.json"];
    let expected: BTreeSet<&str> =
        webhook.into_iter().chain(WEBHOOK_WITH_SLASH).chain(document).chain(console).collect();
    assert_eq!(open, expected.into_iter().collect::<Vec<_>>());
}

/// Returns the routes that need a key, with the scopes that they need.
fn guarded() -> Vec<(String, Vec<Scope>)> {
    // The permission of HEAD is that of GET, by the same entry of the table.
    let guarded = routes().into_keys().filter(|key| !is_fallback(key) && !key.starts_with("HEAD ")).filter_map(|key| {
        let (method, path) = key.split_once(' ').unwrap();
        let route = routes::ALL.iter().find(|route| route.path == path).unwrap();
        let access = route.operation(&method.parse().unwrap()).unwrap().access;
        (access != Access::Open).then(|| (key, access.scopes().collect()))
    });
    guarded.collect()
}

fn described(route: &str, ids: &Ids) -> (String, Value, Refusal) {
    call(route, ids).unwrap_or_else(|| panic!("{route}: describe a request for a resource of another tenant"))
}

async fn request(app: &TestApp, route: &str, ids: &Ids, key: &str) -> Response {
    let (path, body, _) = described(route, ids);
    app.with_key(key, route.split(' ').next().unwrap(), &path, &body).await
}

/// Returns the status and the body of a response, without its request id.
fn status_and_body(response: &Response) -> (u16, String) {
    let id = response.json["requestId"].as_str().unwrap_or("none");
    (response.status, String::from_utf8(response.bytes.clone()).unwrap().replace(id, ""))
}

const TENANT_SCOPES: [&str; 7] =
    ["sessions", "messages:send", "messages:read", "chats:write", "rules", "webhooks", "worker"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resources_of_another_tenant_are_unreachable() {
    let app = TestApp::start().await;
    // The victim has a worker's session with a pending message, so every route would have an effect.
    let session = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    app.set_worker_state(&session, true).await;
    let sent = app.send(&session, "201001234567", "private").await.json;
    let media = json!({"sessionId": session, "mimeType": "image/png", "size": 1});
    let media = app.post("/api/media", &media).await.json;
    let (key, _) = app.create_key("ada", &["sessions"]).await;
    let rule = json!({"name": "private", "trigger": {"type": "any"}, "reply": {"message": "private"}});
    let rule = app.post(&format!("/api/auto-replies?sessionId={session}"), &rule).await.json["rule"].clone();
    // The webhook of another tenant, and one for all sessions.
    let webhook = app.create_webhook(&json!({"sessionId": session, "url": "http://127.0.0.1:1/private"})).await;
    let for_all = app.create_webhook(&json!({"url": "http://127.0.0.1:1/private"})).await["webhook"].clone();
    let victim = Ids {
        owner: "ada".to_owned(),
        session: session.clone(),
        chat: sent["chat"]["id"].as_str().unwrap().to_owned(),
        message: sent["message"]["id"].as_str().unwrap().to_owned(),
        media: media["media"]["id"].as_str().unwrap().to_owned(),
        key: key["id"].as_str().unwrap().to_owned(),
        rule: rule["id"].as_str().unwrap().to_owned(),
        webhook: webhook["webhook"]["id"].as_str().unwrap().to_owned(),
    };
    let unused = Ids::unused();
    // One attacker has a session, and one has none.
    app.create_session("mallory").await;
    let (_, with_session) = app.create_key("mallory", &TENANT_SCOPES).await;
    let (_, without) = app.create_key("trudy", &TENANT_SCOPES).await;
    let kinds = ["session", "chat", "message", "media", "api_key_entry", "rule", "webhook"];
    let snapshot = async || futures_util::future::join_all(kinds.map(|kind| app.items(kind))).await;
    let before = snapshot().await;

    for (route, _) in guarded() {
        for attacker in [&with_session, &without] {
            let (of_victim, of_unused) =
                (request(&app, &route, &victim, attacker).await, request(&app, &route, &unused, attacker).await);
            let (status, code) = match described(&route, &victim).2 {
                Refusal::Missing => (404, Some("_not_found")),
                Refusal::OtherOwner => (403, Some("other_owner")),
                Refusal::AdminsOnly => (403, Some("missing_scope")),
                Refusal::OwnDataOnly => (200, None),
            };
            let body = of_victim.json.to_string();
            let as_expected = match (code, of_victim.json["code"].as_str()) {
                (Some(code), found) => found.is_some_and(|found| found.ends_with(code)),
                (None, _) => ![&victim.session, &victim.owner].iter().any(|id| body.contains(&format!("\"{id}\""))),
            };
            assert!(of_victim.status == status && as_expected, "{route}: {body}");
            assert_eq!(status_and_body(&of_victim), status_and_body(&of_unused), "{route}");
            assert_eq!(headers(&of_victim), headers(&of_unused), "{route}");
        }
    }
    assert_eq!(before, snapshot().await, "nothing has changed");
    // A webhook for all sessions is an administrator's.
    for (route, _) in guarded().into_iter().filter(|(route, _)| route.contains("{webhookId}")) {
        let ids = Ids { webhook: for_all["id"].as_str().unwrap().to_owned(), ..Ids::unused() };
        let (of_all, of_unused) =
            (request(&app, &route, &ids, &with_session).await, request(&app, &route, &unused, &with_session).await);
        assert_eq!(of_all.status, 404, "{route}");
        assert_eq!(status_and_body(&of_all), status_and_body(&of_unused), "{route}");
    }
    // Messages by wamid, and by id with the victim's session; the chat of an address.
    let paths = [
        format!("/api/messages/{}?sessionId={session}", victim.message),
        "/api/messages/wamid.X".to_owned(),
        format!("/api/chats?sessionId={session}&phone=201001234567"),
        format!("/api/chats?sessionId={session}&phone=Mona"),
    ];
    for path in paths {
        assert_eq!(app.with_key(&without, "GET", &path, &Value::Null).await.status, 404, "{path}");
    }
}

fn headers(response: &Response) -> BTreeMap<String, String> {
    let of_request = ["x-request-id", "apigw-requestid", "date"];
    let headers = response.headers.iter().filter(|(name, _)| !of_request.contains(&name.as_str()));
    headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}

/// A route refuses a key with every scope except one that it needs, and accepts a key with only its scopes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_needs_its_scope() {
    let app = TestApp::start().await;
    let (mut with, mut without) = (BTreeMap::new(), BTreeMap::new());
    let mut combinations: BTreeSet<Vec<Scope>> = guarded().into_iter().map(|(_, scopes)| scopes).collect();
    // A route without a scope accepts every key.
    assert!(combinations.remove(&Vec::new()));
    for scopes in combinations {
        let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        for name in &names {
            let others: Vec<&str> = TENANT_SCOPES.into_iter().filter(|other| other != name).collect();
            without.insert((*name).to_owned(), app.create_key("ada", &others).await.1);
        }
        let key = app.create_key("ada", &names).await.1;
        with.insert(scopes, key);
    }
    let ids = Ids { owner: "ada".to_owned(), ..Ids::unused() };
    for (route, scopes) in guarded() {
        for scope in &scopes {
            let refused = request(&app, &route, &ids, &without[scope.as_str()]).await;
            let sentence = format!("This needs a key with the scope {scope}");
            assert_eq!((refused.status, refused.json["error"].as_str()), (403, Some(sentence.as_str())), "{route}");
        }
        for key in with.iter().filter(|(of_key, _)| scopes.is_empty() || **of_key == scopes).map(|(_, key)| key) {
            let accepted = request(&app, &route, &ids, key).await;
            assert_ne!(accepted.json["code"], "missing_scope", "{route}");
        }
    }
}
