//! The HTTP client of outgoing webhooks. The URLs come from users, so it connects to public addresses only, follows no
//! redirects, uses no proxy, and limits the time and size of a response. It logs nothing: URLs, headers, and bodies are
//! confidential.

use std::{
    collections::HashMap,
    error::Error,
    net::SocketAddr,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    connection::CaptureSmithyConnection,
    dns::ResolveDns,
    http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use jiff::fmt::rfc2822;

use crate::{
    domain::{
        system::System,
        time::Timestamp,
        webhook_delivery::{RESPONSE_EXCERPT_LIMIT, WebhookAttempt},
        webhook_url::{WebhookUrl, WebhookUrlError},
    },
    services::public_http::{NotPublic, PublicNames, SystemResolver},
};

/// The timeout of an attempt, including the response's body (*Standard Webhooks*, operational considerations: 15 to 30
/// seconds).
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// The timeout of a verification. The caller of the API waits for it.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The timeout of a connection, including TLS. Long enough to repeat a lost SYN packet twice.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection is kept for the next request. Shorter than the timeout of common load balancers (60 seconds),
/// which close idle connections.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The time after which a connection counts as idle: a receiver that closes it has probably done so because of that.
const IDLE_AFTER: Duration = Duration::from_secs(1);

/// The maximum length of the part of a response that is read, in bytes. A connection whose response is read to its end
/// can be used again.
const RESPONSE_LIMIT: usize = 64 * 1024;

/// The maximum wait that a receiver can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The number of connections whose last use a client remembers.
const MAX_USED_CONNECTIONS: usize = 1024;

const USER_AGENT: &str = concat!("qasid/", env!("CARGO_PKG_VERSION"));

type BoxError = Box<dyn Error + Send + Sync>;

/// Sends webhooks. Clones share their connections. The first request creates the connector, which reads the root
/// certificates.
#[derive(Clone, Debug)]
pub struct WebhookClient {
    http: Arc<LazyLock<SharedHttpConnector, Box<dyn FnOnce() -> SharedHttpConnector + Send>>>,
    allow_local: bool,
    limits: Limits,
    /// When connections, by their local addresses, had their last response.
    used: Arc<Mutex<HashMap<SocketAddr, Timestamp>>>,
}

/// The times that a client waits for.
#[derive(Clone, Copy, Debug)]
struct Limits {
    timeout: Duration,
    handshake_timeout: Duration,
    idle_after: Duration,
}

/// Why a receiver failed Meta's verification of a callback URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum HandshakeError {
    #[error("{0}")]
    NoResponse(String),
    #[error("The receiver responded to the verification request with status {0} instead of 200")]
    Status(u16),
    #[error("The receiver did not respond to the verification request with the challenge")]
    Challenge,
}

/// Why there is no response, as a sentence without the URL.
#[derive(Debug, thiserror::Error)]
enum PostError {
    #[error("The URL of the webhook {0}")]
    Url(#[from] WebhookUrlError),
    #[error("The webhook has a header that cannot be sent")]
    Header,
    #[error("The name has an address that is not public")]
    NotPublic,
    #[error("No response within {} seconds", .0.as_secs())]
    Timeout(Duration),
    #[error("The connection failed: {0}")]
    Connection(String),
}

/// A response, as far as it arrived in time.
struct Response {
    status: u16,
    retry_after: Option<String>,
    body: Vec<u8>,
}

impl WebhookClient {
    /// Creates a client. `allow_local` also allows `http://127.0.0.1`, for a local run.
    pub fn new(allow_local: bool) -> Self {
        let limits = Limits { timeout: TIMEOUT, handshake_timeout: HANDSHAKE_TIMEOUT, idle_after: IDLE_AFTER };
        Self::with_resolver(allow_local, SystemResolver, limits)
    }

    /// Like [`WebhookClient::new`], with another resolver and other limits.
    fn with_resolver(allow_local: bool, resolver: impl ResolveDns + Clone + 'static, limits: Limits) -> Self {
        let connect = move || {
            // The builder uses no proxy unless it gets one. It ignores the variables HTTP_PROXY and HTTPS_PROXY.
            let connector = Connector::builder()
                .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build())
                .pool_idle_timeout(IDLE_TIMEOUT)
                .tls_provider(Provider::Rustls(CryptoMode::Ring));
            SharedHttpConnector::new(connector.build_with_resolver(PublicNames(resolver)))
        };
        Self { http: Arc::new(LazyLock::new(Box::new(connect))), allow_local, limits, used: Arc::default() }
    }

    /// Sends a body as JSON once and returns the attempt. A later header replaces an earlier one with the same name.
    pub async fn post<'a>(
        &self,
        url: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: &[u8],
        system: System,
    ) -> WebhookAttempt {
        let at = system.now();
        let request = WebhookUrl::parse(url, self.allow_local)
            .map_err(PostError::from)
            .and_then(|url| Ok((post_request(&url, headers, body).map_err(|_| PostError::Header)?, url)));
        let response = match request {
            Ok((request, url)) => self.send(&url, request, self.limits.timeout, system).await,
            Err(error) => Err(error),
        };
        let now = system.now();
        let attempt = WebhookAttempt {
            at,
            duration_ms: u64::try_from(now.since(at).as_millis()).unwrap_or(u64::MAX),
            status: None,
            response: None,
            error: None,
            retry_after_seconds: None,
        };
        match response {
            Ok(response) => WebhookAttempt {
                status: Some(response.status),
                response: Some(excerpt(&response.body)).filter(|text| !text.is_empty()),
                retry_after_seconds: response.retry_after.and_then(|text| retry_after(&text, now)),
                ..attempt
            },
            Err(error) => WebhookAttempt { error: Some(error.to_string()), ..attempt },
        }
    }

    /// Verifies that a receiver expects webhooks, as Meta does for a callback URL (Meta, *Create a webhook endpoint*,
    /// verification requests): it responds with status 200 and the value of `hub.challenge`.
    ///
    /// # Errors
    /// If it responds otherwise, or not at all.
    pub async fn handshake(&self, url: &WebhookUrl, verify_token: &str, system: System) -> Result<(), HandshakeError> {
        // Digits, like Meta's: some receivers convert it to a number.
        let challenge = (system.random_uuid().as_u128() % 10_u128.pow(10)).to_string();
        let url = url.with_query(&[
            ("hub.mode", "subscribe"),
            ("hub.verify_token", verify_token),
            ("hub.challenge", &challenge),
        ]);
        let no_response = |error: PostError| HandshakeError::NoResponse(error.to_string());
        let request = get_request(&url).map_err(|_| no_response(PostError::Url(WebhookUrlError::Host)))?;
        let response = self.send(&url, request, self.limits.handshake_timeout, system).await.map_err(no_response)?;
        match response.status {
            200 if response.body == challenge.as_bytes() => Ok(()),
            200 => Err(HandshakeError::Challenge),
            status => Err(HandshakeError::Status(status)),
        }
    }

    /// Sends a request and reads the response until its end, the size limit, or the timeout. A status without a complete
    /// body is a response: the receiver has decided.
    async fn send(
        &self,
        url: &WebhookUrl,
        request: HttpRequest,
        timeout: Duration,
        system: System,
    ) -> Result<Response, PostError> {
        let connection = CaptureSmithyConnection::new();
        let mut head = None;
        let mut body = Vec::new();
        let exchange = async {
            let response = self.call(request, &connection, system).await;
            let response = response.map_err(|error| post_error(&error, url.host()))?;
            let retry_after = response.headers().get("retry-after").map(str::to_owned);
            head = Some((response.status().as_u16(), retry_after));
            let mut stream = ByteStream::new(response.into_body());
            while body.len() < RESPONSE_LIMIT {
                let Ok(Some(chunk)) = stream.try_next().await else { break };
                body.extend_from_slice(&chunk);
            }
            Ok(())
        };
        let result = tokio::time::timeout(timeout, exchange).await;
        if result.is_err() {
            // Nothing arrives anymore, maybe because a router dropped the connection while the process was frozen. A
            // connection of HTTP/2 would otherwise be used until TCP gives up, minutes later.
            if let Some(connection) = connection.get() {
                connection.poison();
            }
        }
        match (head, result) {
            (Some((status, retry_after)), _) => Ok(Response { status, retry_after, body }),
            (None, Ok(Err(error))) => Err(error),
            (None, _) => Err(PostError::Timeout(timeout)),
        }
    }

    /// Sends a request. If it fails because the receiver closed an idle connection, sends it once more on another one: an
    /// idle connection can be closed at any time, also while the process is frozen.
    async fn call(
        &self,
        request: HttpRequest,
        connection: &CaptureSmithyConnection,
        system: System,
    ) -> Result<HttpResponse, ConnectorError> {
        let copy = request.try_clone();
        let started = system.now();
        let mut result = self.call_once(request, connection).await;
        if let (Err(error), Some(copy)) = (&result, copy)
            && !error.is_timeout()
            && self.was_idle(connection, started)
        {
            result = self.call_once(copy, connection).await;
        }
        if result.is_ok() {
            self.remember(connection, system.now());
        }
        result
    }

    async fn call_once(
        &self,
        mut request: HttpRequest,
        connection: &CaptureSmithyConnection,
    ) -> Result<HttpResponse, ConnectorError> {
        request.add_extension(connection.clone());
        self.http.call(request).await
    }

    fn remember(&self, connection: &CaptureSmithyConnection, now: Timestamp) {
        let Some(address) = local_address(connection) else { return };
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= MAX_USED_CONNECTIONS {
            used.clear();
        }
        used.insert(address, now);
    }

    /// Returns whether the connection was used before, and not recently.
    fn was_idle(&self, connection: &CaptureSmithyConnection, now: Timestamp) -> bool {
        let Some(address) = local_address(connection) else { return false };
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.get(&address).is_some_and(|used_at| now.since(*used_at) >= self.limits.idle_after)
    }
}

fn local_address(connection: &CaptureSmithyConnection) -> Option<SocketAddr> {
    connection.get()?.local_addr()
}

fn post_request<'a>(
    url: &WebhookUrl,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    body: &[u8],
) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri(url.as_str())?;
    let own = [("content-type", "application/json"), ("user-agent", USER_AGENT)];
    for (name, value) in headers.into_iter().chain(own) {
        request.headers_mut().try_insert(name.to_ascii_lowercase(), value.to_owned())?;
    }
    Ok(request)
}

fn get_request(url: &WebhookUrl) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::get(url.as_str())?;
    request.headers_mut().insert("user-agent", USER_AGENT);
    Ok(request)
}

/// Returns the sentence for a failed request. The innermost cause can name the host: a certificate that is valid for other
/// names does.
fn post_error(error: &(dyn Error + 'static), host: &str) -> PostError {
    let causes = || std::iter::successors(Some(error), |&error| error.source());
    if causes().any(|error| error.is::<NotPublic>()) {
        return PostError::NotPublic;
    }
    let cause = causes().last().unwrap_or(error).to_string();
    PostError::Connection(if host.is_empty() { cause } else { cause.replace(host, "the host") })
}

/// Returns the start of a body as text without control characters.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let characters = text.chars().filter_map(|character| match character {
        '\n' | '\r' | '\t' => Some(' '),
        character => (!character.is_control()).then_some(character),
    });
    let mut excerpt = String::new();
    for character in characters {
        if excerpt.len() + character.len_utf8() > RESPONSE_EXCERPT_LIMIT {
            break;
        }
        excerpt.push(character);
    }
    excerpt
}

/// Reads `Retry-After`: seconds, or an HTTP date (RFC 9110, sections 10.2.3 and 5.6.7).
fn retry_after(text: &str, now: Timestamp) -> Option<u64> {
    let text = text.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => Duration::MAX,
        Err(_) => {
            let date = rfc2822::parse(text).ok()?.timestamp().as_millisecond();
            Timestamp::from_milliseconds(date).map_or(Duration::ZERO, |date| date.since(now))
        }
    };
    Some(wait.min(MAX_RETRY_AFTER).as_millis().div_ceil(1000)).and_then(|seconds| u64::try_from(seconds).ok())
}

#[cfg(test)]
mod tests;
