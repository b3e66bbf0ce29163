//! The API behind a firewall: what does not come through CloudFront is refused, whatever else it brings.

use std::collections::BTreeMap;

use local::{functions, template::Template};
use serde_json::json;
use shared::http::origin_guard::HEADER;

use crate::system::{Answer, System, text_message};

const WEB_ACL: &str =
    "arn:aws:wafv2:us-east-1:123456789012:global/webacl/WebAcl-1a2B3c/12345678-90ab-cdef-1234-567890abcdef";
const STATUS: &str = "/api/session/status?sessionId=00000000-0000-4000-8000-000000000000";
const SECRET: &str = "qasid-OriginSecret";

impl System {
    /// A request with this value of the header, or without it.
    async fn through(
        &self,
        origin: Option<&str>,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut headers = more.to_vec();
        headers.extend(origin.map(|value| (HEADER, value)));
        self.anonymous(method, path, &headers, body.to_vec()).await
    }

    /// Asks the authorizer, and the webhook twice: whether each let the request in. They agree, or the test fails.
    async fn lets_in(&self, origin: Option<&str>) -> bool {
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
        panic!("they do not agree: {statuses:?}")
    }
}

async fn start() -> (System, String) {
    let system = System::start_with(&[("WebAclArn", WEB_ACL)]).await;
    let origin = system.ready.origin.clone().unwrap();
    (system, origin)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_come_through_the_firewall_is_refused() {
    let (system, origin) = start().await;
    // A good answer for the key first, and between the others: it helps none of them.
    assert!(system.lets_in(Some(&origin)).await);
    let (short, long, twice) = (&origin[1..], format!("{origin}a"), format!("{origin},{origin}"));
    for wrong in [None, Some(""), Some(short), Some(&long), Some(&twice)] {
        assert!(!system.lets_in(wrong).await, "{wrong:?}");
        assert!(system.lets_in(Some(&origin)).await, "and a refusal is not kept either");
    }
    assert_eq!(system.through(Some(&origin), "GET", STATUS, &[], b"").await.status, 401, "it is no key");
    assert_eq!(system.through(None, "OPTIONS", "/api/keys", &[], b"").await.status, 204, "what is no secret");

    // Nothing is stored of a signed message that went past it; the simulated WhatsApp goes through it.
    let body = system.webhook_body(&json!([text_message("wamid.past", "201001234567", "hello")])).to_string();
    let signature = system.signature(body.as_bytes());
    let headers = [("x-hub-signature-256", signature.as_str())];
    assert_eq!(system.through(None, "POST", "/api/webhook", &headers, body.as_bytes()).await.status, 403);
    assert!(system.items("unowned_message").await.is_empty());
    system.connect("ada").await;
    system.customer(&json!({"from": "201001234567", "text": "hello"})).await;
    assert_eq!(system.items("message").await.len(), 1);

    let lines = system.lines();
    for function in ["function authorizer", "function webhook"] {
        let counted = |line: &String| line.contains("RequestsPastFirewall") && line.contains(function);
        assert!(lines.iter().any(counted), "{function} counts: {lines:#?}");
    }
    assert!(lines.iter().any(|line| line.contains("a request did not come through the firewall")));
    assert!(!lines.join("\n").contains(short), "and the secret is not in the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_secret_is_taken_up_beside_the_old_one_until_that_ends() {
    let (system, old) = start().await;
    let new = "n".repeat(43);
    assert!(system.lets_in(Some(&old)).await);
    system.put_secret_of(SECRET, &json!({"first": old, "second": new})).await;
    // The webhook and the authorizer read it again each by itself. An unsigned delivery is enough to ask the webhook: few
    // verifications a second are let through.
    let key = format!("Bearer {}", system.ready.api_key);
    let asked = async |origin: &str, function: &str| {
        let answer = match function {
            "authorizer" => system.through(Some(origin), "GET", STATUS, &[("authorization", &key)], b"").await,
            _ => system.through(Some(origin), "POST", "/api/webhook", &[], b"").await,
        };
        answer.status
    };
    for (function, status) in [("authorizer", 404), ("webhook", 401)] {
        system.until("it knows the new one", async || asked(&new, function).await == status).await;
    }
    assert!(system.lets_in(Some(&old)).await && system.lets_in(Some(&new)).await, "both hold");

    system.put_secret_of(SECRET, &json!({"first": "", "second": new})).await;
    for function in ["authorizer", "webhook"] {
        let ended = async || {
            // A wrong one has it read again before its time.
            asked("wrong", function).await;
            asked(&old, function).await == 403
        };
        system.until("the old one ends", ended).await;
    }
    assert!(!system.lets_in(Some(&old)).await && system.lets_in(Some(&new)).await);
}

#[test]
fn the_template_has_a_firewall_for_who_wants_it() {
    let path = functions::workspace().join("template.yaml");
    let load = |web_acl: &str| Template::load(&path, &BTreeMap::from([("WebAclArn".to_owned(), web_acl.to_owned())]));
    let (without, with) = (load("").unwrap(), load(WEB_ACL).unwrap());
    let keep = |template: &Template| template.http_api.authorizers["Credentials"].keep.as_secs();
    assert_eq!((keep(&without), keep(&with)), (60, 0));
    assert!(!without.secrets.contains_key("OriginSecret"));
    let secret = &with.secrets["OriginSecret"];
    for function in &with.functions {
        let may_read = function.permissions.iter().any(|statement| statement.resources.contains(secret));
        let demands = ["authorizer", "webhook"].contains(&function.name.as_str());
        assert_eq!(may_read, demands, "{}", function.name);
        let told = function.environment.get("ORIGIN_SECRET_ID").map(String::as_str);
        assert_eq!(told, demands.then_some(secret.as_str()), "{}", function.name);
    }
    for function in &without.functions {
        let told = function.environment.get("ORIGIN_SECRET_ID").map_or("", String::as_str);
        assert_eq!(told, "", "{}", function.name);
    }
    // What the local run leaves out.
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(&format!("HeaderName: {HEADER}\n")));
    assert!(text.contains("{{resolve:secretsmanager:${OriginSecret}:SecretString:${OriginKey}}}"));
    for wrong in [WEB_ACL.replace("us-east-1", "eu-central-1"), WEB_ACL.replace("global", "regional")] {
        assert!(load(&wrong).is_err(), "{wrong}");
    }
}
