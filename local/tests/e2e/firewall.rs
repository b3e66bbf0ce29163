//! The API behind a firewall: a request that bypasses CloudFront is refused.

use std::collections::BTreeMap;

use local::{functions, template::Template};
use serde_json::json;
use shared::http::origin_guard::HEADER;

use crate::test_app::{Response, TestApp, text_message};

const WEB_ACL: &str =
    "arn:aws:wafv2:us-east-1:123456789012:global/webacl/WebAcl-1a2B3c/12345678-90ab-cdef-1234-567890abcdef";
const STATUS: &str = "/api/session/status?sessionId=00000000-0000-4000-8000-000000000000";
const SECRET: &str = "qasid-OriginSecret";

impl TestApp {
    /// Sends a request with this value of the origin header, or without the header.
    async fn through(
        &self,
        origin: Option<&str>,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let mut headers = more.to_vec();
        headers.extend(origin.map(|value| (HEADER, value)));
        self.anonymous(method, path, &headers, body.to_vec()).await
    }

    /// Whether the authorizer and both webhook methods admit this origin. Panics if they disagree.
    async fn admits(&self, origin: Option<&str>) -> bool {
        let key = format!("Bearer {}", self.ready.api_key);
        let keyed = self.through(origin, "GET", STATUS, &[("authorization", &key)], b"").await;
        let token = &self.ready.verify_token;
        let path = format!("/api/webhook?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=7");
        let verification = self.through(origin, "GET", &path, &[], b"").await;
        let body = self.webhook_body(&json!([])).to_string().into_bytes();
        let signature = self.signature(&body);
        let delivery =
            self.through(origin, "POST", "/api/webhook", &[("x-hub-signature-256", &signature)], &body).await;
        let statuses = [keyed.status, verification.status, delivery.status];
        if statuses == [404, 200, 200] {
            assert_eq!(keyed.json["code"], "session_not_found");
            return true;
        }
        if statuses == [403, 403, 403] {
            assert_eq!(keyed.json, json!({"message": "Forbidden"}));
            assert_eq!([&verification.json["code"], &delivery.json["code"]], ["wrong_address", "wrong_address"]);
            return false;
        }
        panic!("authorizer and webhook disagree: {statuses:?}")
    }
}

async fn start() -> (TestApp, String) {
    let app = TestApp::start_with(&[("WebAclArn", WEB_ACL)]).await;
    let origin = app.ready.origin.clone().unwrap();
    (app, origin)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_that_bypasses_the_firewall_is_refused() {
    let (app, origin) = start().await;
    // Neither accepted nor refused requests of the same key affect the next decision.
    assert!(app.admits(Some(&origin)).await);
    let (short, long, twice) = (&origin[1..], format!("{origin}a"), format!("{origin},{origin}"));
    for wrong in [None, Some(""), Some(short), Some(&long), Some(&twice)] {
        assert!(!app.admits(wrong).await, "{wrong:?}");
        assert!(app.admits(Some(&origin)).await, "a refusal is not cached");
    }
    assert_eq!(
        app.through(Some(&origin), "GET", STATUS, &[], b"").await.status,
        401,
        "the origin header replaces no key"
    );
    assert_eq!(app.through(None, "OPTIONS", "/api/keys", &[], b"").await.status, 204, "preflight requests are public");

    // A signed webhook that bypasses the firewall stores nothing. The simulated WhatsApp uses the firewall.
    let body = app.webhook_body(&json!([text_message("wamid.bypass", "201001234567", "hello")])).to_string();
    let signature = app.signature(body.as_bytes());
    let headers = [("x-hub-signature-256", signature.as_str())];
    assert_eq!(app.through(None, "POST", "/api/webhook", &headers, body.as_bytes()).await.status, 403);
    assert!(app.items("unowned_message").await.is_empty());
    app.connect("ada").await;
    app.inbound(&json!({"from": "201001234567", "text": "hello"})).await;
    assert_eq!(app.items("message").await.len(), 1);

    for function in ["function authorizer", "function webhook"] {
        assert!(app.has_logged(&["OriginGuardRejections", function]), "{function} counts: {:#?}", app.log_lines());
    }
    assert!(app.has_logged(&["origin rejected"]));
    assert!(!app.has_logged(&[short]), "the secret is not logged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotated_origin_secret_is_accepted_beside_the_old_one() {
    let (app, old) = start().await;
    let new = "n".repeat(43);
    assert!(app.admits(Some(&old)).await);
    app.put_secret_value(SECRET, &json!({"first": old, "second": new})).await;
    // The webhook and the authorizer refresh the secret independently. An unsigned webhook is enough to check the
    // origin; verification requests have a low rate limit.
    let key = format!("Bearer {}", app.ready.api_key);
    let status_of = async |origin: &str, function: &str| {
        let response = match function {
            "authorizer" => app.through(Some(origin), "GET", STATUS, &[("authorization", &key)], b"").await,
            _ => app.through(Some(origin), "POST", "/api/webhook", &[], b"").await,
        };
        response.status
    };
    for (function, status) in [("authorizer", 404), ("webhook", 401)] {
        app.wait_until("the new secret is accepted", async || status_of(&new, function).await == status).await;
    }
    assert!(app.admits(Some(&old)).await && app.admits(Some(&new)).await, "both secrets are accepted");

    app.put_secret_value(SECRET, &json!({"first": "", "second": new})).await;
    for function in ["authorizer", "webhook"] {
        let is_refused = async || {
            // A wrong value triggers a refresh.
            status_of("wrong", function).await;
            status_of(&old, function).await == 403
        };
        app.wait_until("the old secret is refused", is_refused).await;
    }
    assert!(!app.admits(Some(&old)).await && app.admits(Some(&new)).await);
}

#[test]
fn template_has_an_optional_firewall() {
    let path = functions::workspace().join("template.yaml");
    let load = |web_acl: &str| Template::load(&path, &BTreeMap::from([("WebAclArn".to_owned(), web_acl.to_owned())]));
    let (without, with) = (load("").unwrap(), load(WEB_ACL).unwrap());
    let cache_seconds = |template: &Template| template.http_api.authorizers["Credentials"].cache_ttl.as_secs();
    assert_eq!((cache_seconds(&without), cache_seconds(&with)), (60, 0));
    assert!(!without.secrets.contains_key("OriginSecret"));
    let secret = &with.secrets["OriginSecret"];
    for function in &with.functions {
        let may_read = function.permissions.iter().any(|statement| statement.resources.contains(secret));
        let needs_secret = ["authorizer", "webhook"].contains(&function.name.as_str());
        assert_eq!(may_read, needs_secret, "{}", function.name);
        let secret_id = function.environment.get("ORIGIN_SECRET_ID").map(String::as_str);
        assert_eq!(secret_id, needs_secret.then_some(secret.as_str()), "{}", function.name);
    }
    for function in &without.functions {
        let secret_id = function.environment.get("ORIGIN_SECRET_ID").map_or("", String::as_str);
        assert_eq!(secret_id, "", "{}", function.name);
    }
    // Resources that the local run doesn't create.
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(&format!("HeaderName: {HEADER}\n")));
    assert!(text.contains("{{resolve:secretsmanager:${OriginSecret}:SecretString:${OriginKey}}}"));
    for invalid in [WEB_ACL.replace("us-east-1", "eu-central-1"), WEB_ACL.replace("global", "regional")] {
        assert!(load(&invalid).is_err(), "{invalid}");
    }
}
