use std::{
    net::IpAddr,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

use aws_smithy_runtime_api::client::dns::DnsFuture;
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{domain::webhook_delivery::AttemptResult, services::public_http::FixedResolver};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

const MINUTE: Duration = Duration::from_secs(60);

/// Long enough for every response of a receiver in this process.
const LONG: Limits = Limits { timeout: MINUTE, handshake_timeout: MINUTE, idle_after: MINUTE };

/// For receivers that never respond.
const SHORT: Limits = Limits { timeout: Duration::from_millis(300), ..LONG };

/// A receiver on 127.0.0.1.
struct Receiver {
    listener: TcpListener,
}

impl Receiver {
    async fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn url(&self) -> String {
        format!("http://{}/hooks?key=1", self.listener.local_addr().unwrap())
    }

    async fn accept(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    /// Responds to one request per response on one connection, and returns the requests. The connection stays open.
    async fn respond(&self, responses: &[&str]) -> (Vec<String>, TcpStream) {
        let mut stream = self.accept().await;
        let mut requests = Vec::new();
        for response in responses {
            requests.push(read_request(&mut stream).await);
            stream.write_all(response.as_bytes()).await.unwrap();
        }
        (requests, stream)
    }

    /// Returns whether no other connection was made before this one.
    async fn is_unused(&self) -> bool {
        let stream = TcpStream::connect(self.listener.local_addr().unwrap()).await.unwrap();
        self.accept().await.peer_addr().unwrap() == stream.local_addr().unwrap()
    }
}

/// Reads the headers and the body of a request.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((headers, body)) = text.split_once("\r\n\r\n") {
            let length = headers.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        assert!(stream.read_buf(&mut request).await.unwrap() > 0, "closed before the request's end");
    }
}

fn local(limits: Limits) -> WebhookClient {
    WebhookClient::with_resolver(true, FixedResolver(Vec::new()), limits)
}

async fn post(client: &WebhookClient, url: &str) -> WebhookAttempt {
    client.post(url, [("webhook-id", "msg_1")], br#"{"type":"webhook.test"}"#, System::real()).await
}

/// Posts to a receiver that writes this response and then closes the connection.
async fn attempt(response: &str) -> WebhookAttempt {
    let receiver = Receiver::new().await;
    let (client, url) = (local(LONG), receiver.url());
    let respond = async { drop(receiver.respond(&[response]).await) };
    tokio::join!(post(&client, &url), respond).0
}

/// Posts to a name with these addresses. Returns the error.
async fn refusal(url: &str, addresses: &[&str]) -> Option<String> {
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    let client = WebhookClient::with_resolver(false, FixedResolver(addresses), SHORT);
    post(&client, url).await.error
}

#[tokio::test]
async fn a_post_returns_the_status_and_the_body() {
    let receiver = Receiver::new().await;
    let (client, url) = (local(LONG), receiver.url());
    let custom = [("Webhook-Id", "msg_1"), ("x-custom", "a"), ("X-Custom", "b"), ("User-Agent", "other")];
    let (attempt, (requests, _stream)) =
        tokio::join!(client.post(&url, custom, b"{\"type\":1}", System::real()), receiver.respond(&[OK]));
    assert_eq!((attempt.status, attempt.response.as_deref(), attempt.error.as_deref()), (Some(200), Some("ok"), None));
    assert_eq!(attempt.result(), AttemptResult::Delivered);
    let request = &requests[0];
    assert!(request.starts_with("POST /hooks?key=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"type\":1}"), "{request}");
    for header in ["webhook-id: msg_1", "x-custom: b", "content-type: application/json", "content-length: 10"] {
        assert!(request.contains(&format!("\r\n{header}\r\n")), "{header}: {request}");
    }
    assert!(request.contains(&format!("\r\nuser-agent: qasid/{}\r\n", env!("CARGO_PKG_VERSION"))), "{request}");
    assert!(!request.contains("x-custom: a") && !request.contains("other"), "{request}");
}

/// A proxy could connect to any address. The same test runs again in a process with the variables that name one.
#[test]
fn proxies_of_the_environment_are_not_used() {
    let test = "services::webhook_client::tests::a_post_returns_the_status_and_the_body";
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(name, "http://127.0.0.1:1");
    }
    let output = command.env("NO_PROXY", "").env("no_proxy", "").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test]
async fn any_other_status_is_a_failure() {
    for (status, expected) in [
        (204, AttemptResult::Delivered),
        (304, AttemptResult::Failed(None)),
        (400, AttemptResult::Failed(None)),
        (410, AttemptResult::Gone),
        (429, AttemptResult::Overloaded(None)),
        (500, AttemptResult::Failed(None)),
    ] {
        let attempt = attempt(&format!("HTTP/1.1 {status} Status\r\ncontent-length: 0\r\n\r\n")).await;
        assert_eq!((attempt.status, attempt.response.as_deref()), (Some(status), None));
        assert_eq!(attempt.result(), expected, "{status}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let target = Receiver::new().await;
    for status in [301, 302, 303, 307, 308] {
        let head = format!("HTTP/1.1 {status} Moved\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", target.url());
        let attempt = attempt(&head).await;
        assert_eq!((attempt.status, attempt.result()), (Some(status), AttemptResult::Failed(None)));
    }
    assert!(target.is_unused().await);
}

#[tokio::test]
async fn an_attempt_has_the_wait_that_the_receiver_asks_for() {
    let attempt = attempt("HTTP/1.1 503 Busy\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(attempt.result(), AttemptResult::Failed(Some(Duration::from_secs(120))));
}

#[test]
fn retry_after_has_seconds_or_a_date() {
    let now = "2026-10-21T07:28:00.250Z".parse().unwrap();
    for (text, expected) in [
        ("0", Some(0)),
        (" 120 ", Some(120)),
        ("86401", Some(86400)),
        ("99999999999999999999999", Some(86400)),
        ("Wed, 21 Oct 2026 07:28:10 GMT", Some(10)),
        ("Wed, 21 Oct 2026 07:00:00 GMT", Some(0)),
        ("Wed, 21 Oct 1959 07:00:00 GMT", Some(0)),
        ("Fri, 31 Dec 2100 23:59:59 GMT", Some(86400)),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("Mon, 99 Foo 2026 07:28:10 GMT", None),
    ] {
        assert_eq!(retry_after(text, now), expected, "{text}");
    }
}

#[tokio::test]
async fn a_chunked_response_is_read() {
    let response =
        "HTTP/1.1 400 Bad Request\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbad \r\n7\r\nrequest\r\n0\r\n\r\n";
    let attempt = attempt(response).await;
    assert_eq!((attempt.status, attempt.response.as_deref()), (Some(400), Some("bad request")));
}

/// The receiver writes without end: the client closes the connection after it has read enough.
#[tokio::test]
async fn an_endless_response_is_cut() {
    let receiver = Receiver::new().await;
    let (client, url) = (local(LONG), receiver.url());
    let endless = async {
        let mut stream = receiver.accept().await;
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut written = 0;
        while stream.write_all(&[b'a'; 8192]).await.is_ok() {
            written += 8192;
        }
        written
    };
    let (attempt, written) = tokio::join!(post(&client, &url), endless);
    assert_eq!(attempt.response, Some("a".repeat(RESPONSE_EXCERPT_LIMIT)));
    assert_eq!(attempt.result(), AttemptResult::Delivered);
    assert!(written >= RESPONSE_LIMIT);
}

/// A status is a response, even if the rest of it is too slow.
#[tokio::test]
async fn a_slow_body_is_cut_at_the_timeout() {
    let receiver = Receiver::new().await;
    let (client, url) = (local(SHORT), receiver.url());
    let respond = receiver.respond(&["HTTP/1.1 500 Error\r\ncontent-length: 100\r\n\r\nfirst"]);
    let (attempt, (_, _stream)) = tokio::join!(post(&client, &url), respond);
    assert_eq!((attempt.status, attempt.response.as_deref(), attempt.error), (Some(500), Some("first"), None));
}

#[tokio::test]
async fn a_receiver_that_does_not_respond_times_out() {
    let receiver = Receiver::new().await;
    let (client, url) = (local(SHORT), receiver.url());
    for partial in ["", "HTTP/1.1 200 O", "HTTP/1.1 200 OK\r\nx: y\r\n"] {
        let responses = [partial];
        let (attempt, (_, _stream)) = tokio::join!(post(&client, &url), receiver.respond(&responses));
        assert_eq!((attempt.status, attempt.error.as_deref()), (None, Some("No response within 0 seconds")));
        assert_eq!(attempt.result(), AttemptResult::Failed(None));
    }
    assert_eq!(PostError::Timeout(TIMEOUT).to_string(), "No response within 15 seconds");
}

#[tokio::test]
async fn a_failed_connection_is_an_error_without_the_url() {
    let receiver = Receiver::new().await;
    let url = receiver.url();
    drop(receiver);
    let error = post(&local(LONG), &url).await.error.unwrap();
    assert!(error.starts_with("The connection failed: ") && error.contains("refused"), "{error}");
    for response in ["", "HTTP/1.1 200 OK\r\n", "SSH-2.0-OpenSSH\r\n\r\n"] {
        let error = attempt(response).await.error.unwrap();
        assert!(error.starts_with("The connection failed: ") && !error.contains("127.0.0.1"), "{error}");
    }
}

#[test]
fn the_host_is_removed_from_errors() {
    #[derive(Debug, thiserror::Error)]
    #[error("certificate not valid for name \"hooks.example.com\"")]
    struct Certificate;
    let error = post_error(&Certificate, "hooks.example.com").to_string();
    assert_eq!(error, "The connection failed: certificate not valid for name \"the host\"");
}

#[tokio::test]
async fn connections_are_used_again() {
    let receiver = Receiver::new().await;
    let (client, url) = (local(LONG), receiver.url());
    let posts = async {
        for _ in 0..3 {
            assert_eq!(post(&client, &url).await.status, Some(200));
        }
    };
    let (requests, _stream) = tokio::join!(posts, receiver.respond(&[OK, OK, OK])).1;
    assert_eq!(requests.len(), 3);
}

/// Posts twice on one connection. The receiver closes it after the second request, and responds to any other.
async fn post_on_closed_connection(limits: Limits) -> (WebhookAttempt, usize) {
    let receiver = Receiver::new().await;
    let (client, url) = (local(limits), receiver.url());
    let mut requests = 0;
    let receive = async {
        let (_, mut stream) = receiver.respond(&[OK]).await;
        read_request(&mut stream).await;
        requests = 2;
        drop(stream);
        let (_, _stream) = receiver.respond(&[OK]).await;
        requests = 3;
        std::future::pending().await
    };
    let posts = async {
        assert_eq!(post(&client, &url).await.status, Some(200));
        post(&client, &url).await
    };
    let attempt = tokio::select! {
        attempt = posts => attempt,
        () = receive => unreachable!("it waits forever"),
    };
    (attempt, requests)
}

/// A process that was frozen notices only then that the receiver has closed the connection.
#[tokio::test]
async fn a_request_on_a_closed_idle_connection_is_repeated_on_a_new_one() {
    let (attempt, _) = post_on_closed_connection(Limits { idle_after: Duration::ZERO, ..LONG }).await;
    assert_eq!(attempt.status, Some(200));
}

#[tokio::test]
async fn a_request_on_a_connection_in_use_is_not_repeated() {
    let (attempt, requests) = post_on_closed_connection(LONG).await;
    assert!(attempt.error.unwrap().starts_with("The connection failed: "));
    assert_eq!(requests, 2);
}

#[tokio::test]
async fn a_request_on_a_new_connection_is_not_repeated() {
    let receiver = Receiver::new().await;
    let (client, url) = (local(LONG), receiver.url());
    let close = async { drop(receiver.respond(&[""]).await) };
    let (attempt, ()) = tokio::join!(post(&client, &url), close);
    assert!(attempt.error.is_some());
    assert!(receiver.is_unused().await);
}

#[tokio::test]
async fn urls_that_are_not_public_are_not_requested() {
    let receiver = Receiver::new().await;
    let port = receiver.listener.local_addr().unwrap().port();
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("https://2130706433:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://localhost:{port}/"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://[fd00:ec2::254]/latest/meta-data".to_owned(),
    ] {
        let error = refusal(&url, &["127.0.0.1"]).await.unwrap();
        assert!(error.starts_with("The URL of the webhook must "), "{url}: {error}");
        assert!(!error.contains("127.0.0.1") && !error.contains("169.254"), "{error}");
    }
    assert!(receiver.is_unused().await);
}

#[tokio::test]
async fn names_with_addresses_that_are_not_public_are_not_connected_to() {
    let receiver = Receiver::new().await;
    let url = format!("https://hooks.example:{}/", receiver.listener.local_addr().unwrap().port());
    for addresses in [
        &["127.0.0.1"][..],
        &["10.0.0.1"],
        &["169.254.169.254"],
        &["fd00:ec2::254"],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["3ffe::1", "127.0.0.1"],
    ] {
        let error = refusal(&url, addresses).await;
        assert_eq!(error.as_deref(), Some("The name has an address that is not public"), "{addresses:?}");
    }
    assert!(receiver.is_unused().await);
}

/// A resolver with another answer each time.
#[derive(Clone, Debug)]
struct Rebinding {
    answers: Arc<Vec<IpAddr>>,
    asked: Arc<AtomicUsize>,
}

impl ResolveDns for Rebinding {
    fn resolve_dns<'a>(&'a self, _name: &'a str) -> DnsFuture<'a> {
        let index = self.asked.fetch_add(1, Ordering::Relaxed);
        DnsFuture::ready(Ok(vec![self.answers[index.min(self.answers.len() - 1)]]))
    }
}

/// The first address is public, but leads nowhere (IANA took it back from the 6bone). The checked addresses are those that
/// are connected to: a check and a later connection would connect to the second address.
#[tokio::test]
async fn a_name_that_changes_its_address_after_the_check_leads_nowhere() {
    let receiver = Receiver::new().await;
    let url = format!("https://hooks.example:{}/", receiver.listener.local_addr().unwrap().port());
    let answers = Arc::new(vec!["3ffe::1".parse().unwrap(), "127.0.0.1".parse().unwrap()]);
    let resolver = Rebinding { answers, asked: Arc::default() };
    let client = WebhookClient::with_resolver(false, resolver.clone(), SHORT);
    let first = post(&client, &url).await.error.unwrap();
    assert_ne!(first, "The name has an address that is not public");
    assert_eq!(resolver.asked.load(Ordering::Relaxed), 1);
    assert_eq!(post(&client, &url).await.error.unwrap(), "The name has an address that is not public");
    assert!(receiver.is_unused().await);
}

#[tokio::test]
async fn headers_that_cannot_be_sent_are_an_error() {
    for (name, value) in [("x y", "a"), ("", "a"), ("x", "a\r\nb: c"), ("x\n", "a")] {
        let attempt = local(LONG).post("http://127.0.0.1:1/", [(name, value)], b"", System::real()).await;
        assert_eq!(attempt.error.as_deref(), Some("The webhook has a header that cannot be sent"), "{name} {value}");
    }
}

#[tokio::test]
async fn a_handshake_needs_the_challenge() {
    let receiver = Receiver::new().await;
    let url = WebhookUrl::parse(&receiver.url(), true).unwrap();
    let client = local(LONG);
    let handshake = async |respond: fn(&str) -> String| {
        let receive = async {
            let mut stream = receiver.accept().await;
            let request = read_request(&mut stream).await;
            let challenge = request.split_once("hub.challenge=").unwrap().1.split([' ', '&']).next().unwrap();
            stream.write_all(respond(challenge).as_bytes()).await.unwrap();
            request
        };
        tokio::join!(client.handshake(&url, "token of mine", System::real()), receive)
    };
    let (result, request) = handshake(|challenge| response(200, challenge)).await;
    assert_eq!(result, Ok(()));
    let start = "GET /hooks?key=1&hub.mode=subscribe&hub.verify_token=token+of+mine&hub.challenge=";
    assert!(request.starts_with(start), "{request}");
    for respond in [|_: &str| response(200, "ok"), |challenge: &str| response(200, &format!("\"{challenge}\""))] {
        assert_eq!(handshake(respond).await.0, Err(HandshakeError::Challenge));
    }
    for respond in [|challenge: &str| response(403, challenge), |challenge: &str| response(201, challenge)] {
        assert!(matches!(handshake(respond).await.0, Err(HandshakeError::Status(201 | 403))));
    }
    let (result, _) = handshake(|_| String::new()).await;
    assert!(result.unwrap_err().to_string().starts_with("The connection failed: "));
}

#[tokio::test]
async fn a_handshake_has_a_timeout_of_its_own() {
    let receiver = Receiver::new().await;
    let url = WebhookUrl::parse(&receiver.url(), true).unwrap();
    let client = local(Limits { handshake_timeout: Duration::from_millis(300), ..LONG });
    let receive = async {
        let mut stream = receiver.accept().await;
        read_request(&mut stream).await;
        stream
    };
    let (result, _stream) = tokio::join!(client.handshake(&url, "token", System::real()), receive);
    assert_eq!(result, Err(HandshakeError::NoResponse("No response within 0 seconds".to_owned())));
}

fn response(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} Status\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

#[test]
fn the_debug_text_has_no_connection() {
    assert!(!format!("{:?}", local(LONG)).contains("Rustls"));
}

proptest! {
    /// Two libraries parse the URL. They agree on the host.
    #[test]
    fn a_url_that_is_parsed_can_be_requested(
        host in "[a-zA-Z0-9_.-]{1,12}\\.[a-z]{2,4}", port in "(:[0-9]{1,4})?", path in "[^#]{0,40}", query in "(\\?[ -~]{0,20})?"
    ) {
        if let Ok(url) = WebhookUrl::parse(&format!("https://{host}{port}/{path}{query}"), false) {
            let request = post_request(&url, [], b"").unwrap();
            let parsed = url::Url::parse(request.uri()).unwrap();
            prop_assert_eq!(parsed.host_str(), Some(url.host()));
            prop_assert!(request.try_into_http1x().is_ok_and(|request| request.uri().host() == Some(url.host())));
        }
    }

    #[test]
    fn an_excerpt_is_short_text(body in prop::collection::vec(any::<u8>(), 0..3000), text in ".{0,600}") {
        for body in [&body[..], text.as_bytes()] {
            let excerpt = excerpt(body);
            prop_assert!(excerpt.len() <= RESPONSE_EXCERPT_LIMIT);
            prop_assert!(!excerpt.chars().any(char::is_control));
        }
    }

    #[test]
    fn an_excerpt_is_the_start_of_the_text(text in "[a-zäöü€😀 ]{0,600}") {
        let excerpt = excerpt(text.as_bytes());
        prop_assert!(text.starts_with(&excerpt));
        prop_assert!(excerpt.len() == text.len() || excerpt.len() > RESPONSE_EXCERPT_LIMIT - 4);
    }
}
