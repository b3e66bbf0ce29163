//! Reads of the Graph API: what WhatsApp knows about numbers, accounts, and templates.

use std::time::Duration;

use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use serde::Deserialize;
use serde_json::value::RawValue;
use url::form_urlencoded;

use super::{
    client::{authorized, cause, excerpt},
    errors::{GraphError, redacted},
};
use crate::domain::{
    cursor::ExternalPosition,
    message_template::{TemplateList, TemplatePage},
    number::is_phone_number_id,
};

/// The timeout of a request. An API caller waits for its response.
const TIMEOUT: Duration = Duration::from_secs(4);

/// A client for reads of the Graph API.
#[derive(Clone, Debug)]
pub struct GraphReader {
    http: SharedHttpConnector,
    url: String,
}

/// Why a read failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// WhatsApp refused the request.
    Refused(Refusal),
    /// WhatsApp didn't respond, or not in its format. Has a sentence without a period.
    NoResponse(String),
}

/// A refused read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// WhatsApp's sentence.
    pub error: String,
    /// WhatsApp's error code.
    pub code: Option<i64>,
    /// WhatsApp's trace ID of the request.
    pub fbtrace_id: Option<String>,
    /// Whether WhatsApp refused the access token, so that a newer one can succeed.
    pub is_token_refused: bool,
}

impl ReadError {
    /// Returns whether WhatsApp refused the access token, so that a newer one can succeed.
    pub fn is_token_refused(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.is_token_refused)
    }
}

/// A page of a Graph API list.
#[derive(Deserialize)]
struct Page {
    data: Vec<Box<RawValue>>,
    #[serde(default)]
    paging: Paging,
}

#[derive(Default, Deserialize)]
struct Paging {
    #[serde(default)]
    cursors: Cursors,
    /// The URL of the next page. Absent on the last page, whose `cursors` exist all the same.
    #[serde(default)]
    next: Option<String>,
}

#[derive(Default, Deserialize)]
struct Cursors {
    #[serde(default)]
    after: Option<String>,
}

#[derive(Deserialize)]
struct NumberHealth {
    #[serde(default)]
    health_status: HealthStatus,
}

#[derive(Default, Deserialize)]
struct HealthStatus {
    #[serde(default)]
    entities: Vec<HealthEntity>,
}

#[derive(Deserialize)]
struct HealthEntity {
    entity_type: String,
    id: String,
}

impl GraphReader {
    /// Creates a client for the Graph API at `url`, which includes the version.
    pub fn new(http: SharedHttpConnector, url: String) -> Self {
        Self { http, url }
    }

    /// Returns a page of the templates of a WhatsApp Business Account (Meta, *Template API*). Skips templates that it
    /// can't read.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn templates(
        &self,
        account_id: &str,
        access_token: &str,
        list: &TemplateList,
    ) -> Result<TemplatePage, ReadError> {
        const FIELDS: &str = "id,name,language,category,status,parameter_format,components";
        let limit = list.limit.to_string();
        let mut query = vec![("fields", FIELDS), ("limit", &limit)];
        query.extend(list.status.map(|status| ("status", status.as_str())));
        query.extend(list.after.as_ref().map(|after| ("after", after.0.as_str())));
        let body = self.get(&[account_id, "message_templates"], &query, access_token).await?;
        let Page { data, paging } = parse(&body)?;
        let templates = data.iter().filter_map(|template| {
            // The error would quote the template.
            serde_json::from_str(template.get()).inspect_err(|_| tracing::warn!("template not read")).ok()
        });
        let next = paging.next.and(paging.cursors.after).map(ExternalPosition);
        Ok(TemplatePage { templates: templates.collect(), next })
    }

    /// Returns the WhatsApp Business Account of a number. A number has no field with it, but its health status names
    /// everything that takes part in sending (Meta, *Messaging health status*). `None` if that doesn't name an account.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn account_of(&self, phone_number_id: &str, access_token: &str) -> Result<Option<String>, ReadError> {
        let body = self.get(&[phone_number_id], &[("fields", "health_status")], access_token).await?;
        let NumberHealth { health_status } = parse(&body)?;
        let account = health_status.entities.into_iter().find(|entity| entity.entity_type == "WABA");
        Ok(account.map(|account| account.id))
    }

    /// Returns the body of a successful response. The first segment of the path is an object's ID.
    async fn get(&self, path: &[&str], query: &[(&str, &str)], access_token: &str) -> Result<Vec<u8>, ReadError> {
        // Other characters could lead to another URL.
        if !path.first().is_some_and(|id| is_phone_number_id(id)) {
            return Err(ReadError::NoResponse("The ID of a number or account doesn't consist of digits".to_owned()));
        }
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let url = format!("{}/{}?{query}", self.url, path.join("/"));
        let request = authorized(HttpRequest::new(SdkBody::empty()), &url, access_token)
            .map_err(|error| no_connection(&*error))?;
        let exchange = async {
            let response = self.http.call(request).await.map_err(|error| no_connection(&error))?;
            let status = response.status();
            match ByteStream::new(response.into_body()).collect().await {
                Ok(body) if status.is_success() => Ok(body.to_vec()),
                Ok(body) => Err(read_error(status.as_u16(), &body.to_vec(), access_token)),
                Err(error) => {
                    Err(ReadError::NoResponse(format!("WhatsApp's response is incomplete: {}", cause(&error))))
                }
            }
        };
        let timed_out = |_| Err(ReadError::NoResponse("WhatsApp didn't respond: timed out".to_owned()));
        tokio::time::timeout(TIMEOUT, exchange).await.unwrap_or_else(timed_out)
    }
}

fn no_connection(error: &(dyn std::error::Error + 'static)) -> ReadError {
    ReadError::NoResponse(format!("The connection to WhatsApp failed: {}", cause(error)))
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ReadError> {
    serde_json::from_slice(body)
        .map_err(|_| ReadError::NoResponse("WhatsApp's response has another format than expected".to_owned()))
}

fn read_error(status: u16, body: &[u8], access_token: &str) -> ReadError {
    match GraphError::parse_response(body) {
        Some(error) => ReadError::Refused(Refusal {
            error: redacted(&error.to_string(), access_token),
            code: error.code,
            is_token_refused: error.is_token_refused(),
            fbtrace_id: error.fbtrace_id,
        }),
        None => {
            let error = format!("WhatsApp responded {status} without an error{}", excerpt(body));
            ReadError::NoResponse(redacted(&error, access_token))
        }
    }
}

#[cfg(test)]
mod tests;
