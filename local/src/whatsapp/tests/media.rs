//! Uploads, downloads, and sends files, as the business and as a customer.

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::FutureExt;
use reqwest::Response;

use super::*;

const JPEG: &[u8] = b"\xff\xd8\xff\xe0 a small picture";
const CUSTOMER: &str = "201001234567";

/// Returns a form with a file and more fields.
fn form(mime_type: Option<&str>, content: &[u8], fields: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
    }
    body.extend(b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"cat.jpg\"\r\n");
    body.extend(mime_type.map(|mime_type| format!("Content-Type: {mime_type}\r\n")).unwrap_or_default().bytes());
    [&body, &b"\r\n"[..], content, b"\r\n--b--\r\n"].concat()
}

impl Simulator {
    async fn post_form(&self, path: &str, body: Vec<u8>) -> (StatusCode, Value) {
        let request = self.client.post(self.url(path)).bearer_auth(TOKEN).body(body);
        let response = request.header("content-type", "multipart/form-data; boundary=b").send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// Uploads a file and returns its ID.
    async fn upload(&self, phone_number_id: &str, mime_type: &str, content: &[u8]) -> String {
        let body = form(Some(mime_type), content, &[("messaging_product", "whatsapp"), ("type", mime_type)]);
        let (status, response) = self.post_form(&format!("/v26.0/{phone_number_id}/media"), body).await;
        assert_eq!(status, 200, "{response}");
        response["id"].as_str().unwrap().to_owned()
    }

    /// Requests a path or URL with a token.
    async fn request(&self, method: &str, url: &str, token: &str) -> Response {
        let url = if url.starts_with('/') { self.url(url) } else { url.to_owned() };
        self.client.request(method.parse().unwrap(), url).bearer_auth(token).send().await.unwrap()
    }

    async fn get_json(&self, path: &str) -> (StatusCode, Value) {
        let response = self.request("GET", path, TOKEN).await;
        (response.status(), response.json().await.unwrap())
    }

    /// Sends a message to a customer who wrote before.
    async fn send(&self, kind: &str, content: Value) -> (StatusCode, Value) {
        let body = json!({"messaging_product": "whatsapp", "to": CUSTOMER, "type": kind, kind: content});
        self.graph(&body).await.unwrap()
    }

    /// Stores a customer's file and returns the response.
    async fn store(&self, query: &str, mime_type: &str, content: &[u8]) -> (StatusCode, Value) {
        let url = self.url(&format!("/simulator/media{query}"));
        let request = self.client.post(url).header("content-type", mime_type).body(content.to_vec());
        let response = request.send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }
}

#[tokio::test]
async fn an_uploaded_file_is_downloaded_until_it_is_deleted() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let id = simulator.upload(PHONE_NUMBER_ID, "image/jpeg", JPEG).await;
    let (status, media) = simulator.get_json(&format!("/v26.0/{id}?phone_number_id={PHONE_NUMBER_ID}")).await;
    assert_eq!(status, 200);
    let url = media["url"].as_str().unwrap().to_owned();
    assert_eq!(
        media,
        json!({"messaging_product": "whatsapp", "id": id, "url": url, "mime_type": "image/jpeg", "file_size": 20,
            "sha256": "078ecb8a3f3a5669e70998d70f1c1a0a12c405fbbf8dc899ef02e96ed5773d99"})
    );
    assert!(url.starts_with(&simulator.url(&format!("/whatsapp_business/attachments/?mid={id}&ext="))), "{url}");

    // The bot's app works for the same business.
    for token in [TOKEN, BOT_TOKEN] {
        let response = simulator.request("GET", &url, token).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "image/jpeg");
        assert_eq!(response.headers()["content-length"], "20");
        assert_eq!(response.headers()["content-disposition"], "inline;filename=cat.jpg");
        assert_eq!(response.bytes().await.unwrap(), JPEG);
    }
    for (url, token, expected) in [
        (url.clone(), "other", 401),
        (url.replace("hash=AT", "hash=AU"), TOKEN, 404),
        (url.replace("ext=1", "ext=2"), TOKEN, 404),
        (url.split('?').next().unwrap().to_owned(), TOKEN, 404),
    ] {
        let response = simulator.request("GET", &url, token).await;
        assert_eq!(response.status(), expected, "{url}");
        assert!(response.json::<Value>().await.unwrap()["error"]["code"].is_number());
    }
    let response = simulator.client.get(&url).send().await.unwrap();
    assert_eq!(response.status(), 401);

    assert_eq!(simulator.request("POST", &format!("/{id}"), TOKEN).await.status(), 400);
    let deleted = simulator.request("DELETE", &format!("/v26.0/{id}"), TOKEN).await;
    assert_eq!(deleted.json::<Value>().await.unwrap(), json!({"success": true}));
    let (status, response) = simulator.get_json(&format!("/v26.0/{id}")).await;
    assert_eq!((status.as_u16(), &response["error"]["error_subcode"]), (400, &json!(33)));
    assert_eq!(simulator.request("GET", &url, TOKEN).await.status(), 404);
}

#[tokio::test]
async fn invalid_uploads_are_refused() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let path = format!("/v26.0/{PHONE_NUMBER_ID}/media");
    let product = [("messaging_product", "whatsapp")];
    let too_large = vec![0; 5 * 1024 * 1024 + 1];
    for (body, message) in [
        (form(Some("image/jpeg"), JPEG, &[]), "(#100) The parameter messaging_product is required."),
        (
            b"--b\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n--b--\r\n".to_vec(),
            "(#100) The parameter file is required.",
        ),
        // The type of the part counts.
        (form(Some("text/csv"), b"a,b", &[product[0], ("type", "text/plain")]), "Received file of type 'text/csv'."),
        (form(None, b"a,b", &product), "Received file of type 'application/octet-stream'."),
        (form(Some("image/png"), &too_large, &product), "Max file size we currently support: 5MB."),
        (b"--b\r\nContent".to_vec(), "(#100) Invalid parameter"),
    ] {
        let (status, response) = simulator.post_form(&path, body).await;
        assert_eq!((status.as_u16(), &response["error"]["code"]), (400, &json!(100)), "{message}");
        assert!(response["error"]["message"].as_str().unwrap().ends_with(message), "{response}");
    }
    let (_, response) = simulator.post_form("/v26.0/7/media", form(Some("image/jpeg"), JPEG, &product)).await;
    assert_eq!(response["error"]["error_subcode"], 33);
    let (_, response) = simulator.get_json(&path).await;
    assert_eq!(response["error"]["error_subcode"], 33);
    // A document can be larger.
    simulator.upload(PHONE_NUMBER_ID, "application/pdf", &too_large).await;
}

#[tokio::test]
async fn a_file_belongs_to_a_number() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    simulator.post("/simulator/numbers", &json!({"phoneNumberId": "7"})).await;
    let of_another_app = json!({"phoneNumberId": "8", "accessToken": "token-8"});
    simulator.post("/simulator/numbers", &of_another_app).await;
    let id = simulator.upload("7", "image/jpeg", JPEG).await;

    let (status, response) = simulator.get_json(&format!("/{id}?phone_number_id={PHONE_NUMBER_ID}")).await;
    assert_eq!(status, 400);
    let message = "(#100) Param phone_number_id is not a valid whatsapp business phone number id ID";
    assert_eq!(response["error"]["message"], message);
    assert_eq!(simulator.send("image", json!({"id": id})).await.0, 400);
    let (_, media) = simulator.get_json(&format!("/{id}?phone_number_id=7")).await;
    let url = media["url"].as_str().unwrap();
    assert_eq!(simulator.request("GET", &format!("/{id}"), "token-8").await.status(), 400);
    assert_eq!(simulator.request("GET", url, "token-8").await.status(), 404);
    assert_eq!(simulator.request("DELETE", &format!("/{id}"), "token-8").await.status(), 400);
    assert_eq!(simulator.request("GET", url, TOKEN).await.status(), 200);
}

#[tokio::test]
async fn messages_need_a_file_that_whatsapp_can_deliver() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.post("/simulator/messages", &json!({"from": CUSTOMER, "text": "hi"})).await;
    receiver.text().await;
    let image = simulator.upload(PHONE_NUMBER_ID, "image/jpeg", JPEG).await;
    let fake = simulator.upload(PHONE_NUMBER_ID, "image/jpeg", b"RIFF\0\0\0\0WEBPVP8 ").await;

    for (id, name) in [("1037543291543636", "image['id']"), ("cat", "image['id']")] {
        let (status, response) = simulator.send("image", json!({"id": id})).await;
        assert_eq!((status.as_u16(), &response["error"]["code"]), (400, &json!(100)));
        let message = format!("(#100) Param {name} is not a valid whatsapp business account media attachment ID");
        assert_eq!(response["error"]["message"], message);
    }
    assert_eq!(simulator.send("image", json!({"id": image, "caption": "cat"})).await.0, 200);
    for expected in ["sent", "delivered", "read"] {
        assert_eq!(receiver.status().await["status"], expected);
    }
    let types = "Please use one of image/jpeg, image/png.";
    for (kind, id, details) in [
        ("image", &fake, format!("Unsupported Image mime type image/webp. {types}")),
        (
            "video",
            &image,
            "Unsupported Video mime type image/jpeg. Please use one of video/mp4, video/3gpp.".to_owned(),
        ),
    ] {
        let (status, response) = simulator.send(kind, json!({"id": id})).await;
        assert_eq!(status, 200, "{response}");
        let failed = receiver.status().await;
        assert_eq!((&failed["id"], &failed["status"]), (&response["messages"][0]["id"], &json!("failed")));
        assert_eq!(failed["errors"][0]["code"], 131_053);
        assert_eq!(failed["errors"][0]["error_data"]["details"], details);
    }
}

#[tokio::test]
async fn a_customer_sends_a_file() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let (status, stored) = simulator.store("?fileName=bill.pdf", "application/pdf", b"%PDF-1.7").await;
    assert_eq!(status, 200);
    let id = stored["id"].as_str().unwrap();
    let sha256 = "hu26okgxut+gqLBLtBAUHi7kGCttABRJP+Jip6Mxwgs=";
    assert_eq!(stored, json!({"id": id, "mime_type": "application/pdf", "sha256": sha256, "file_size": 8}));

    let message = json!({"from": CUSTOMER, "type": "document", "document": {"id": id, "caption": "the bill"}});
    assert_eq!(simulator.post("/simulator/messages", &message).await.0, 200);
    let document = receiver.value().await["messages"][0]["document"].clone();
    let url = document["url"].as_str().unwrap();
    assert_eq!(
        document,
        json!({"id": id, "caption": "the bill", "mime_type": "application/pdf", "sha256": sha256, "url": url,
            "filename": "bill.pdf"})
    );
    for url in [url, &format!("/simulator/media/{id}")] {
        assert_eq!(simulator.request("GET", url, TOKEN).await.bytes().await.unwrap(), "%PDF-1.7");
    }
    let shown = simulator.request("GET", &format!("/simulator/media/{id}"), TOKEN).await;
    let policy = shown.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("sandbox; default-src 'none'"), "{policy}");
    assert_eq!(shown.headers()["x-content-type-options"], "nosniff");
    // The business can send it again.
    assert_eq!(simulator.send("document", json!({"id": id})).await.0, 200);
    assert_eq!(simulator.get_json("/simulator/media/1").await.0, 404);
}

#[tokio::test]
async fn a_message_can_contain_its_file() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let sticker = [b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0", &[2][..]].concat();
    let sticker = json!({"data": STANDARD.encode(sticker), "mime_type": "image/webp"});
    let voice = json!({"data": STANDARD.encode("OggS"), "mime_type": "audio/ogg; codecs=opus", "voice": true});
    let messages = json!({"messages": [
        {"from": CUSTOMER, "type": "sticker", "sticker": sticker},
        {"from": CUSTOMER, "type": "audio", "audio": voice},
        // A file that cannot be downloaded.
        {"from": CUSTOMER, "type": "image", "image": {"id": "7", "mime_type": "image/jpeg"}},
    ]});
    assert_eq!(simulator.post("/simulator/messages", &messages).await.0, 200);
    let value = receiver.value().await;
    assert_eq!(value["messages"][0]["sticker"]["animated"], true);
    let audio = &value["messages"][1]["audio"];
    assert_eq!((&audio["mime_type"], &audio["voice"]), (&json!("audio/ogg; codecs=opus"), &json!(true)));
    assert_eq!(audio.get("data"), None);
    let response = simulator.request("GET", audio["url"].as_str().unwrap(), TOKEN).await;
    assert_eq!(response.headers()["content-type"], "audio/ogg; codecs=opus");
    assert_eq!(response.bytes().await.unwrap(), "OggS");
    assert_eq!(value["messages"][2]["image"], json!({"id": "7", "mime_type": "image/jpeg"}));
}

#[tokio::test]
async fn invalid_files_of_customers_are_explained() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let (_, stored) = simulator.store("?phoneNumberId=7", "image/jpeg", JPEG).await;
    for (image, named) in [
        (json!({"data": "?", "mime_type": "image/jpeg"}), "image.data must be a file in Base64"),
        (json!({"data": "AA=="}), "image.data requires image.mime_type"),
        (json!({"data": "AA==", "mime_type": "image/jpeg", "id": "7"}), "either id or data"),
        (json!({"id": stored["id"]}), "?phoneNumberId=106540352242922"),
    ] {
        let message = json!({"from": CUSTOMER, "type": "image", "image": image});
        let (status, response) = simulator.post("/simulator/messages", &message).await;
        assert_eq!(status, 400);
        assert!(response["error"].as_str().unwrap().contains(named), "{response}");
    }
    let (status, response) = simulator.store("?file=a.jpg", "image/jpeg", JPEG).await;
    assert_eq!(status, 400);
    assert!(response["error"].as_str().unwrap().contains("file"), "{response}");
    let response = simulator.client.post(simulator.url("/simulator/media")).body(JPEG).send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert!(response.text().await.unwrap().contains("Content-Type"));
}

#[tokio::test]
async fn files_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("whatsapp.jsonl");
    let simulator = Simulator::start_with("http://127.0.0.1:9/", Some(journal.clone()));
    let id = simulator.upload(PHONE_NUMBER_ID, "image/jpeg", JPEG).await;
    simulator.stop().await;
    let simulator = Simulator::start_with("http://127.0.0.1:9/", Some(journal));
    let (_, media) = simulator.get_json(&format!("/{id}")).await;
    let response = simulator.request("GET", media["url"].as_str().unwrap(), TOKEN).await;
    assert_eq!(response.bytes().await.unwrap(), JPEG);
}

#[tokio::test]
async fn a_file_is_uploaded_in_parts() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let start = async |query: &str| -> Value {
        let response = simulator.request("POST", &format!("/v26.0/{DEFAULT_APP_ID}/uploads?{query}"), TOKEN).await;
        response.json().await.unwrap()
    };
    let id = start("file_name=a.png&file_length=7&file_type=image/png").await["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("upload:"), "{id}");
    let send = async |offset: &str, content: &'static str, token: &str| -> Value {
        let request = simulator.client.post(simulator.url(&format!("/v26.0/{id}"))).body(content);
        // The default type of curl.
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.header("authorization", format!("OAuth {token}")).header("file_offset", offset);
        request.send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(send("0", "abc", TOKEN).await, json!({"id": id, "file_offset": 3}));
    assert_eq!(simulator.get_json(&format!("/{id}")).await.1, json!({"id": id, "file_offset": 3}));
    for (offset, content) in [("0", "abc"), ("3", "defgh")] {
        let message = "(#100) Param file_offset must be 3, with up to 4 bytes in the body";
        assert_eq!(send(offset, content, TOKEN).await["error"]["message"], message);
    }
    assert_eq!(send("3", "defg", BOT_TOKEN).await["error"]["error_subcode"], 33);
    let handle = send("3", "defg", TOKEN).await["h"].as_str().unwrap().to_owned();
    assert!(handle.starts_with("4::aW1hZ2UvcG5n:AR"), "{handle}");
    assert_eq!(simulator.get_json(&format!("/{id}")).await.1["error"]["error_subcode"], 33);

    for (query, message) in [
        ("file_type=image/png", "(#100) The parameter file_length is required."),
        ("file_length=0&file_type=image/png", "(#100) Param file_length must be greater than or equal to 1"),
        ("file_length=7", "(#100) The parameter file_type is required."),
        ("file_length=7&file_type=image/gif", "(#100) Param file_type must be one of {application/pdf, "),
    ] {
        let response = start(query).await;
        assert!(response["error"]["message"].as_str().unwrap().starts_with(message), "{response}");
    }
}

#[tokio::test]
async fn requests_have_limits() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let half = "x".repeat(3 * 1024 * 1024);
    let body = form(Some("image/jpeg"), JPEG, &[("one", half.as_str()), ("two", half.as_str())]);
    let (status, _) = simulator.post_form(&format!("/{PHONE_NUMBER_ID}/media"), body).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    // The ID is too long for a file name.
    assert_eq!(simulator.get_json(&format!("/{}", "1".repeat(300))).await.0, 400);
    let lines = simulator.output.lines();
    assert!(!lines.iter().any(|line| line.contains("file not read")), "{lines:?}");
}

#[tokio::test]
async fn a_fault_affects_lookups_downloads_or_uploads() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let id = simulator.upload(PHONE_NUMBER_ID, "image/jpeg", JPEG).await;
    simulator.faults(json!({"media": {"lookups": {"httpStatus": 503, "times": 1}}})).await;
    let (status, error) = simulator.get_json(&format!("/v26.0/{id}")).await;
    assert_eq!((status.as_u16(), &error["error"]["code"]), (503, &json!(131_000)));
    let (_, media) = simulator.get_json(&format!("/v26.0/{id}")).await;
    let download = async || simulator.request("GET", media["url"].as_str().unwrap(), TOKEN).await;

    simulator.faults(json!({"media": {"downloads": {"corrupt": true, "times": 1}}})).await;
    let mut wrong = JPEG.to_vec();
    *wrong.last_mut().unwrap() ^= 1;
    assert_eq!(download().await.bytes().await.unwrap(), wrong);
    simulator.faults(json!({"media": {"downloads": {"dropAfter": 6, "times": 1}}})).await;
    let mut response = download().await;
    assert_eq!((response.status().as_u16(), response.content_length()), (200, Some(20)));
    assert_eq!(response.chunk().await.unwrap().unwrap(), JPEG[..6]);
    assert!(response.chunk().await.is_err());
    simulator.faults(json!({"media": {"downloads": {"stallAfter": 6, "times": 1}}})).await;
    let mut response = download().await;
    assert_eq!(response.chunk().await.unwrap().unwrap(), JPEG[..6]);
    assert!(response.chunk().now_or_never().is_none());
    assert_eq!(download().await.bytes().await.unwrap(), JPEG);

    // The file is stored, but its ID is lost.
    simulator.faults(json!({"media": {"uploads": {"dropAfter": 0, "times": 1}}})).await;
    let body = form(Some("image/jpeg"), JPEG, &[("messaging_product", "whatsapp")]);
    let url = simulator.url(&format!("/v26.0/{PHONE_NUMBER_ID}/media"));
    let request = simulator.client.post(url).bearer_auth(TOKEN).body(body);
    let response = request.header("content-type", "multipart/form-data; boundary=b").send().await;
    assert!(match response {
        Ok(response) => response.bytes().await.is_err(),
        Err(_) => true,
    });
    let problems = simulator.output.lines();
    assert_eq!(problems.iter().filter(|line| line.contains("fault: ")).count(), 5, "{problems:?}");
}
