//! An endpoint that receives webhooks: it records every request, and answers as a test scripts it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::body::Bytes;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use sha2::Sha256;
use tokio::{net::TcpListener, sync::watch, time::Instant};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::test_app::contract::Violations;

/// The limit for one wait. Only a failing test reaches it.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A request that the receiver got.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub method: Method,
    /// The path with the query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// When the body was complete. Deliveries are in this order.
    pub arrived: Instant,
    /// The status that the script answers with; `None` if it doesn't answer.
    pub status: Option<u16>,
}

impl Delivery {
    /// Returns a header's value, or an empty string without the header.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a readable header"))
    }

    /// Returns the value of a query parameter, or an empty string without the parameter.
    pub fn query(&self, name: &str) -> String {
        let parameters = self.path.split_once('?').map_or("", |(_, query)| query).split('&');
        let mut values = parameters.filter_map(|parameter| parameter.split_once('=')).filter(|(key, _)| *key == name);
        let value = values.next().map(|(_, value)| percent_decode_str(value).decode_utf8_lossy().into_owned());
        value.unwrap_or_default()
    }

    /// Returns the body as JSON; null if it isn't JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether the script answers with success, even if that is too late for the sender.
    pub fn is_accepted(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether one of the delivery's signatures is valid under this secret (Standard Webhooks specification, "Signature
    /// scheme").
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = BASE64.decode(secret.strip_prefix("whsec_").expect("a secret begins with whsec_")).expect("base64");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length");
        mac.update(format!("{}.{}.", self.header("webhook-id"), self.header("webhook-timestamp")).as_bytes());
        mac.update(&self.body);
        let expected = format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()));
        self.header("webhook-signature").split(' ').any(|signature| signature == expected)
    }
}

/// What the receiver does with a request.
#[derive(Clone, Debug)]
pub struct Reply {
    /// `None` closes the connection instead of an answer.
    status: Option<u16>,
    headers: Vec<(&'static str, String)>,
    body: ReplyBody,
    timing: Timing,
}

#[derive(Clone, Debug)]
enum ReplyBody {
    Text(String),
    /// The `hub.challenge` of the request.
    Challenge,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Timing {
    Immediate,
    Delayed(Duration),
    /// Not before [`Receiver::release`].
    Held,
    Never,
}

impl Reply {
    /// Answers with this status and an empty body.
    pub fn status(status: u16) -> Reply {
        Reply {
            status: Some(status),
            headers: Vec::new(),
            body: ReplyBody::Text(String::new()),
            timing: Timing::Immediate,
        }
    }

    /// Redirects with 302 to this URL.
    pub fn redirect(url: &str) -> Reply {
        Reply::status(302).header("location", url)
    }

    /// Answers Meta's verification request with its challenge (Meta, *Create a webhook endpoint*, "Validating verification
    /// requests").
    pub fn challenge() -> Reply {
        Reply { body: ReplyBody::Challenge, ..Reply::status(200) }
    }

    /// Closes the connection without an answer.
    pub fn close() -> Reply {
        Reply { status: None, ..Reply::status(200) }
    }

    /// Never answers. The connection stays open until the sender closes it.
    pub fn hang() -> Reply {
        Reply { status: None, timing: Timing::Never, ..Reply::status(200) }
    }

    /// Adds a header.
    pub fn header(mut self, name: &'static str, value: impl ToString) -> Reply {
        self.headers.push((name, value.to_string()));
        self
    }

    /// Sets the body.
    pub fn body(self, body: impl Into<String>) -> Reply {
        Reply { body: ReplyBody::Text(body.into()), ..self }
    }

    /// Answers after this time, such as one longer than the sender's timeout.
    pub fn after(self, delay: Duration) -> Reply {
        Reply { timing: Timing::Delayed(delay), ..self }
    }

    /// Answers when the test calls [`Receiver::release`].
    pub fn held(self) -> Reply {
        Reply { timing: Timing::Held, ..self }
    }
}

type Condition = Box<dyn Fn(&Delivery) -> bool + Send>;

/// A reply for the requests that meet a condition.
struct Rule {
    condition: Condition,
    /// How many requests the rule still applies to; `None` for all.
    remaining: Option<usize>,
    reply: Reply,
}

#[derive(Default)]
struct State {
    deliveries: Vec<Delivery>,
    rules: Vec<Rule>,
}

struct Shared {
    state: Mutex<State>,
    /// What the deliveries violated of `openapi.yaml`.
    violations: Violations,
    /// The number of deliveries.
    count: watch::Sender<usize>,
    released: watch::Sender<u64>,
}

/// A running receiver. Without a rule that applies, it answers 200. Dropping it closes its connections.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

impl Receiver {
    /// Starts a receiver on a free port of 127.0.0.1.
    pub async fn start() -> Receiver {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            violations: Violations::default(),
            count: watch::Sender::new(0),
            released: watch::Sender::new(0),
        });
        let stop = CancellationToken::new();
        tokio::spawn(accept(listener, Arc::clone(&shared), stop.clone()));
        Receiver { address, shared, _stop: stop.drop_guard() }
    }

    /// Returns the URL of a path that begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Replies to all further requests like this.
    pub fn always(&self, reply: Reply) {
        self.add(None, Box::new(|_| true), reply);
    }

    /// Replies to the next `times` requests like this.
    pub fn next(&self, times: usize, reply: Reply) {
        self.add(Some(times), Box::new(|_| true), reply);
    }

    /// Replies to all further requests that meet the condition like this.
    pub fn when(&self, condition: impl Fn(&Delivery) -> bool + Send + 'static, reply: Reply) {
        self.add(None, Box::new(condition), reply);
    }

    /// Replies to the next `times` requests that meet the condition like this.
    pub fn next_when(&self, times: usize, condition: impl Fn(&Delivery) -> bool + Send + 'static, reply: Reply) {
        self.add(Some(times), Box::new(condition), reply);
    }

    /// The first rule that applies decides.
    fn add(&self, remaining: Option<usize>, condition: Condition, reply: Reply) {
        self.shared.state().rules.push(Rule { condition, remaining, reply });
    }

    /// Removes all rules. Requests in progress keep their reply.
    pub fn clear_rules(&self) {
        self.shared.state().rules.clear();
    }

    /// Answers the requests that are held now.
    pub fn release(&self) {
        self.shared.released.send_modify(|count| *count += 1);
    }

    /// Returns all deliveries in the order of their arrival.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.violations.assert_none();
        self.shared.state().deliveries.clone()
    }

    /// Returns the deliveries that the receiver accepts.
    pub fn accepted(&self) -> Vec<Delivery> {
        self.deliveries().into_iter().filter(Delivery::is_accepted).collect()
    }

    /// Waits until there are at least `count` deliveries, and returns all of them.
    pub async fn wait_for(&self, count: usize) -> Vec<Delivery> {
        self.wait_until(&format!("{count} deliveries"), |deliveries| deliveries.len() >= count).await
    }

    /// Waits until the deliveries meet the condition, and returns all of them.
    pub async fn wait_until(&self, expected: &str, condition: impl Fn(&[Delivery]) -> bool) -> Vec<Delivery> {
        let mut count = self.shared.count.subscribe();
        let is_met = |_: &usize| condition(&self.shared.state().deliveries);
        let waited = tokio::time::timeout(TIMEOUT, count.wait_for(is_met)).await.is_ok();
        let deliveries = self.deliveries();
        assert!(waited, "timed out: {expected}; deliveries: {deliveries:#?}");
        deliveries
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics with the lock")
    }

    /// Records the request, and returns the reply to it.
    fn record(&self, mut delivery: Delivery) -> Reply {
        self.violations.record_delivery(&delivery.headers, &delivery.json());
        let reply = {
            let mut state = self.state();
            let applies = |rule: &&mut Rule| rule.remaining != Some(0) && (rule.condition)(&delivery);
            let reply = state.rules.iter_mut().find(applies).map(|rule| {
                rule.remaining = rule.remaining.map(|remaining| remaining - 1);
                rule.reply.clone()
            });
            let reply = reply.unwrap_or_else(|| Reply::status(200));
            delivery.status = reply.status;
            delivery.arrived = Instant::now();
            state.deliveries.push(delivery);
            reply
        };
        self.count.send_modify(|count| *count += 1);
        reply
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    while let Some(Ok((connection, _))) = stop.run_until_cancelled(listener.accept()).await {
        let (shared, stop) = (Arc::clone(&shared), stop.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| respond(&shared, request));
            let serving = http1::Builder::new().serve_connection(TokioIo::new(connection), service);
            // Fails if either side closes the connection during a request.
            let _ = stop.run_until_cancelled(serving).await;
        });
    }
}

/// The error that makes the server close a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
struct NoAnswer;

async fn respond(shared: &Shared, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, NoAnswer> {
    // A request that a test can see must not miss the release.
    let mut released = shared.released.subscribe();
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| NoAnswer)?.to_bytes();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let arrived = Instant::now();
    let delivery = Delivery { method: head.method, path, headers: head.headers, body, arrived, status: None };
    let challenge = delivery.query("hub.challenge");
    let reply = shared.record(delivery);
    match reply.timing {
        Timing::Immediate => {}
        Timing::Delayed(delay) => tokio::time::sleep(delay).await,
        Timing::Held => released.changed().await.map_err(|_| NoAnswer)?,
        Timing::Never => std::future::pending().await,
    }
    let mut response = Response::builder().status(reply.status.ok_or(NoAnswer)?);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    let body = match reply.body {
        ReplyBody::Text(text) => text,
        ReplyBody::Challenge => challenge,
    };
    Ok(response.body(Full::from(body)).expect("a valid reply"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::test_app::client;

    /// Sends a webhook, and returns the status and the body, or `None` without an answer.
    async fn post(receiver: &Receiver, path: &str, body: &'static str) -> Option<(u16, String)> {
        let response = client().post(receiver.url(path)).header("x-test", "1").body(body).send().await.ok()?;
        Some((response.status().as_u16(), response.text().await.ok()?))
    }

    fn ok() -> Option<(u16, String)> {
        Some((200, String::new()))
    }

    #[tokio::test]
    async fn requests_are_recorded_in_order() {
        let receiver = Receiver::start().await;
        assert_eq!(post(&receiver, "/a?b=1", r#"{"c":2}"#).await, ok());
        assert_eq!(post(&receiver, "/d", "not JSON").await, ok());
        let deliveries = receiver.wait_for(2).await;
        let [first, second] = deliveries.as_slice() else { panic!("{deliveries:?}") };
        assert_eq!((&first.method, first.path.as_str(), first.header("x-test")), (&Method::POST, "/a?b=1", "1"));
        assert_eq!((first.json(), second.json()), (json!({"c": 2}), Value::Null));
        assert_eq!((&second.body[..], second.header("missing")), (&b"not JSON"[..], ""));
        assert!(first.arrived <= second.arrived && first.is_accepted());
    }

    #[tokio::test]
    async fn rules_decide_the_reply() {
        let receiver = Receiver::start().await;
        receiver.next_when(1, |delivery| delivery.path == "/slow", Reply::status(429).header("retry-after", 30));
        receiver.next(2, Reply::status(500).body("broken"));
        receiver.when(|delivery| delivery.json()["type"] == "gone", Reply::status(410));
        receiver.always(Reply::redirect("http://127.0.0.1:9/"));
        let broken = Some((500, "broken".to_owned()));
        assert_eq!(post(&receiver, "/", "").await, broken);
        let throttled = client().post(receiver.url("/slow")).send().await.unwrap();
        assert_eq!((throttled.status().as_u16(), &throttled.headers()["retry-after"]), (429, &"30".parse().unwrap()));
        assert_eq!(post(&receiver, "/slow", "").await, broken);
        assert_eq!(post(&receiver, "/", r#"{"type":"gone"}"#).await, Some((410, String::new())));
        assert_eq!(post(&receiver, "/", "").await, Some((302, String::new())));
        receiver.clear_rules();
        assert_eq!(post(&receiver, "/", "").await, ok());
        receiver.next(1, Reply::challenge());
        let challenge = post(&receiver, "/?hub.mode=subscribe&hub.challenge=a%2Bb", "").await;
        assert_eq!(challenge, Some((200, "a+b".to_owned())));
        let statuses: Vec<_> = receiver.deliveries().iter().map(|delivery| delivery.status.unwrap()).collect();
        assert_eq!(statuses, [500, 429, 500, 410, 302, 200, 200]);
        assert_eq!(receiver.accepted().len(), 2);
    }

    #[tokio::test]
    async fn a_reply_can_be_late_or_missing() {
        let receiver = Receiver::start().await;
        receiver.next(1, Reply::close());
        receiver.next(1, Reply::status(204).after(Duration::from_millis(1)));
        receiver.next(2, Reply::status(200).held());
        receiver.next(1, Reply::hang());
        assert_eq!(post(&receiver, "/", "").await, None);
        assert_eq!(post(&receiver, "/", "").await, Some((204, String::new())));
        let ((first, second), hanging, ()) = tokio::join!(
            async { tokio::join!(post(&receiver, "/", ""), post(&receiver, "/", "")) },
            async {
                receiver.wait_for(4).await;
                let impatient = client().post(receiver.url("/hang")).timeout(Duration::from_millis(50));
                impatient.send().await.is_err_and(|error| error.is_timeout())
            },
            async {
                receiver.wait_until("the last one", |all| all.iter().any(|delivery| delivery.path == "/hang")).await;
                receiver.release();
            },
        );
        assert_eq!((first, second, hanging), (ok(), ok(), true));
        let statuses: Vec<_> = receiver.deliveries().iter().map(|delivery| delivery.status).collect();
        assert_eq!(statuses, [None, Some(204), Some(200), Some(200), None]);
    }

    #[test]
    fn a_signature_is_valid_under_its_secret() {
        // The example of the Standard Webhooks libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let headers = [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ];
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let delivery = Delivery {
            method: Method::POST,
            path: "/".to_owned(),
            headers: headers.into_iter().collect(),
            body: Bytes::from_static(br#"{"test": 2432232314}"#),
            arrived: Instant::now(),
            status: Some(200),
        };
        assert!(delivery.is_signed_with(secret));
        assert!(!delivery.is_signed_with("whsec_AAAA"));
        let other = Delivery { body: Bytes::from_static(b"{}"), ..delivery };
        assert!(!other.is_signed_with(secret));
    }
}
