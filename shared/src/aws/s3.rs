//! Objects of an S3 bucket.
//!
//! Every request is a presigned URL (Amazon S3 API Reference, *Authenticating Requests: Using Query Parameters*). Clients
//! use those that they are given, and this process uses its own. A URL is signed in memory, without a request.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::{Duration, UNIX_EPOCH},
};

use aws_config::SdkConfig;
use aws_credential_types::{Credentials, provider::ProvideCredentials};
use aws_sigv4::{
    http_request::{
        PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::{
    body::{Error as BodyError, SdkBody},
    byte_stream::ByteStream,
};
use aws_smithy_xml::decode::{Document, try_data};
use http_body::{Body, Frame, SizeHint};
use lambda_http::http::Request;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::{CallError, Service};
use crate::domain::{system::System, time::Timestamp};

/// The characters of a query that are encoded: all but the unreserved ones (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How long this process's own URLs are valid. S3 verifies a signature when a request starts.
const OWN_LIFETIME: Duration = Duration::from_secs(60);

/// The timeout of a request without a large body.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The timeout of a copy, below that of the functions behind the API.
const COPY_TIMEOUT: Duration = Duration::from_secs(8);

/// A bucket, with the credentials of this process.
#[derive(Clone)]
pub struct Bucket {
    http: SharedHttpConnector,
    /// Those of the function's role. Lambda sets them when it starts the process, and they outlive it (Lambda Developer
    /// Guide, *Defined runtime environment variables*).
    credentials: Credentials,
    region: String,
    /// The URL of the bucket, without a slash at the end.
    url: String,
    system: System,
}

/// An object to store.
#[derive(Clone, Copy, Debug)]
pub struct NewObject<'a> {
    /// The key, which consists of characters that a URL can contain.
    pub key: &'a str,
    /// The type with which S3 serves it.
    pub content_type: &'a str,
    /// The `Content-Disposition` with which S3 serves it.
    pub content_disposition: &'a str,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    /// There is no such object.
    #[error("S3 has no such object")]
    NotFound,
    /// S3 refused the request.
    #[error("S3 responded {status} {code}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// S3's error code, such as `AccessDenied`; empty without one.
        code: String,
    },
    /// The source of an upload ended early or late, or failed.
    #[error("the content could not be read completely")]
    Content,
    /// The request could not be signed or sent, or its response could not be read.
    #[error("the request to S3 failed")]
    Request(#[source] CallError),
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Bucket {
    /// Creates a client for the bucket with this name.
    ///
    /// # Errors
    /// If `sdk` lacks credentials or a region.
    pub async fn new(
        sdk: &SdkConfig,
        http: SharedHttpConnector,
        name: &str,
        system: System,
    ) -> Result<Self, CallError> {
        let provider = sdk.credentials_provider().ok_or("no AWS credentials are configured")?;
        let credentials = provider.provide_credentials().await?;
        let region = sdk.region().ok_or("no AWS region is configured")?.to_string();
        Ok(Self { http, credentials, region, url: bucket_url(sdk, name)?, system })
    }

    /// Returns a URL with which anyone can read an object until `lifetime` is over.
    ///
    /// # Errors
    /// If the key can't be a part of a URL.
    pub fn presigned_get(&self, key: &str, lifetime: Duration) -> Result<String, CallError> {
        self.presigned("GET", key, &[], &[], lifetime)
    }

    /// Returns a URL with which anyone can store an object of exactly this size and type, until `lifetime` is over. The
    /// request must have the headers `content-type` and `content-length` with these values, because the signature
    /// includes them.
    ///
    /// # Errors
    /// If the key can't be a part of a URL.
    pub fn presigned_put(
        &self,
        key: &str,
        lifetime: Duration,
        size: u64,
        content_type: &str,
    ) -> Result<String, CallError> {
        let headers = [("content-length", size.to_string()), ("content-type", content_type.to_owned())];
        self.presigned("PUT", key, &[], &headers, lifetime)
    }

    /// Stores an object of `size` bytes from a stream in one request, which this process doesn't hold in memory. Returns
    /// its SHA-256.
    ///
    /// # Errors
    /// [`S3Error::Content`] if the stream doesn't have exactly `size` bytes.
    pub async fn put(&self, object: NewObject<'_>, size: u64, content: SdkBody) -> Result<[u8; 32], S3Error> {
        let headers = [
            ("content-length", size.to_string()),
            ("content-type", object.content_type.to_owned()),
            ("content-disposition", object.content_disposition.to_owned()),
        ];
        let digest = Arc::default();
        let content = Hashed { content, left: size, digest: Arc::clone(&digest) };
        let response = self.send("PUT", object.key, &[], &headers, SdkBody::from_body_1_x(content)).await;
        let Progress { digest, is_complete, is_broken } =
            std::mem::take(&mut *digest.lock().unwrap_or_else(PoisonError::into_inner));
        if is_broken {
            return Err(S3Error::Content);
        }
        read_all(response?).await?;
        if is_complete || size == 0 { Ok(digest.finalize().into()) } else { Err(S3Error::Content) }
    }

    /// Returns an object's content as a stream, and its size.
    ///
    /// # Errors
    /// See [`S3Error`].
    pub async fn get(&self, key: &str) -> Result<(SdkBody, u64), S3Error> {
        let response = timed(self.send("GET", key, &[], &[], SdkBody::empty())).await?;
        let size = response.headers().get("content-length").and_then(|size| size.parse().ok());
        let size = size.ok_or_else(|| S3Error::Request("the response has no size".into()))?;
        Ok((response.into_body(), size))
    }

    /// Copies the object `from` to `to`, which is then served as given. Takes time in proportion to its size. With the
    /// same key, the object counts as new.
    ///
    /// # Errors
    /// [`S3Error::NotFound`] if there is no object `from`.
    pub async fn copy(&self, from: &str, to: NewObject<'_>) -> Result<(), S3Error> {
        let headers = [
            ("content-type", to.content_type.to_owned()),
            ("content-disposition", to.content_disposition.to_owned()),
            ("x-amz-copy-source", format!("/{}/{from}", self.name())),
            ("x-amz-metadata-directive", "REPLACE".to_owned()),
        ];
        let copy = async { read_all(self.send("PUT", to.key, &[], &headers, SdkBody::empty()).await?).await };
        let body = within(COPY_TIMEOUT, copy).await?;
        // S3 can begin with the status 200 and fail afterwards (Amazon S3 API Reference, *CopyObject*).
        error_code(&body).map_or(Ok(()), |code| Err(S3Error::Refused { status: 200, code }))
    }

    /// Deletes an object, whether it exists or not.
    ///
    /// # Errors
    /// See [`S3Error`].
    pub async fn delete(&self, key: &str) -> Result<(), S3Error> {
        match timed(self.send("DELETE", key, &[], &[], SdkBody::empty())).await {
            Ok(_) | Err(S3Error::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns up to 1,000 keys of objects that start with `prefix` and are after `after`, in order.
    ///
    /// # Errors
    /// See [`S3Error`].
    pub async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, S3Error> {
        let mut query = vec![("list-type", "2"), ("prefix", prefix)];
        query.extend(after.map(|after| ("start-after", after)));
        let list = async { read_all(self.send("GET", "", &query, &[], SdkBody::empty()).await?).await };
        parse_list(&timed(list).await?).map_err(S3Error::Request)
    }

    /// Returns the bucket's name, from its URL.
    fn name(&self) -> &str {
        let (_, rest) = self.url.split_once("://").unwrap_or_default();
        match rest.split_once('/') {
            Some((_, name)) => name,
            None => rest.split('.').next().unwrap_or_default(),
        }
    }

    fn presigned(
        &self,
        method: &str,
        key: &str,
        query: &[(&str, &str)],
        headers: &[(&str, String)],
        lifetime: Duration,
    ) -> Result<String, CallError> {
        let pairs = query.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, RESERVED)));
        let query = pairs.collect::<Vec<_>>().join("&");
        let separator = if query.is_empty() { "" } else { "?" };
        let url = format!("{}/{key}{separator}{query}", self.url);
        signed(method, &url, headers, self.credentials.clone(), &self.region, self.system.now(), lifetime)
    }

    async fn send(
        &self,
        method: &str,
        key: &str,
        query: &[(&str, &str)],
        headers: &[(&'static str, String)],
        body: SdkBody,
    ) -> Result<HttpResponse, S3Error> {
        let url = self.presigned(method, key, query, headers, OWN_LIFETIME).map_err(S3Error::Request)?;
        let mut request = HttpRequest::new(body);
        request.set_method(method).map_err(|error| S3Error::Request(error.into()))?;
        request.set_uri(url).map_err(|error| S3Error::Request(error.into()))?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.clone());
        }
        let response = self.http.call(request).await.map_err(|error| S3Error::Request(error.into()))?;
        match response.status().as_u16() {
            200..300 => Ok(response),
            404 => Err(S3Error::NotFound),
            status => {
                let body = read_all(response).await.unwrap_or_default();
                Err(S3Error::Refused { status, code: error_code(&body).unwrap_or_default() })
            }
        }
    }
}

/// Returns the URL of the bucket with this name, without a slash at the end.
fn bucket_url(sdk: &SdkConfig, name: &str) -> Result<String, CallError> {
    Ok(match Service::S3.endpoint(sdk)? {
        // A local endpoint has no subdomains.
        endpoint if endpoint.starts_with("http://127.0.0.1:") => format!("{endpoint}/{name}"),
        endpoint => endpoint.replacen("://", &format!("://{name}."), 1),
    })
}

/// Returns the origin of the URLs of a bucket's objects, as in `https://name.s3.eu-central-1.amazonaws.com`.
///
/// # Errors
/// If `sdk` lacks a region.
pub fn origin(sdk: &SdkConfig, name: &str) -> Result<String, CallError> {
    let url = bucket_url(sdk, name)?;
    let host = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url[host..].find('/').map_or(url.len(), |path| host + path);
    Ok(url[..end].to_owned())
}

/// Adds a signature to a URL (Amazon S3 API Reference, *Authenticating Requests: Using Query Parameters*).
fn signed(
    method: &str,
    url: &str,
    headers: &[(&str, String)],
    credentials: Credentials,
    region: &str,
    now: Timestamp,
    lifetime: Duration,
) -> Result<String, CallError> {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(lifetime);
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(Service::S3.name())
        .time(UNIX_EPOCH + Duration::from_millis(now.milliseconds().unsigned_abs()))
        .settings(settings)
        .build()?
        .into();
    let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
    let request = SignableRequest::new(method, url, headers, SignableBody::UnsignedPayload)?;
    let (instructions, _) = sign(request, &parameters)?.into_parts();
    let mut request = Request::builder().uri(url).body(())?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(request.uri().to_string())
}

/// The hash of what was read so far.
#[derive(Default)]
struct Progress {
    digest: Sha256,
    is_complete: bool,
    is_broken: bool,
}

/// A stream that hashes what passes, and fails if its size isn't the expected one.
struct Hashed {
    content: SdkBody,
    left: u64,
    digest: Arc<Mutex<Progress>>,
}

impl Body for Hashed {
    type Data = <SdkBody as Body>::Data;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.content).poll_frame(context));
        let this = &mut *self;
        let mut progress = this.digest.lock().unwrap_or_else(PoisonError::into_inner);
        let length = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) | None => 0,
        };
        let is_short = frame.is_none() && this.left > 0;
        if length > this.left || is_short || matches!(frame, Some(Err(_))) {
            progress.is_broken = true;
            return Poll::Ready(Some(Err("the content has another size than expected".into())));
        }
        this.left -= length;
        progress.is_complete = this.left == 0;
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            progress.digest.update(data);
        }
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Reads the start of a stream, up to about `limit` bytes. Returns it, and the whole stream.
///
/// # Errors
/// [`S3Error::Content`] if the stream fails.
pub async fn with_head(content: SdkBody, limit: usize) -> Result<(Vec<u8>, SdkBody), S3Error> {
    let mut content = content;
    let (mut head, mut chunks) = (Vec::new(), VecDeque::new());
    while head.len() < limit {
        let frame = poll_fn(|context| Pin::new(&mut content).poll_frame(context)).await;
        let Some(frame) = frame.transpose().map_err(|_| S3Error::Content)? else { break };
        if let Ok(data) = frame.into_data() {
            head.extend_from_slice(&data);
            chunks.push_back(data);
        }
    }
    Ok((head, SdkBody::from_body_1_x(Replayed { chunks, rest: content })))
}

/// Chunks that were read, and the rest of their stream.
struct Replayed {
    chunks: VecDeque<<SdkBody as Body>::Data>,
    rest: SdkBody,
}

impl Body for Replayed {
    type Data = <SdkBody as Body>::Data;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, BodyError>>> {
        match self.chunks.pop_front() {
            Some(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }
}

async fn timed<T>(request: impl Future<Output = Result<T, S3Error>>) -> Result<T, S3Error> {
    within(TIMEOUT, request).await
}

async fn within<T>(timeout: Duration, request: impl Future<Output = Result<T, S3Error>>) -> Result<T, S3Error> {
    let timed_out = |_| Err(S3Error::Request("timed out".into()));
    tokio::time::timeout(timeout, request).await.unwrap_or_else(timed_out)
}

async fn read_all(response: HttpResponse) -> Result<Vec<u8>, S3Error> {
    let body = ByteStream::new(response.into_body()).collect().await;
    body.map(|body| body.to_vec()).map_err(|error| S3Error::Request(error.into()))
}

/// Returns the code of an error document.
fn error_code(body: &[u8]) -> Option<String> {
    let text = str::from_utf8(body).ok()?;
    let mut document = Document::new(text);
    let mut root = document.root_element().ok()?;
    while let Some(mut tag) = root.next_tag() {
        if tag.start_el().matches("Code") {
            return try_data(&mut tag).ok().map(std::borrow::Cow::into_owned);
        }
    }
    None
}

/// Reads the keys of a list of objects (Amazon S3 API Reference, *ListObjectsV2*).
fn parse_list(body: &[u8]) -> Result<Vec<String>, CallError> {
    let mut document = Document::new(str::from_utf8(body)?);
    let mut root = document.root_element()?;
    let mut keys = Vec::new();
    while let Some(mut contents) = root.next_tag() {
        if !contents.start_el().matches("Contents") {
            continue;
        }
        while let Some(mut tag) = contents.next_tag() {
            if tag.start_el().matches("Key") {
                keys.push(try_data(&mut tag)?.into_owned());
            }
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests;
