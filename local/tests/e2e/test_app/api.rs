//! Requests to the API.

use serde_json::{Value, json};
use shared::http::origin_guard;

use super::{Response, TestApp, bytes};

impl TestApp {
    /// Sends a request with the operator's key, unless `headers` have an `authorization`, and with the origin header if
    /// the deployment needs one.
    pub async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
        let key = format!("Bearer {}", self.ready.api_key);
        let mut headers = headers.to_vec();
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
            headers.push(("authorization", &key));
        }
        if let Some(origin) = &self.ready.origin
            && !headers.iter().any(|(name, _)| *name == origin_guard::HEADER)
        {
            headers.push((origin_guard::HEADER, origin));
        }
        self.anonymous(method, path, &headers, body).await
    }

    /// Sends a request with these headers and no key.
    pub async fn anonymous(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
        let url = format!("{}{path}", self.ready.api);
        self.send_request(method, &url, headers, body).await
    }

    /// Sends a request with this key; a null body is empty.
    pub async fn with_key(&self, key: &str, method: &str, path: &str, body: &Value) -> Response {
        self.request(method, path, &[("authorization", &format!("Bearer {key}"))], bytes(body)).await
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[], Vec::new()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.request("POST", path, &[], bytes(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Response {
        self.request("PUT", path, &[], bytes(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Response {
        self.request("PATCH", path, &[], bytes(body)).await
    }

    pub async fn delete(&self, path: &str) -> Response {
        self.request("DELETE", path, &[], Vec::new()).await
    }

    /// Reads all pages of a list, and returns them. `path` has a query.
    pub async fn pages(&self, path: &str) -> Vec<Value> {
        let (mut pages, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}{cursor}")).await;
            assert_eq!((page.status, &page.json["success"]), (200, &json!(true)), "{path}: {}", page.json);
            let next = page.json["nextCursor"].as_str().map(|next| format!("&cursor={next}"));
            pages.push(page.json);
            match next {
                Some(next) => cursor = next,
                None => return pages,
            }
        }
    }

    /// Reads all pages of a list, and returns the items of all of them.
    pub async fn all(&self, path: &str, member: &str) -> Vec<Value> {
        let pages = self.pages(path).await;
        pages.iter().flat_map(|page| page[member].as_array().expect("a list").clone()).collect()
    }

    /// Creates a key of an owner, and returns the key's JSON and its secret.
    pub async fn create_key(&self, owner: &str, scopes: &[&str]) -> (Value, String) {
        let body = json!({"name": format!("{owner}'s"), "ownerId": owner, "scopes": scopes});
        let response = self.post("/api/keys", &body).await;
        assert_eq!(response.status, 200, "{}", response.json);
        (response.json["key"].clone(), response.json["secret"].as_str().unwrap().to_owned())
    }

    pub async fn create_session(&self, owner: &str) -> Value {
        let response = self.post("/api/session/create", &json!({"userId": owner})).await;
        assert_eq!(response.status, 200, "{}", response.json);
        response.json["session"].clone()
    }

    pub async fn session_status(&self, session_id: &str) -> Value {
        let response = self.get(&format!("/api/session/status?sessionId={session_id}")).await;
        assert_eq!(response.status, 200, "{}", response.json);
        response.json["session"].clone()
    }

    /// Creates a session, pairs it, and returns its id.
    pub async fn connect(&self, owner: &str) -> String {
        let session = self.create_session(owner).await;
        self.scan(session["qr"].as_str().unwrap(), "201009999999").await;
        session["id"].as_str().unwrap().to_owned()
    }

    /// Creates a session whose owner resends messages of unknown outcome, pairs it, and returns its id.
    pub async fn connect_with_resend(&self) -> String {
        let response = self.post("/api/session/create", &json!({"userId": "ada", "unknownPolicy": "resend"})).await;
        let session = &response.json["session"];
        assert_eq!(session["unknown_policy"], "resend", "{}", response.json);
        self.scan(session["qr"].as_str().unwrap(), "201009999999").await;
        session["id"].as_str().unwrap().to_owned()
    }

    /// Reports the connection state of a linked-device worker.
    pub async fn set_worker_state(&self, session_id: &str, is_connected: bool) -> Response {
        let body = json!({"sessionId": session_id, "isConnected": is_connected, "isReady": is_connected});
        self.put("/api/session/state", &body).await
    }

    pub async fn send(&self, session_id: &str, to: &str, text: &str) -> Response {
        self.post("/api/messages/send", &json!({"sessionId": session_id, "to": to, "message": text})).await
    }

    /// Sends a message with this content: `{"type": "image", "image": {…}}`.
    pub async fn send_content(&self, session_id: &str, to: &str, mut content: Value) -> Response {
        content["sessionId"] = json!(session_id);
        content["to"] = json!(to);
        self.post("/api/messages/send", &content).await
    }

    /// Announces a file, and returns the response.
    pub async fn announce_media(&self, session_id: &str, mime_type: &str, size: usize, name: Option<&str>) -> Response {
        let body = json!({"sessionId": session_id, "mimeType": mime_type, "size": size, "fileName": name});
        self.post("/api/media", &body).await
    }

    /// Sends the request that `POST /api/media` returned as `upload`, and returns the status.
    pub async fn upload_to(&self, upload: &Value, content: &[u8]) -> u16 {
        let mut request = self.http.put(upload["url"].as_str().unwrap()).body(content.to_vec());
        for (name, value) in upload["headers"].as_object().unwrap() {
            request = request.header(name, value.as_str().unwrap());
        }
        request.send().await.unwrap().status().as_u16()
    }

    /// Uploads a file to send, and returns its ID.
    pub async fn upload_media(&self, session_id: &str, mime_type: &str, content: &[u8]) -> String {
        let announced = self.announce_media(session_id, mime_type, content.len(), None).await;
        assert_eq!(self.upload_to(&announced.json["upload"], content).await, 200);
        announced.json["media"]["id"].as_str().unwrap().to_owned()
    }

    /// Sends the template that every WhatsApp Business Account has. It needs no message of the contact.
    pub async fn send_template(&self, session_id: &str, to: &str) -> Response {
        let template = json!({"name": "hello_world", "language": {"code": "en_US"}});
        let body = json!({"sessionId": session_id, "to": to, "type": "template", "template": template});
        self.post("/api/messages/send", &body).await
    }
}
