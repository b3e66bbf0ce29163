//! Files that clients upload and send.

use serde_json::{Value, json};

use crate::test_app::{Response, TestApp, now};

const CONTACT: &str = "201001234567";
const OTHER: &str = "201007654321";
const THIRD: &str = "201002222222";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR a file to send";

/// Returns a connected session whose contacts have written.
async fn connected() -> (TestApp, String) {
    TestApp::connected_with(&[CONTACT, OTHER, THIRD]).await
}

fn image(media: &str) -> Value {
    json!({"type": "image", "image": {"media": media, "caption": "look"}})
}

/// Returns the code of a refused request.
fn code(response: &Response) -> (u16, &str) {
    (response.status, response.json["code"].as_str().unwrap_or_default())
}

/// Returns the accepted messages once there are `count`.
async fn accepted(app: &TestApp, count: usize) -> Vec<Value> {
    app.wait_until("the messages", async || app.accepted().await.len() >= count).await;
    app.accepted().await
}

/// Returns the files that the business uploaded to WhatsApp.
async fn uploads(app: &TestApp) -> Vec<Value> {
    app.items("media").await.into_iter().filter(|item| item["whatsapp_upload"].is_object()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploaded_file_is_sent_and_shown() {
    let (app, session_id) = connected().await;
    let announced = app.announce_media(&session_id, "image/png", PNG.len(), Some("cat.png")).await;
    assert_eq!(announced.status, 200, "{}", announced.json);
    let media = &announced.json["media"];
    assert_eq!((&media["state"], &media["url"]), (&json!("awaiting_upload"), &Value::Null));
    let id = media["id"].as_str().unwrap();
    let upload = &announced.json["upload"];
    assert_eq!((&upload["method"], &upload["headers"]), (&json!("PUT"), &json!({"content-type": "image/png"})));

    let early = app.send_content(&session_id, CONTACT, image(id)).await;
    assert_eq!(code(&early), (409, "media_not_uploaded"), "{}", early.json);
    assert_eq!(code(&app.get(&format!("/api/media/{id}")).await), (409, "media_not_stored"));
    // Another size or type, or another object.
    assert_eq!(app.upload_to(upload, &PNG[1..]).await, 403);
    let other_type = json!({"url": upload["url"], "headers": {"content-type": "text/html"}});
    assert_eq!(app.upload_to(&other_type, PNG).await, 403);
    let url = upload["url"].as_str().unwrap().replace("/up/", "/out/");
    assert_eq!(app.upload_to(&json!({"url": url, "headers": upload["headers"]}), PNG).await, 403);
    assert_eq!(app.upload_to(upload, PNG).await, 200);

    let sent = app.send_content(&session_id, CONTACT, image(id)).await;
    assert_eq!(sent.status, 200, "{}", sent.json);
    let accepted = accepted(&app, 1).await;
    let graph_id = accepted[0]["body"]["image"]["id"].as_str().unwrap();
    assert_eq!(accepted[0]["body"]["image"], json!({"id": graph_id, "caption": "look"}));
    let path = format!("/api/messages/{}", sent.json["message"]["id"].as_str().unwrap());
    let message = app.get(&path).await.json["message"].clone();
    assert_eq!(message["content"]["image"]["media"], id);
    let media = &message["media"];
    assert_eq!((&media["id"], &media["state"], &media["size"]), (&json!(id), &json!("stored"), &json!(PNG.len())));
    let file = app.send_request("GET", media["url"].as_str().unwrap(), &[], Vec::new()).await;
    assert_eq!((file.status, file.bytes.as_slice(), file.header("content-type")), (200, PNG, "image/png"));
    assert!(file.header("content-disposition").contains("cat.png"));

    // A second upload doesn't change what was sent.
    let changed: Vec<u8> = PNG.iter().map(|byte| byte ^ 1).collect();
    assert_eq!(app.upload_to(upload, &changed).await, 200);
    let redirected = app.get(&format!("/api/media/{id}")).await;
    assert_eq!((redirected.status, redirected.header("cache-control")), (302, "no-store"));
    let file = app.send_request("GET", redirected.header("location"), &[], Vec::new()).await;
    assert_eq!((file.status, file.bytes.as_slice()), (200, PNG));

    // Another message reuses WhatsApp's ID.
    app.send_content(&session_id, OTHER, image(id)).await;
    let accepted = self::accepted(&app, 2).await;
    assert_eq!(accepted[1]["body"]["image"]["id"], graph_id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_messages_with_one_file_are_all_sent() {
    let (app, session_id) = connected().await;
    let id = app.upload_media(&session_id, "application/pdf", b"%PDF-1.7 a menu").await;
    let document = json!({"type": "document", "document": {"media": id, "filename": "menu.pdf"}});
    let sends = [CONTACT, OTHER, CONTACT, OTHER].map(|to| app.send_content(&session_id, to, document.clone()));
    for sent in futures_util::future::join_all(sends).await {
        assert_eq!(sent.status, 200, "{}", sent.json);
    }
    let accepted = accepted(&app, 4).await;
    assert!(accepted.iter().all(|message| message["body"]["document"]["filename"] == "menu.pdf"));
    // Two processes can upload it at once. Later messages use one of these uploads.
    let ids: Vec<&Value> = accepted.iter().map(|message| &message["body"]["document"]["id"]).collect();
    let stored = uploads(&app).await.remove(0)["whatsapp_upload"]["graph_id"].clone();
    assert!(ids.contains(&&stored), "{ids:?} {stored}");
    app.send_content(&session_id, THIRD, document).await;
    assert_eq!(self::accepted(&app, 5).await[4]["body"]["document"]["id"], stored);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn document_gets_the_name_of_its_file() {
    let (app, session_id) = connected().await;
    let content = b"%PDF-1.7";
    let name = "Angebot \u{201c}M\u{fc}ller\u{201d}.pdf";
    let announced = app.announce_media(&session_id, "application/pdf", content.len(), Some(name)).await.json;
    app.upload_to(&announced["upload"], content).await;
    let document = json!({"type": "document", "document": {"media": announced["media"]["id"]}});
    let sent = app.send_content(&session_id, CONTACT, document).await.json;
    assert_eq!((&sent["message"]["body"], &sent["chat"]["last_message"]), (&json!(name), &json!(name)));
    assert_eq!(accepted(&app, 1).await[0]["body"]["document"]["filename"], name);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_cannot_be_sent_are_refused() {
    let (app, session_id) = connected().await;
    const MEGABYTE: usize = 1024 * 1024;
    for (mime_type, size, expected) in [
        ("image/png", 5 * MEGABYTE, (200, "")),
        ("image/png", 5 * MEGABYTE + 1, (400, "media_too_large")),
        ("VIDEO/MP4; codecs=avc1", 16 * MEGABYTE, (200, "")),
        ("video/mp4", 16 * MEGABYTE + 1, (400, "media_too_large")),
        ("application/pdf", 100 * MEGABYTE, (200, "")),
        ("application/pdf", 100 * MEGABYTE + 1, (400, "media_too_large")),
        ("image/webp", 500 * 1024 + 1, (400, "media_too_large")),
        ("image/gif", 1, (400, "media_type_not_sendable")),
        ("text/html", 1, (400, "media_type_not_sendable")),
        ("", 1, (400, "missing_field")),
        ("image/png", 0, (400, "invalid_field")),
    ] {
        let response = app.announce_media(&session_id, mime_type, size, None).await;
        assert_eq!(code(&response), expected, "{mime_type} {size}: {}", response.json);
    }
    for name in ["a\nb", &"a".repeat(241)] {
        let response = app.announce_media(&session_id, "image/png", 1, Some(name)).await;
        assert_eq!(code(&response), (400, "invalid_field"), "{}", response.json);
    }
    let id = app.upload_media(&session_id, "application/pdf", b"%PDF-1.7").await;
    let unknown = "019e4041-9d30-7a6f-8c44-7b08e2f3a4c6";
    for (content, expected) in [
        (json!({"type": "image", "image": {"media": id}}), (400, "invalid_field")),
        (json!({"type": "document", "document": {"media": "1"}}), (400, "invalid_field")),
        (json!({"type": "document", "document": {"media": id, "id": "1"}}), (400, "invalid_field")),
        (json!({"type": "document", "document": {"media": unknown}}), (404, "media_not_found")),
    ] {
        let response = app.send_content(&session_id, CONTACT, content).await;
        assert_eq!(code(&response), expected, "{}", response.json);
    }
    // A file of another session of the deployment.
    let other = app.create_session("mallory").await["id"].as_str().unwrap().to_owned();
    app.set_worker_state(&other, true).await;
    let stolen = app.send_content(&other, CONTACT, json!({"type": "document", "document": {"media": id}})).await;
    assert_eq!(code(&stolen), (404, "media_not_found"));
    let (_, key) = app.create_key("mallory", &["messages:read"]).await;
    let read = app.with_key(&key, "GET", &format!("/api/media/{id}"), &Value::Null).await;
    assert_eq!(code(&read), (404, "media_not_found"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_gets_the_url_of_the_file() {
    let app = TestApp::start().await;
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    app.set_worker_state(&session_id, true).await;
    let id = app.upload_media(&session_id, "image/png", PNG).await;
    app.send_content(&session_id, CONTACT, image(&id)).await;
    app.send(&session_id, CONTACT, "text").await;
    let claimed = app.post("/api/outbox/claim", &json!({"sessionId": session_id})).await.json;
    let media = &claimed["messages"][0]["media"];
    assert_eq!(media["id"], id);
    let file = app.send_request("GET", media["url"].as_str().unwrap(), &[], Vec::new()).await;
    assert_eq!((file.status, file.bytes.as_slice()), (200, PNG));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deployment_that_keeps_no_files_refuses_uploads() {
    let app = TestApp::start_with(&[("Media", "Pass")]).await;
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    let response = app.announce_media(&session_id, "image/png", 1, None).await;
    assert_eq!(code(&response), (409, "media_not_kept"), "{}", response.json);
    app.set_worker_state(&session_id, true).await;
    let sent = app.send_content(&session_id, CONTACT, image("019e4041-9d30-7a6f-8c44-7b08e2f3a4c6")).await;
    assert_eq!(code(&sent), (409, "media_not_kept"), "{}", sent.json);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_that_whatsapp_no_longer_keeps_is_uploaded_again() {
    let (app, session_id) = connected().await;
    let id = app.upload_media(&session_id, "image/png", PNG).await;
    app.send_content(&session_id, CONTACT, image(&id)).await;
    let first = accepted(&app, 1).await[0]["body"]["image"]["id"].clone();
    let item = app.items("media").await.remove(0);
    let upload = item["whatsapp_upload"].as_object().unwrap();
    assert_eq!(upload["graph_id"], first);
    app.set_item_attribute(&item, "whatsapp_upload.expires_at", "2026-01-01T00:00:00.000Z").await;
    app.send_content(&session_id, CONTACT, image(&id)).await;
    assert_ne!(accepted(&app, 2).await[1]["body"]["image"]["id"], first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_that_no_longer_exists_fails_its_message() {
    let app = TestApp::start_with_data(&[]).await;
    app.open_windows(&[CONTACT, OTHER]).await;
    let session_id = app.connect("ada").await;
    let id = app.upload_media(&session_id, "image/png", PNG).await;
    app.send_content(&session_id, CONTACT, image(&id)).await;
    accepted(&app, 1).await;
    std::fs::remove_file(&app.objects()[&format!("out/{session_id}/{id}")]).unwrap();
    let item = app.items("media").await.remove(0);
    app.set_item_attribute(&item, "whatsapp_upload.expires_at", "2026-01-01T00:00:00.000Z").await;
    app.send_content(&session_id, OTHER, image(&id)).await;
    let failed = app.wait_for_status("failed").await;
    assert_eq!(failed["error"], "The file no longer exists: upload it again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_uploads_are_repeated_and_the_message_is_sent_once() {
    let (app, session_id) = connected().await;
    let id = app.upload_media(&session_id, "image/png", PNG).await;
    // WhatsApp stores the second upload, but its response is lost.
    for fault in [json!({"httpStatus": 503, "times": 1}), json!({"dropAfter": 0, "times": 1})] {
        app.set_faults(&json!({"media": {"uploads": fault}})).await;
        let before = attempts(&app).await;
        if before == 0 {
            app.send_content(&session_id, CONTACT, image(&id)).await;
        }
        app.wait_until("a failed upload", async || attempts(&app).await > before).await;
    }
    app.wait_for_status("read").await;
    assert_eq!(app.accepted().await.len(), 1);
    let message = app.items("message").await.into_iter().find(|message| message["from_me"] == true).unwrap();
    let outcomes: Vec<&Value> =
        message["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["outcome"]).collect();
    assert_eq!(outcomes, ["not_sent", "not_sent", "accepted"]);
}

/// Returns the number of attempts of the only sent message.
async fn attempts(app: &TestApp) -> usize {
    let messages = app.items("message").await;
    let sent = messages.iter().find(|message| message["from_me"] == true);
    sent.and_then(|message| message["attempts"].as_array()).map_or(0, Vec::len)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_is_uploaded_with_a_new_access_token() {
    let (app, session_id) = connected().await;
    // `deliver` reads the old token.
    app.invoke("deliver", &json!({})).await;
    let ready = &app.ready;
    let secret =
        json!({"appSecret": ready.app_secret, "verifyToken": ready.verify_token, "accessToken": "access-token-2"});
    app.put_secret_value(&ready.secret_id, &secret).await;
    app.simulator("POST", "/simulator/numbers", &json!({"accessToken": "access-token-2"})).await;
    let id = app.upload_media(&session_id, "image/png", PNG).await;
    app.send_content(&session_id, CONTACT, image(&id)).await;
    let message = app.wait_for_status("read").await;
    assert_eq!(message["attempts"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_is_kept_as_long_as_the_last_message_with_it() {
    let app = TestApp::start_with(&[("RetentionDays", "30")]).await;
    app.open_windows(&[CONTACT]).await;
    let session_id = app.connect("ada").await;
    let id = app.upload_media(&session_id, "image/png", PNG).await;
    let day = 24 * 60 * 60;
    let expires_in = async || {
        let expires_at = app.items("media").await[0]["expires_at"].as_i64().unwrap();
        (expires_at - now()) as f64 / f64::from(day)
    };
    assert!((1.9..=2.0).contains(&expires_in().await), "an unsent file");
    app.send_content(&session_id, CONTACT, image(&id)).await;
    assert!((29.9..=30.1).contains(&expires_in().await));
    for (days_left, expected) in [(29.5, 29.5), (28.5, 30.0)] {
        let item = app.items("media").await.remove(0);
        app.set_item_number(&item, "expires_at", now() + (days_left * f64::from(day)) as i64).await;
        let sent = app.send_content(&session_id, CONTACT, image(&id)).await;
        assert_eq!(sent.status, 200, "{}", sent.json);
        assert!((expires_in().await - expected).abs() < 0.1, "{days_left}");
    }
    // It was stored before there was a retention period.
    app.remove_item_attribute(&app.items("media").await.remove(0), "expires_at").await;
    app.send_content(&session_id, CONTACT, image(&id)).await;
    assert!((29.9..=30.1).contains(&expires_in().await));
    // The copy onto itself leaves the content.
    let location = app.get(&format!("/api/media/{id}")).await;
    let file = app.send_request("GET", location.header("location"), &[], Vec::new()).await;
    assert_eq!((file.status, file.bytes.as_slice()), (200, PNG));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploaded_file_is_the_header_of_a_message() {
    let (app, session_id) = connected().await;
    let components = json!([
        {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["4::aW"]}},
        {"type": "BODY", "text": "All plants cost less today."},
    ]);
    let offer = json!({"name": "offer", "language": "en", "category": "MARKETING", "components": components});
    app.create_template(&offer).await;
    let png = app.upload_media(&session_id, "image/png", PNG).await;
    let pdf = app.announce_media(&session_id, "application/pdf", 8, Some("Menu.pdf")).await.json;
    app.upload_to(&pdf["upload"], b"%PDF-1.7").await;

    let template = |media: &Value| {
        let header = json!([{"type": "header", "parameters": [{"type": "image", "image": {"media": media}}]}]);
        let template = json!({"name": "offer", "language": {"code": "en"}, "components": header});
        json!({"type": "template", "template": template})
    };
    let sent = app.send_content(&session_id, CONTACT, template(&json!(png))).await;
    assert_eq!(sent.status, 200, "{}", sent.json);
    let image = "/body/template/components/0/parameters/0/image";
    let graph_id = accepted(&app, 1).await[0].pointer(image).unwrap()["id"].clone();
    assert_eq!(accepted(&app, 1).await[0].pointer(image), Some(&json!({"id": graph_id})));
    assert!(graph_id.is_string());
    let message = app.get(&format!("/api/messages/{}", sent.json["message"]["id"].as_str().unwrap())).await.json;
    assert_eq!(
        (&message["message"]["media"]["id"], &message["message"]["media"]["state"]),
        (&json!(png), &json!("stored"))
    );

    let header = json!({"type": "document", "document": {"media": pdf["media"]["id"]}});
    let action = json!({"buttons": [{"type": "reply", "reply": {"id": "1", "title": "Order"}}]});
    let interactive = json!({"type": "button", "header": header, "body": {"text": "Hungry?"}, "action": action});
    let interactive = json!({"type": "interactive", "interactive": interactive});
    let sent = app.send_content(&session_id, CONTACT, interactive).await;
    assert_eq!((sent.status, &sent.json["message"]["body"]), (200, &json!("Hungry?")), "{}", sent.json);
    let document = accepted(&app, 2).await[1]["body"]["interactive"]["header"]["document"].clone();
    assert_eq!(document, json!({"id": document["id"], "filename": "Menu.pdf"}));

    let refused = app.send_content(&session_id, CONTACT, template(&pdf["media"]["id"])).await;
    assert_eq!(code(&refused), (400, "invalid_field"), "{}", refused.json);
    let path = "template.components[0].parameters[0].image.media is a file of type application/pdf";
    assert!(refused.json["error"].as_str().unwrap().starts_with(path), "{}", refused.json);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_does_not_reply_with_an_uploaded_file() {
    let (app, session_id) = connected().await;
    let id = app.upload_media(&session_id, "image/png", PNG).await;
    let rule = json!({"name": "cat", "trigger": {"type": "any"}, "reply": {"type": "image", "image": {"media": id}}});
    let refused = app.post(&format!("/api/auto-replies?sessionId={session_id}"), &rule).await;
    assert_eq!(code(&refused), (400, "invalid_field"), "{}", refused.json);
    assert!(refused.json["error"].as_str().unwrap().starts_with("reply.image.media must be left out"));
}
