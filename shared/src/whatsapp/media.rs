//! Downloads and uploads of files (Meta, *Media*).

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use aws_smithy_types::{
    body::{Error as BodyError, SdkBody},
    byte_stream::ByteStream,
};
use http_body::{Body, Frame};
use serde::Deserialize;
use tokio::time::Sleep;
use url::Url;
use uuid::Uuid;

use super::{
    client::{SendError, authorized, cause, retry_after, send_error},
    errors::redacted,
};
use crate::domain::{media::uploaded_as, number::is_phone_number_id, whatsapp_error::ErrorClass};

/// The domains of Meta that serve files.
const MEDIA_DOMAINS: [&str; 4] = ["fbsbx.com", "fbcdn.net", "facebook.com", "whatsapp.net"];

/// The timeout until a response begins, and until more of its content arrives.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);

/// Downloads and uploads files.
#[derive(Clone, Debug)]
pub struct MediaClient {
    http: SharedHttpConnector,
    /// The URL of the Graph API, with the version.
    url: String,
}

/// Where a file can be downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaLocation {
    /// The URL, valid for 5 minutes.
    pub url: String,
    /// The size in bytes, if WhatsApp reports it.
    pub size: Option<u64>,
    /// The SHA-256, if WhatsApp reports it.
    pub sha256: Option<[u8; 32]>,
}

/// The content of a file, as it arrives.
#[derive(Debug)]
pub struct Download {
    /// The content.
    pub content: SdkBody,
    /// The size in bytes.
    pub size: u64,
}

/// Why a file can't be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The URL isn't one of Meta's, so the access token isn't sent there.
    #[error("WhatsApp's URL of the file has an unexpected host")]
    ForeignHost,
    /// The server responded with another status than 200.
    #[error("the download has the status {0}")]
    Status(u16),
    /// The server didn't say the size of the file.
    #[error("the download has no size")]
    NoSize,
    /// The server didn't respond.
    #[error("the download failed: {0}")]
    NoResponse(String),
}

impl MediaClient {
    /// Creates a client for the Graph API at `url`, which includes the version.
    pub fn new(http: SharedHttpConnector, url: String) -> Self {
        Self { http, url }
    }

    /// Starts the download of a file. Follows no redirects, because the token must not reach another host.
    ///
    /// # Errors
    /// See [`DownloadError`].
    pub async fn download(&self, url: &str, access_token: &str) -> Result<Download, DownloadError> {
        if !self.may_get_token(url) {
            return Err(DownloadError::ForeignHost);
        }
        let failed = |error: &(dyn Error + 'static)| DownloadError::NoResponse(cause(error));
        let request =
            authorized(HttpRequest::new(SdkBody::empty()), url, access_token).map_err(|error| failed(&*error))?;
        let response = tokio::time::timeout(RESPONSE_TIMEOUT, self.http.call(request)).await;
        let response = response.map_err(|_| DownloadError::NoResponse("timed out".to_owned()))?;
        let response = response.map_err(|error| failed(&error))?;
        if response.status().as_u16() != 200 {
            return Err(DownloadError::Status(response.status().as_u16()));
        }
        let size = response.headers().get("content-length").and_then(|size| size.parse().ok());
        let content = IdleTimeout { content: response.into_body(), limit: RESPONSE_TIMEOUT, timer: None };
        Ok(Download { size: size.ok_or(DownloadError::NoSize)?, content: SdkBody::from_body_1_x(content) })
    }

    /// Uploads a file from a stream, and returns WhatsApp's ID of it (Meta, *Media*, upload media). `boundary` is random, so
    /// that no file contains it.
    ///
    /// # Errors
    /// Why WhatsApp doesn't have the file. It is never [`ErrorClass::Indeterminate`], because a repeated upload does no harm.
    pub async fn upload(
        &self,
        phone_number_id: &str,
        access_token: &str,
        mime_type: &str,
        file: Download,
        boundary: Uuid,
        timeout: Duration,
    ) -> Result<String, SendError> {
        #[derive(Deserialize)]
        struct Uploaded {
            id: String,
        }
        if !is_phone_number_id(phone_number_id) {
            return Err(SendError::new(ErrorClass::Refused, "The number's phone_number_id doesn't consist of digits"));
        }
        let failed = |error: &(dyn Error + 'static)| {
            let error = format!("The file could not be uploaded to WhatsApp: {}", cause(error));
            SendError::new(ErrorClass::NotSent, error)
        };
        let (form, length) = Form::new(boundary, mime_type, file);
        let url = format!("{}/{phone_number_id}/media", self.url);
        let mut request = authorized(HttpRequest::new(SdkBody::from_body_1_x(form)), &url, access_token)
            .and_then(|mut request| {
                request.set_method("POST")?;
                Ok(request)
            })
            .map_err(|error| failed(&*error))?;
        request.headers_mut().insert("content-type", format!("multipart/form-data; boundary={boundary}"));
        request.headers_mut().insert("content-length", length.to_string());
        let exchange = async {
            let response = self.http.call(request).await.map_err(|error| failed(&error))?;
            let (status, retry_after) = (response.status(), retry_after(&response));
            let body = ByteStream::new(response.into_body()).collect().await.map_err(|error| failed(&error))?.to_vec();
            if !status.is_success() {
                let error = send_error(status.as_u16(), retry_after, &body);
                let class = match error.class {
                    ErrorClass::Indeterminate => ErrorClass::NotSent,
                    class => class,
                };
                return Err(SendError { class, error: redacted(&error.error, access_token), ..error });
            }
            let uploaded: Result<Uploaded, _> = serde_json::from_slice(&body);
            let no_id = "WhatsApp's response to the upload of the file has no ID";
            uploaded.map(|uploaded| uploaded.id).map_err(|_| SendError::new(ErrorClass::NotSent, no_id))
        };
        let timed_out = |_| {
            let error = "The file could not be uploaded to WhatsApp: timed out";
            Err(SendError::new(ErrorClass::NotSent, error))
        };
        tokio::time::timeout(timeout, exchange).await.unwrap_or_else(timed_out)
    }

    /// Returns whether a URL leads to Meta or, in a local run, to the same server as the Graph API.
    fn may_get_token(&self, url: &str) -> bool {
        let (Ok(url), Ok(graph)) = (Url::parse(url), Url::parse(&self.url)) else { return false };
        if graph.scheme() == "http" {
            return url.origin() == graph.origin();
        }
        let host = url.host_str().unwrap_or_default();
        let is_of = |domain: &str| host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        url.scheme() == "https" && url.port().is_none() && MEDIA_DOMAINS.into_iter().any(is_of)
    }
}

/// The data of a body.
type Data = <SdkBody as Body>::Data;

/// Content that fails if nothing arrives for a time.
struct IdleTimeout {
    content: SdkBody,
    limit: Duration,
    /// Runs while the reader waits for more.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Body for IdleTimeout {
    type Data = Data;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Data>, BodyError>>> {
        let frame = Pin::new(&mut self.content).poll_frame(context);
        if frame.is_ready() {
            self.timer = None;
            return frame;
        }
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        timer.as_mut().poll(context).map(|()| Some(Err("no more of the file arrived".into())))
    }
}

/// A form with a file (RFC 7578), which streams the file.
struct Form {
    start: Option<Data>,
    file: SdkBody,
    end: Option<Data>,
}

impl Form {
    /// Returns the form and its size in bytes.
    fn new(boundary: Uuid, mime_type: &str, file: Download) -> (Self, u64) {
        let (mime_type, name) = uploaded_as(mime_type);
        let field = |name: &str, value: &str| {
            format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let start = [
            field("messaging_product", "whatsapp"),
            field("type", mime_type),
            format!(
                "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: \
                 {mime_type}\r\n\r\n"
            ),
        ];
        let (start, end) = (start.concat(), format!("\r\n--{boundary}--\r\n"));
        let size = file.size + start.len() as u64 + end.len() as u64;
        (Self { start: Some(start.into()), file: file.content, end: Some(end.into()) }, size)
    }
}

impl Body for Form {
    type Data = Data;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Data>, BodyError>>> {
        if let Some(start) = self.start.take() {
            return Poll::Ready(Some(Ok(Frame::data(start))));
        }
        match Pin::new(&mut self.file).poll_frame(context) {
            Poll::Ready(None) => Poll::Ready(self.end.take().map(|end| Ok(Frame::data(end)))),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
