//! Files of messages: those of customers are fetched into the bucket, and shown with URLs of it.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use local::database::usage::Usage;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::test_app::{Response, TestApp, insert_event, merge, now};

const CONTACT: &str = "201001234567";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR a file of a customer";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0 a photo";
const MP4: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom a video";
const OGG: &[u8] = b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0OpusHead a voice message";
const PDF: &[u8] = b"%PDF-1.7 a bill";
const WEBP: &[u8] = b"RIFF\x20\0\0\0WEBPVP8 a sticker";

/// Returns a message with a file of a customer.
fn file_message(wamid: &str, kind: &str, mime_type: &str, file: &[u8]) -> Value {
    let media = json!({"data": STANDARD.encode(file), "mime_type": mime_type});
    json!({"from": CONTACT, "id": wamid, "type": kind, kind: media})
}

/// Sends a file as a customer. Returns the message once its file has this state.
async fn receive(app: &TestApp, wamid: &str, kind: &str, mime_type: &str, file: &[u8], state: &str) -> Value {
    app.inbound(&file_message(wamid, kind, mime_type, file)).await;
    wait_for_state(app, wamid, state).await
}

async fn message(app: &TestApp, wamid: &str) -> Value {
    app.get(&format!("/api/messages/{wamid}")).await.json["message"].clone()
}

async fn wait_for_state(app: &TestApp, wamid: &str, state: &str) -> Value {
    app.wait_until(state, async || message(app, wamid).await["media"]["state"] == state).await;
    message(app, wamid).await
}

/// Stores a file that a customer can send, and returns its ID.
async fn store(app: &TestApp, query: &str, mime_type: &str, file: &[u8]) -> String {
    let url = format!("{}/simulator/media{query}", app.ready.whatsapp);
    let client = reqwest::Client::new();
    let response = client.post(url).header("content-type", mime_type).body(file.to_vec()).send().await.unwrap();
    let stored: Value = response.json().await.unwrap();
    stored["id"].as_str().unwrap_or_else(|| panic!("{stored}")).to_owned()
}

/// Downloads a message's file with its URL.
async fn download(app: &TestApp, message: &Value) -> Response {
    let url = message["media"]["url"].as_str().unwrap_or_else(|| panic!("no URL: {message:#}"));
    app.send_request("GET", url, &[], Vec::new()).await
}

/// Returns the only file's item.
async fn item(app: &TestApp) -> Value {
    let mut items = app.items("media").await;
    assert_eq!(items.len(), 1, "{items:#?}");
    items.remove(0)
}

/// Waits until the last attempt to fetch the only file has failed, and returns its item.
async fn failed_attempt(app: &TestApp) -> Value {
    let has_failed = async || {
        let items = app.items("media").await;
        items.iter().any(|item| item["tries"] != 0 && item["state"] == "pending" && item.get("lease").is_none())
    };
    app.wait_until("an attempt has failed", has_failed).await;
    item(app).await
}

/// Makes a file due, and runs the schedule of `deliver`, whose due poller starts `media-fetch`.
async fn make_due(app: &TestApp, item: &Value) {
    app.set_item_attribute(item, "due_at", "2020-01-01T00:00:00.000Z").await;
    app.run_delivery_schedule().await;
}

fn sha256(file: &[u8]) -> String {
    Sha256::digest(file).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn received_file_is_stored_and_shown() {
    let (app, session_id) = TestApp::connected().await;
    let message = receive(&app, "wamid.cat", "image", "image/jpeg", PNG, "stored").await;
    let media = &message["media"];
    assert_eq!(media["id"], message["id"]);
    assert_eq!((&media["mime_type"], &media["size"]), (&json!("image/png"), &json!(PNG.len())));
    let file = download(&app, &message).await;
    assert_eq!((file.status, file.bytes.as_slice()), (200, PNG));
    assert_eq!((file.header("content-type"), file.header("content-disposition")), ("image/png", "inline"));
    let change = app.wait_for_change(&session_id, "the file", |change| change["type"] == "message.media").await;
    assert_eq!(change["message"]["media"]["state"], "stored");
    assert!(change["message"]["media"]["url"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_file_is_stored() {
    let (app, _) = TestApp::connected().await;
    for (kind, declared, file, served) in [
        ("image", "image/jpeg", JPEG, "image/jpeg"),
        ("video", "video/mp4", MP4, "video/mp4"),
        ("audio", "audio/ogg; codecs=opus", OGG, "audio/ogg"),
        ("document", "application/pdf", PDF, "application/pdf"),
        ("sticker", "image/webp", WEBP, "image/webp"),
    ] {
        let message = receive(&app, &format!("wamid.{kind}"), kind, declared, file, "stored").await;
        let media = &message["media"];
        let expected = json!({"size": file.len(), "mime_type": served, "sha256": sha256(file), "file_name": null});
        assert_eq!(merge(media.clone(), &expected), *media, "{kind}");
        let response = download(&app, &message).await;
        assert_eq!((response.status, response.bytes.as_slice()), (200, file), "{kind}");
        assert_eq!(response.header("content-type"), served);
    }
    let location = json!({"from": CONTACT, "id": "wamid.place", "location": {"latitude": 30.04, "longitude": 31.23}});
    app.inbound(&merge(location, &json!({"type": "location"}))).await;
    assert_eq!(message(&app, "wamid.place").await["media"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_from_the_business_app_is_stored() {
    let (app, _) = TestApp::connected().await;
    let id = store(&app, "", "image/jpeg", JPEG).await;
    let echo = json!({
        "from": app.ready.display_phone_number, "to": CONTACT, "id": "wamid.echo", "timestamp": now().to_string(),
        "type": "image", "image": {"id": id, "mime_type": "image/jpeg", "sha256": STANDARD.encode(Sha256::digest(JPEG))},
    });
    app.deliver_webhook(&app.webhook_field("smb_message_echoes", json!({"message_echoes": [echo]}))).await;
    let message = wait_for_state(&app, "wamid.echo", "stored").await;
    assert_eq!((&message["from_me"], &message["source"]), (&json!(true), &json!("echo")));
    assert_eq!(download(&app, &message).await.bytes, JPEG);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_webhooks_and_stream_records_store_a_file_once() {
    let app = TestApp::start_with_data(&[]).await;
    let session_id = app.connect("ada").await;
    // The remaining number of times counts the downloads.
    app.set_faults(&json!({"webhooks": {"duplicates": 3}, "media": {"downloads": {"delay": 1, "times": 10}}})).await;
    let stored = receive(&app, "wamid.cat", "image", "image/png", PNG, "stored").await;
    let key = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let message_item = app.items("message").await.remove(0);
    let image = app.item(&key(&message_item, "pk"), &key(&message_item, "sk")).await;
    let keys = json!({"pk": image["pk"], "sk": image["sk"]});
    app.invoke("relay", &insert_event(&json!({"Keys": keys, "NewImage": image}))).await;
    app.invoke("media-fetch", &json!({"media": [stored["media"]["id"]]})).await;
    assert_eq!(item(&app).await["tries"], 1);
    assert_eq!(app.objects().len(), 1);
    let faults = app.simulator("GET", "/simulator/faults", &Value::Null).await;
    assert_eq!(faults["media"]["downloads"]["times"], 9);
    let changes = app.all_changes(&session_id, 0).await;
    assert_eq!(changes.iter().filter(|change| change["type"] == "message.media").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_with_another_hash_is_fetched_again() {
    let app = TestApp::start_with_data(&[]).await;
    app.connect("ada").await;
    app.set_faults(&json!({"media": {"downloads": {"corrupt": true, "times": 1}}})).await;
    let pending = receive(&app, "wamid.cat", "image", "image/png", PNG, "pending").await;
    assert_eq!(pending["media"]["sha256"], sha256(PNG));
    let item = failed_attempt(&app).await;
    assert!(app.objects().is_empty(), "the bucket has no wrong file");
    assert!(app.has_logged(&["file not fetched", "SHA-256 differs"]));
    make_due(&app, &item).await;
    let message = wait_for_state(&app, "wamid.cat", "stored").await;
    assert_eq!(download(&app, &message).await.bytes, PNG);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_download_is_repeated_after_5_seconds_and_then_a_minute() {
    let app = TestApp::start_with_data(&[]).await;
    app.connect("ada").await;
    // The first bytes tell the type of the file, and the rest is lost.
    let file = [PNG, &[7; 100_000]].concat();
    app.set_faults(&json!({"media": {"downloads": {"dropAfter": 50_000, "times": 1}, "lookups": {"delay": 1}}})).await;
    receive(&app, "wamid.cat", "image", "image/png", &file, "pending").await;
    let time = |item: &Value, name: &str| item[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let failed = failed_attempt(&app).await;
    let delay = time(&failed, "due_at").duration_since(time(&failed, "created_at")).as_millis();
    assert!((5_000..60_000).contains(&delay), "{failed:#}");
    assert!(app.objects().is_empty());

    app.set_faults(&json!({"media": {"lookups": {"httpStatus": 503, "times": 1}}})).await;
    make_due(&app, &failed).await;
    let has_failed_again = async || {
        let item = item(&app).await;
        item["tries"] == 2 && item.get("lease").is_none()
    };
    app.wait_until("the second attempt has failed", has_failed_again).await;
    let failed = item(&app).await;
    let delay = time(&failed, "due_at").duration_since(jiff::Timestamp::now()).as_secs();
    assert!((1..=60).contains(&delay), "{failed:#}");
    app.set_item_attribute(&failed, "due_at", "2020-01-01T00:00:00.000Z").await;
    app.invoke("media-fetch", &json!({"source": "qasid.due"})).await;
    let message = wait_for_state(&app, "wamid.cat", "stored").await;
    assert_eq!(download(&app, &message).await.bytes, file);
    assert!(item(&app).await.get("due_at").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_that_could_not_be_fetched_for_a_week_has_failed() {
    let (app, session_id) = TestApp::connected().await;
    app.set_faults(&json!({"media": {"downloads": {"httpStatus": 503}}})).await;
    receive(&app, "wamid.cat", "image", "image/png", PNG, "pending").await;
    let failed = failed_attempt(&app).await;
    app.set_item_attribute(&failed, "created_at", "2026-01-01T00:00:00.000Z").await;
    make_due(&app, &failed).await;
    let message = wait_for_state(&app, "wamid.cat", "failed").await;
    assert_eq!((&message["media"]["url"], &message["media"]["size"]), (&Value::Null, &Value::Null));
    let change = app.wait_for_change(&session_id, "the file", |change| change["type"] == "message.media").await;
    assert_eq!(change["message"]["media"]["state"], "failed");
    // The item is settled after its message.
    app.wait_until("nothing is due", async || app.due_count().await == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempt_ends_before_the_function_times_out() {
    let app = TestApp::start_with_template(|template| template.replacen("Timeout: 150", "Timeout: 24", 1), &[]).await;
    app.connect("ada").await;
    app.set_faults(&json!({"media": {"downloads": {"stallAfter": 10, "times": 1}}})).await;
    receive(&app, "wamid.cat", "image", "image/png", PNG, "pending").await;
    let failed = failed_attempt(&app).await;
    assert!(app.has_logged(&["file not fetched", "the time ended"]));
    assert!(!app.has_logged(&["media-fetch", "timed out after"]));
    make_due(&app, &failed).await;
    wait_for_state(&app, "wamid.cat", "stored").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_is_shown_before_its_file_is_fetched() {
    let (app, session_id) = TestApp::connected().await;
    app.set_faults(&json!({"media": {"lookups": {"httpStatus": 503}}})).await;
    let document = json!({"data": STANDARD.encode(PDF), "mime_type": "application/pdf", "filename": "bill.pdf"});
    app.inbound(&json!({"from": CONTACT, "id": "wamid.bill", "type": "document", "document": document})).await;
    let message = message(&app, "wamid.bill").await;
    let expected = json!({
        "id": message["id"], "state": "pending", "mime_type": "application/pdf", "size": null, "sha256": sha256(PDF),
        "file_name": "bill.pdf", "url": null, "url_expires_at": null,
    });
    assert_eq!(message["media"], expected);
    let change = app.wait_for_change(&session_id, "it", |change| change["type"] == "message.received").await;
    assert_eq!(change["message"]["media"], expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn active_content_is_a_download_without_a_type() {
    let (app, _) = TestApp::connected().await;
    for (number, (declared, file)) in [
        ("image/jpeg", "<!DOCTYPE html><script>alert(1)</script>"),
        ("image/png", "\u{feff}  <svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>"),
        ("image/svg+xml", "<?xml version=\"1.0\"?><svg/>"),
        ("text/html", "alert(1)"),
        ("application/javascript", "alert(1)"),
        ("image/png", "#!/bin/sh\nrm -rf ~"),
    ]
    .into_iter()
    .enumerate()
    {
        let wamid = format!("wamid.{number}");
        let message = receive(&app, &wamid, "document", declared, file.as_bytes(), "stored").await;
        assert_eq!(message["media"]["mime_type"], "application/octet-stream", "{declared} {file}");
        let response = download(&app, &message).await;
        assert_eq!(response.header("content-type"), "application/octet-stream", "{declared} {file}");
        assert!(response.header("content-disposition").starts_with("attachment"), "{declared} {file}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_file_name_is_safe() {
    let (app, _) = TestApp::connected().await;
    for (number, (name, shown)) in [
        ("bill.pdf", "bill.pdf"),
        ("a\"; filename=evil.html; x=\"b.pdf", "a\"; filename=evil.html; x=\"b.pdf"),
        ("فاتورة é 📄.pdf", "فاتورة é 📄.pdf"),
        ("a\r\nset-cookie: x=1\0.pdf", "aset-cookie: x=1.pdf"),
        ("../../etc/passwd", "../../etc/passwd"),
    ]
    .into_iter()
    .enumerate()
    {
        let wamid = format!("wamid.{number}");
        let document = json!({"data": STANDARD.encode(PDF), "mime_type": "application/pdf", "filename": name});
        app.inbound(&json!({"from": CONTACT, "id": wamid, "type": "document", "document": document})).await;
        let message = wait_for_state(&app, &wamid, "stored").await;
        let response = download(&app, &message).await;
        let disposition = response.header("content-disposition");
        let encoded = disposition.strip_prefix("inline; filename*=UTF-8''").unwrap_or_else(|| panic!("{disposition}"));
        assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic() && !b"\";,/\\'".contains(&byte)), "{encoded}");
        assert_eq!(percent_encoding::percent_decode_str(encoded).decode_utf8().unwrap(), shown);
        assert_eq!(response.headers.get("set-cookie"), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_that_is_too_large_is_not_fetched() {
    let app = TestApp::start_with_data(&[]).await;
    app.connect("ada").await;
    let id = store(&app, "", "video/mp4", MP4).await;
    let path = app.data().join("whatsapp-media").join(format!("{id}.json"));
    let mut stored: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    stored["size"] = json!(100 * 1024 * 1024 + 1);
    std::fs::write(&path, stored.to_string()).unwrap();
    app.inbound(&json!({"from": CONTACT, "id": "wamid.long", "type": "video", "video": {"id": id}})).await;
    let message = wait_for_state(&app, "wamid.long", "too_large").await;
    assert_eq!((&message["media"]["size"], &message["media"]["url"]), (&json!(104_857_601), &Value::Null));
    assert!(app.objects().is_empty());
    // The item is settled after its message.
    app.wait_until("nothing is due", async || app.due_count().await == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_that_whatsapp_no_longer_has_is_gone() {
    let (app, _) = TestApp::connected().await;
    let id = store(&app, "", "image/png", PNG).await;
    app.set_faults(&json!({"media": {"lookups": {"httpStatus": 503}}})).await;
    app.inbound(&json!({"from": CONTACT, "id": "wamid.cat", "type": "image", "image": {"id": id}})).await;
    let failed = failed_attempt(&app).await;
    app.clear_faults().await;
    assert_eq!(app.graph("DELETE", &id, &Value::Null).await.status, 200);
    make_due(&app, &failed).await;
    let message = wait_for_state(&app, "wamid.cat", "gone").await;
    assert_eq!((&message["media"]["mime_type"], &message["media"]["url"]), (&json!("image/png"), &Value::Null));
    // The item is settled after its message.
    app.wait_until("nothing is due", async || app.due_count().await == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shown_file_is_not_fetched_again() {
    let (app, session_id) = TestApp::connected().await;
    let id = store(&app, "", "image/png", PNG).await;
    app.inbound(&json!({"from": CONTACT, "id": "wamid.cat", "type": "image", "image": {"id": id}})).await;
    wait_for_state(&app, "wamid.cat", "stored").await;
    app.wait_until("the file is settled", async || item(&app).await["state"] == "stored").await;
    assert_eq!(app.graph("DELETE", &id, &Value::Null).await.status, 200);
    // As if the process had been killed after it had shown the file.
    app.set_item_attribute(&item(&app).await, "state", "pending").await;
    app.invoke("media-fetch", &json!({"media": [message(&app, "wamid.cat").await["media"]["id"]]})).await;
    assert_eq!(item(&app).await["state"], "stored");
    let shown = message(&app, "wamid.cat").await;
    assert_eq!((&shown["media"]["state"], &shown["media"]["size"]), (&json!("stored"), &json!(PNG.len())));
    assert_eq!(download(&app, &shown).await.bytes, PNG);
    let changes = app.all_changes(&session_id, 0).await;
    let of_file = changes.iter().filter(|change| change["type"] == "message.media");
    let ids: BTreeSet<String> = of_file.map(|change| change["id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "{changes:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_of_a_message_that_is_erased_meanwhile_is_not_stored() {
    let app = TestApp::start_with_data(&[]).await;
    app.connect("ada").await;
    app.set_faults(&json!({"media": {"downloads": {"delay": 3_000}}})).await;
    app.inbound(&file_message("wamid.cat", "image", "image/png", PNG)).await;
    let is_leased = async || app.items("media").await.iter().any(|item| item["lease"].is_string());
    app.wait_until("the file is being fetched", is_leased).await;
    let chat_id = message(&app, "wamid.cat").await["chat_id"].clone();
    let path = format!("/api/chats/{}", chat_id.as_str().unwrap());
    app.wait_until("the chat is erased", async || app.delete(&path).await.status == 200).await;
    app.wait_until("the file's item is deleted", async || app.items("media").await.is_empty()).await;
    assert!(app.objects().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deployment_that_passes_files_on_has_none() {
    let app = TestApp::start_with_data(&[("Media", "Pass")]).await;
    let session_id = app.connect("ada").await;
    app.set_faults(&json!({"media": {"lookups": {"delay": 1, "times": 10}}})).await;
    app.inbound(&file_message("wamid.cat", "image", "image/png", PNG)).await;
    let change = app.wait_for_change(&session_id, "it", |change| change["type"] == "message.received").await;
    let message = message(&app, "wamid.cat").await;
    assert_eq!((&message["media"], &change["message"]["media"]), (&Value::Null, &Value::Null));
    assert!(message["content"]["image"]["id"].is_string());
    let faults = app.simulator("GET", "/simulator/faults", &Value::Null).await;
    assert_eq!(faults["media"]["lookups"]["times"], 10, "no request for the file");
    assert!(app.items("media").await.is_empty() && app.objects().is_empty());
    assert_eq!(app.due_count().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn url_opens_its_own_file_only() {
    let (app, _) = TestApp::connected().await;
    let cat = receive(&app, "wamid.cat", "image", "image/png", PNG, "stored").await;
    let bill = receive(&app, "wamid.bill", "document", "application/pdf", PDF, "stored").await;
    let url = cat["media"]["url"].as_str().unwrap();
    let id = |message: &Value| message["media"]["id"].as_str().unwrap().to_owned();
    for (from, to) in [
        (id(&cat), id(&bill)),
        ("X-Amz-Expires=900".to_owned(), "X-Amz-Expires=901".to_owned()),
        ("/in/".to_owned(), "/up/".to_owned()),
    ] {
        assert!(url.contains(&from), "{url}");
        assert_eq!(app.send_request("GET", &url.replace(&from, &to), &[], Vec::new()).await.status, 403, "{to}");
    }
    assert_eq!(app.send_request("PUT", url, &[], PDF.to_vec()).await.status, 403);
    assert_eq!(app.send_request("DELETE", url, &[], Vec::new()).await.status, 403);
    let (bare, _) = url.split_once('?').unwrap();
    assert_eq!(app.send_request("GET", bare, &[], Vec::new()).await.status, 403);

    let (_, bob) = app.create_key("bob", &["messages:read"]).await;
    let path = format!("/api/messages/{}", cat["id"].as_str().unwrap());
    assert_eq!(app.with_key(&bob, "GET", &path, &Value::Null).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_of_a_merged_chat_keeps_its_url() {
    let (app, _) = TestApp::connected().await;
    let by_user_id =
        |wamid: &str, file: &[u8]| merge(file_message(wamid, "image", "image/png", file), &json!({"from": "EG.7"}));
    app.inbound(&by_user_id("wamid.before", PNG)).await;
    wait_for_state(&app, "wamid.before", "stored").await;
    app.set_faults(&json!({"media": {"lookups": {"httpStatus": 503}}})).await;
    app.inbound(&by_user_id("wamid.meanwhile", PNG)).await;
    let is_pending = async || app.items("media").await.iter().any(|item| item["state"] == "pending");
    app.wait_until("the file is requested", is_pending).await;
    app.clear_faults().await;
    receive(&app, "wamid.phone", "image", "image/jpeg", JPEG, "stored").await;
    app.inbound(&merge(file_message("wamid.both", "image", "image/png", PNG), &json!({"fromUserId": "EG.7"}))).await;
    let is_merged = async || app.items("chat").await.iter().any(|chat| chat["merged_into"].is_string());
    app.wait_until("the chats are merged", is_merged).await;
    for item in app.items("media").await.iter().filter(|item| item["state"] == "pending") {
        make_due(&app, item).await;
    }
    for (wamid, file) in [("wamid.before", PNG), ("wamid.meanwhile", PNG), ("wamid.phone", JPEG), ("wamid.both", PNG)] {
        let message = wait_for_state(&app, wamid, "stored").await;
        let response = download(&app, &message).await;
        assert_eq!((response.status, response.bytes.as_slice()), (200, file), "{wamid}");
    }
}

/// Invokes a function, and returns what it used of the table.
async fn usage(app: &TestApp, function: &str, event: Value) -> Usage {
    let invocation = app.running().lambda().invoke_measured(function, event.to_string().into()).await;
    invocation.result.unwrap_or_else(|error| panic!("{function}: {error}"));
    invocation.usage
}

/// Processes the creation of a message again.
async fn relay_usage(app: &TestApp, wamid: &str) -> Usage {
    let messages = app.items("message").await;
    let message = messages.iter().find(|message| message["wamid"] == wamid).unwrap();
    let image = app.item(message["pk"].as_str().unwrap(), message["sk"].as_str().unwrap()).await;
    let keys = json!({"pk": image["pk"], "sk": image["sk"]});
    usage(app, "relay", insert_event(&json!({"Keys": keys, "NewImage": image}))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn received_file_costs_ten_write_units() {
    let (app, _) = TestApp::connected().await;
    app.set_faults(&json!({"media": {"lookups": {"httpStatus": 503, "times": 2}}})).await;
    app.inbound(&json!({"from": CONTACT, "id": "wamid.text", "text": "hello"})).await;
    let pending = receive(&app, "wamid.cat", "image", "image/png", PNG, "pending").await;
    failed_attempt(&app).await;
    let event = json!({"media": [pending["media"]["id"]]});
    assert_eq!(usage(&app, "media-fetch", event.clone()).await.write_units, 6.0, "a failed attempt");
    // A repeated attempt also reads the message.
    let operations = [("BatchWriteItem", 1), ("GetItem", 2), ("UpdateItem", 4)];
    let operations: BTreeMap<String, u64> = operations.map(|(name, count)| (name.to_owned(), count)).into();
    let expected = Usage { requests: 7, read_units: 2.0, write_units: 8.0, operations };
    assert_eq!(usage(&app, "media-fetch", event.clone()).await, expected);
    wait_for_state(&app, "wamid.cat", "stored").await;
    assert_eq!(usage(&app, "media-fetch", event).await.write_units, 1.0, "a repeated event");

    let item = item(&app).await;
    let id = item["pk"].as_str().unwrap().strip_prefix("MEDIA#").unwrap().parse().unwrap();
    app.store().media().delete(id).await.unwrap();
    let (text, file) = (relay_usage(&app, "wamid.text").await, relay_usage(&app, "wamid.cat").await);
    assert_eq!((file.requests - text.requests, file.write_units - text.write_units), (1, 2.0), "{text}; {file}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_is_fetched_with_a_new_access_token() {
    let (app, _) = TestApp::connected().await;
    // `media-fetch` reads the old token.
    app.invoke("media-fetch", &json!({"source": "qasid.due"})).await;
    let ready = &app.ready;
    let secret =
        json!({"appSecret": ready.app_secret, "verifyToken": ready.verify_token, "accessToken": "access-token-2"});
    app.put_secret_value(&ready.secret_id, &secret).await;
    app.simulator("POST", "/simulator/numbers", &json!({"accessToken": "access-token-2"})).await;
    let message = receive(&app, "wamid.cat", "image", "image/png", PNG, "stored").await;
    assert_eq!(download(&app, &message).await.bytes, PNG);
    assert_eq!(item(&app).await["tries"], 1, "the refused token counts as no attempt");
}
