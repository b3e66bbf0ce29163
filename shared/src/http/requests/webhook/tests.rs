use serde_json::json;

use super::*;
use crate::domain::{scope::Scope, session::Setting};

fn body(body: &Value) -> Body {
    Body::new(body.to_string().into_bytes())
}

fn read(request: &Value) -> Result<NewWebhook, ApiError> {
    NewWebhook::read(&body(request), &Caller::admin("k"), false)
}

fn with(fields: &Value) -> Value {
    let mut request = json!({"url": "https://example.com/hooks"});
    for (name, value) in fields.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

fn sentence(error: ApiError) -> String {
    format!("{error:?}")
}

#[test]
fn a_url_is_enough() {
    let webhook = read(&with(&json!({}))).unwrap();
    assert_eq!(webhook.session_id, None);
    let events = vec![EventPattern::all()];
    assert_eq!(
        webhook.fields,
        WebhookFields {
            url: "https://example.com/hooks".to_owned(),
            events,
            format: Format::Qasid,
            order: Order::None,
            headers: BTreeMap::new(),
            description: None,
            enabled: true,
        }
    );
}

#[test]
fn all_fields_are_read() {
    let session_id = SessionId::for_owner("ada");
    let webhook = read(&json!({
        "sessionId": session_id, "url": "https://Example.com", "events": ["message.*", "chat.erased"],
        "format": "cloud_api", "order": "chat", "headers": {"Authorization": "Bearer a b", "X-Team": "7"},
        "description": " CRM ", "enabled": false, "verifyToken": "token",
    }));
    let NewWebhook { session_id: found, fields, verification } = webhook.unwrap();
    let verification = verification.map(|Verification { url, token }| (url.as_str().to_owned(), token));
    assert_eq!(verification, Some(("https://example.com/".to_owned(), "token".to_owned())));
    assert_eq!(found, Some(session_id));
    assert_eq!(fields.url, "https://example.com/");
    assert_eq!(fields.events.iter().map(ToString::to_string).collect::<Vec<_>>(), ["message.*", "chat.erased"]);
    assert_eq!((fields.format, fields.order, fields.enabled), (Format::CloudApi, Order::Chat, false));
    let headers = [("authorization", "Bearer a b"), ("x-team", "7")];
    assert_eq!(fields.headers, headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(fields.description.as_deref(), Some("CRM"));
}

#[test]
fn only_admins_leave_out_the_session() {
    let tenant = Caller::tenant("k", "ada".to_owned(), Scope::OF_TOKENS);
    let read = |request: Value| NewWebhook::read(&body(&request), &tenant, false).map_err(sentence);
    let error = read(with(&json!({}))).unwrap_err();
    assert!(error.contains("sessionId is required: only an admin's webhook covers all sessions"), "{error}");
    let own = SessionId::for_owner("ada");
    assert_eq!(read(with(&json!({"sessionId": own}))).unwrap().session_id, Some(own));
    assert!(read(with(&json!({"sessionId": SessionId::for_owner("grace")}))).unwrap_err().contains("SessionNotFound"));
}

#[test]
fn wrong_fields_are_refused_with_a_sentence() {
    let (long, many): (_, Vec<_>) = ("a".repeat(501), (0..31).map(|n| format!("message.{n}")).collect());
    let headers: Map<String, Value> = (0..21).map(|n| (format!("x-{n}"), json!("1"))).collect();
    let large = "v".repeat(4096);
    for (fields, expected) in [
        (json!({"url": null}), "url is required"),
        (json!({"url": 7}), "url must be a string"),
        (json!({"url": ""}), "url must be a public https address"),
        (json!({"url": "http://example.com"}), "url must be a public https address"),
        (json!({"url": "http://127.0.0.1:80/"}), "url must be a public https address"),
        (json!({"url": "https://a:b@example.com"}), "url must not contain a user name or password"),
        (json!({"url": "https://10.0.0.1"}), "url must lead to a public address"),
        (json!({"sessionId": "x"}), "sessionId must be a UUID"),
        (json!({"events": "*"}), "events must be an array of 1 to 30 event types"),
        (json!({"events": []}), "events must be an array of 1 to 30 event types"),
        (json!({"events": many}), "events must be an array of 1 to 30 event types"),
        (json!({"events": ["*", 7]}), "events[1] must be a string"),
        (
            json!({"events": ["message.recieved"]}),
            "events[0] is not an event type: message.recieved, did you mean message.received?",
        ),
        (
            json!({"events": ["messages.*"]}),
            "events[0] is not an event type: \\\"messages.*\\\", did you mean message.*?",
        ),
        (json!({"events": ["x\u{0}"]}), "events[0] is not an event type: "),
        (json!({"events": ["chat.*", "*", "chat.*"]}), "events[2] repeats events[0]: remove one of them"),
        (json!({"events": ["webhook.test"]}), "events[0] can't be webhook.test: "),
        (json!({"format": "meta"}), "format must be qasid or cloud_api"),
        (json!({"order": "session"}), "order must be none or chat"),
        (json!({"headers": []}), "headers must be an object with up to 20 headers"),
        (json!({"headers": headers}), "headers must be an object with up to 20 headers"),
        (json!({"headers": {"x-a": large}}), "headers has 4099 bytes: names and values together may have up to 4096"),
        (json!({"headers": {"x-a": 7}}), "headers.x-a must be a string of visible ASCII characters"),
        (json!({"headers": {"x-a": ""}}), "headers.x-a must be a string of visible ASCII characters"),
        (json!({"headers": {"x-a": " a"}}), "headers.x-a must be a string of visible ASCII characters"),
        (json!({"headers": {"x-a": "a\r\nx-b: c"}}), "headers.x-a must be a string of visible ASCII characters"),
        (json!({"headers": {"x-a": "é"}}), "headers.x-a must be a string of visible ASCII characters"),
        (json!({"headers": {"x a": "1"}}), "is not a header name"),
        (json!({"headers": {"": "1"}}), "is not a header name"),
        (json!({"headers": {"x-a:": "1"}}), "is not a header name"),
        (json!({"headers": {"X-A": "1", "x-a": "2"}}), "headers.x-a is given twice"),
        (json!({"description": long}), "description may have up to 500 characters"),
        (json!({"verifyToken": "x"}), "verifyToken must be left out, except with the format cloud_api"),
        (json!({"format": "cloud_api", "verifyToken": ""}), "verifyToken must have 1 to 255 characters"),
        (json!({"format": "cloud_api", "verifyToken": "a".repeat(256)}), "verifyToken must have 1 to 255 characters"),
        (json!({"enabled": "yes"}), "enabled must be true or false"),
        (json!({"event": ["*"]}), "event is not a field of this request: did you mean events?"),
        (json!({"secret": "x"}), "secret is not a field of this request"),
    ] {
        let error = sentence(read(&with(&fields)).unwrap_err());
        assert!(error.contains(expected), "{fields}: {error}");
    }
}

#[test]
fn headers_of_the_delivery_and_of_the_connection_are_refused() {
    for name in [
        "Host",
        "content-length",
        "Content-Type",
        "Connection",
        "keep-alive",
        "Proxy-Authorization",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "User-Agent",
        "webhook-id",
        "Webhook-Signature",
        "webhook-x",
        "X-Hub-Signature",
        "x-hub-signature-256",
    ] {
        let error = sentence(read(&with(&json!({"headers": {name: "1"}}))).unwrap_err());
        assert!(error.contains(&format!("headers.{name} can't be set")), "{error}");
    }
    for name in ["Authorization", "X-Api-Key", "Cookie", "x-webhook-id", "hosts", "X_a", "Webhook"] {
        assert!(read(&with(&json!({"headers": {name: "1"}}))).is_ok(), "{name}");
    }
}

#[test]
fn a_change_has_only_what_the_request_names() {
    let read = |request: Value| WebhookChange::read(&body(&request), true).map_err(sentence);
    let enabled = WebhookChange { enabled: Some(true), ..WebhookChange::default() };
    assert_eq!(read(json!({"enabled": true})), Ok(enabled));
    let removed = WebhookChange { headers: Setting::Reset, description: Setting::Reset, ..WebhookChange::default() };
    assert_eq!(read(json!({"headers": null, "description": null, "events": null})), Ok(removed));
    assert_eq!(read(json!({"description": "x"})).unwrap().description, Setting::Set("x".to_owned()));
    let local = read(json!({"url": "http://127.0.0.1:8080"})).unwrap().url;
    assert_eq!(local.as_deref(), Some("http://127.0.0.1:8080/"));
    for nothing in [json!({}), json!({"enabled": null})] {
        assert!(read(nothing).unwrap_err().contains("Give url, events, format"));
    }
    for wrong in [json!({"sessionId": "x"}), json!({"secret": "x"}), json!({"format": "x"}), json!({"events": []})] {
        assert!(read(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn a_previous_secret_signs_for_up_to_a_week() {
    let seconds = |text: &str| read_rotation(&Body::new(text.as_bytes().to_vec())).map(|grace| grace.as_secs()).ok();
    for (text, expected) in [
        ("", Some(86_400)),
        ("{}", Some(86_400)),
        (r#"{"graceSeconds": null}"#, Some(86_400)),
        (r#"{"graceSeconds": 0}"#, Some(0)),
        (r#"{"graceSeconds": 604800}"#, Some(604_800)),
        (r#"{"graceSeconds": 604801}"#, None),
        (r#"{"graceSeconds": -1}"#, None),
        (r#"{"graceSeconds": "1"}"#, None),
        (r#"{"grace": 1}"#, None),
        ("[]", None),
    ] {
        assert_eq!(seconds(text), expected, "{text}");
    }
}
