//! Nothing that people write, and nothing that opens a door, is in any line that a function writes.

use local::{
    Options,
    database::{Fault, Storage},
};
use serde_json::{Value, json};

use crate::system::System;

const TEXT: &str = "quince-marmalade";
const NAME: &str = "Zenobia Quux";
const PHONE: &str = "201005557788";
const SECRET: &str = "kept-under-the-doormat";

/// A system whose secrets are known, paired, with a rule that answers. The QR code that paired it comes along.
async fn start(data: &tempfile::TempDir) -> (System, String, String) {
    let secrets = ["app", "verify", "access"].map(|name| format!("{name}-{SECRET}"));
    let secret = json!({"appSecret": secrets[0], "verifyToken": secrets[1], "accessToken": secrets[2]});
    std::fs::write(data.path().join("secrets.json"), secret.to_string()).unwrap();
    let storage = Storage::Directory(data.path().to_owned());
    let system = System::start_from(Options { storage, ..Options::default() }).await;
    let session = system.create("ada").await;
    let (id, qr) = (session["id"].as_str().unwrap().to_owned(), session["qr"].as_str().unwrap().to_owned());
    system.scan(&qr, PHONE).await;
    let rule = json!({"name": TEXT, "trigger": {"type": "any"}, "reply": {"message": format!("{TEXT} {{{{name}}}}")}});
    let answer = system.post(&format!("/api/auto-replies?sessionId={id}"), &rule).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    (system, id, qr)
}

async fn receive(system: &System) {
    let from = |other: Value| {
        let mut message = json!({"from": PHONE, "name": NAME});
        message.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        message
    };
    system.customer(&from(json!({"text": TEXT}))).await;
    system.customer(&from(json!({"type": "image", "image": {"id": "1", "caption": TEXT}}))).await;
    system.customer(&from(json!({"type": TEXT, "anything": {"body": TEXT}}))).await;
    system.customer(&from(json!({"phoneNumberId": "999", "text": TEXT}))).await;
    system.webhook_bytes(format!("{TEXT} {PHONE}").into_bytes()).await;
    system
        .webhook(&json!({"entry": [{"changes": [{"field": "messages", "value": {"text": TEXT, "from": PHONE}}]}]}))
        .await;
    system.request("POST", "/api/webhook", &[("X-Hub-Signature-256", TEXT)], TEXT.into()).await;
    system.get(&format!("/api/webhook?hub.mode=subscribe&hub.verify_token={SECRET}&hub.challenge={TEXT}")).await;
}

async fn send(system: &System, session_id: &str) {
    for fault in [
        json!({"errorCode": 131_009, "times": 1}),
        json!({"errorCode": 130_429, "times": 1}),
        json!({"dropAfterAcceptance": true, "times": 1}),
    ] {
        system.faults(&json!({"sends": fault})).await;
        assert_eq!(system.send(session_id, PHONE, TEXT).await.status, 200);
        let taken = async || system.simulator("GET", "/simulator/faults", &Value::Null).await["sends"]["times"] != 1;
        system.until("the fault is met", taken).await;
    }
    system.clear_faults().await;
    for body in [
        format!("{{\"message\": \"{TEXT}\", \"to\": \"{PHONE}\""),
        json!({"sessionId": TEXT, "to": PHONE, "message": TEXT}).to_string(),
        json!({"sessionId": session_id, "to": TEXT, "message": TEXT}).to_string(),
        json!({"sessionId": session_id, "to": PHONE, "type": TEXT, TEXT: {"body": TEXT}}).to_string(),
    ] {
        let answer =
            system.request("POST", "/api/messages/send", &[("Idempotency-Key", TEXT)], body.into_bytes()).await;
        assert_eq!(answer.status, 400, "{}", answer.json);
    }
}

/// The table fails, so that errors are told with all their causes.
async fn fail(system: &System, session_id: &str) {
    for fault in [Fault::InternalServerError, Fault::ConnectionLostAfterCommit, Fault::Throttled] {
        for function in ["send-message", "webhook"] {
            system.function_table_fails(function, "TransactWriteItems", fault, 3);
        }
        assert_eq!(system.send(session_id, PHONE, TEXT).await.status, 503);
        system.customer(&json!({"from": PHONE, "name": NAME, "text": TEXT})).await;
        system.clear_table_faults();
    }
}

async fn look(system: &System, session_id: &str) -> Vec<String> {
    let rows = system.items("message").await;
    let wamids: Vec<String> = rows.iter().filter_map(|row| Some(row["wamid"].as_str()?.to_owned())).collect();
    assert!(!wamids.is_empty());
    system.get(&format!("/api/messages/{}?sessionId={session_id}", wamids[0])).await;
    system.get(&format!("/api/chats?sessionId={session_id}&cursor={TEXT}")).await;
    let chat = rows[0]["chat_id"].as_str().unwrap();
    let change = json!({"name": NAME}).to_string().into_bytes();
    assert_eq!(system.request("PATCH", &format!("/api/chats/{chat}"), &[], change).await.status, 200);
    system.post("/api/auto-replies/dry-run", &json!({"sessionId": session_id, "text": TEXT, "chatId": chat})).await;
    wamids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_function_writes_what_people_write_or_what_opens_a_door() {
    let data = tempfile::tempdir().unwrap();
    let (system, session_id, qr) = start(&data).await;
    let (_, key) = system.key("ada", &["sessions"]).await;
    system.with_key(&key, "GET", &format!("/api/session/status?sessionId={session_id}"), &Value::Null).await;
    system.with_key(&format!("{key}x"), "GET", "/api/session/status", &Value::Null).await;
    receive(&system).await;
    send(&system, &session_id).await;
    fail(&system, &session_id).await;
    let wamids = look(&system, &session_id).await;

    let lines: Vec<String> = system.lines().into_iter().filter(|line| line.starts_with("function")).collect();
    // What is looked for is looked for where something is told.
    for function in ["webhook", "send-message", "deliver", "respond", "chat", "message", "auto-replies", "authorizer"] {
        assert!(lines.iter().any(|line| line.contains(&format!(" {function}: "))), "{function}: {lines:#?}");
    }
    assert!(lines.iter().any(|line| line.contains("request failed")), "{lines:#?}");
    let code = qr.rsplit('-').next().unwrap();
    let mut never = vec![TEXT, NAME, "Zenobia", PHONE, SECRET, &system.ready.api_key, &key, code];
    never.extend(wamids.iter().map(String::as_str));
    for word in never {
        let found = lines.iter().find(|line| line.contains(word));
        assert!(word.len() > 5 && found.is_none(), "{word}: {found:?}");
    }
}
