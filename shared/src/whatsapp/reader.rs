//! Reads of the Graph API: what WhatsApp knows about numbers, accounts, and templates.

mod values;

use std::time::Duration;

use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use sha2::Sha256;
use url::form_urlencoded;

use self::values::{items, number_info, number_review, text, token_info};
use super::{
    client::{authorized, cause, excerpt},
    errors::{GraphError, redacted},
    media::MediaLocation,
};
use crate::domain::{
    cursor::ExternalPosition,
    health::{AppSubscription, NumberInfo, NumberReview, TokenInfo},
    media::parse_sha256,
    message_template::{TemplateList, TemplatePage},
    number::is_phone_number_id,
    whatsapp_error::{ReadError, Refusal},
};

/// The timeout of a request. An API caller waits for its response.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A client for reads of the Graph API.
#[derive(Clone, Debug)]
pub struct GraphReader {
    http: SharedHttpConnector,
    url: String,
}

/// A page of a Graph API list.
#[derive(Deserialize)]
struct Page {
    data: Vec<Box<RawValue>>,
    #[serde(default)]
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Paging {
    #[serde(default)]
    cursors: Option<Cursors>,
    /// The URL of the next page. Absent on the last page, whose `cursors` exist all the same.
    #[serde(default)]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Cursors {
    #[serde(default)]
    after: Option<String>,
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
        let path = format!("{}/message_templates", object(account_id)?);
        let body = self.get(&path, &query, access_token).await?;
        let Page { data, paging } = parse(&body)?;
        let templates = data.iter().filter_map(|template| {
            // The error would quote the template.
            serde_json::from_str(template.get()).inspect_err(|_| tracing::warn!("template not read")).ok()
        });
        let next = paging.and_then(|paging| paging.next.and(paging.cursors?.after)).map(ExternalPosition);
        Ok(TemplatePage { templates: templates.collect(), next })
    }

    /// Returns what a token permits (Graph API, *Debug-Token*).
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn token(&self, access_token: &str) -> Result<TokenInfo, ReadError> {
        let body = self.get("debug_token", &[("input_token", access_token)], access_token).await?;
        let response: Value = parse(&body)?;
        let mut token = token_info(&response["data"]);
        token.error = token.error.map(|error| redacted(&error, access_token));
        Ok(token)
    }

    /// Returns the state of a number and where its webhooks go (Meta, *WhatsApp Business Account phone number API* and
    /// *Override webhooks*).
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn number(&self, phone_number_id: &str, access_token: &str) -> Result<NumberInfo, ReadError> {
        const FIELDS: &str = "status,code_verification_status,platform_type,quality_rating,throughput,verified_name,\
                              webhook_configuration";
        let body = self.get(object(phone_number_id)?, &[("fields", FIELDS)], access_token).await?;
        Ok(number_info(&parse(&body)?))
    }

    /// Returns whether WhatsApp lets a number send, and the status of its display name. These fields are apart from
    /// those of [`Self::number`], because not every app may read the status of the name (Meta, *Business phone numbers*).
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn number_review(&self, phone_number_id: &str, access_token: &str) -> Result<NumberReview, ReadError> {
        let query = [("fields", "name_status,health_status")];
        let body = self.get(object(phone_number_id)?, &query, access_token).await?;
        Ok(number_review(&parse(&body)?))
    }

    /// Returns the WhatsApp Business Account of a number. A number has no field with it, but its health status names
    /// everything that takes part in sending (Meta, *Messaging health status*). `None` if that doesn't name an account.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn account_of(&self, phone_number_id: &str, access_token: &str) -> Result<Option<String>, ReadError> {
        let body = self.get(object(phone_number_id)?, &[("fields", "health_status")], access_token).await?;
        Ok(number_review(&parse(&body)?).account_id().map(str::to_owned))
    }

    /// Returns the IDs of the apps that get the webhooks of a WhatsApp Business Account (Meta, *Subscribed apps API*).
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn subscribed_apps(&self, account_id: &str, access_token: &str) -> Result<Vec<String>, ReadError> {
        let path = format!("{}/subscribed_apps", object(account_id)?);
        let body = self.get(&path, &[], access_token).await?;
        let Page { data, .. } = parse(&body)?;
        let apps = data.iter().filter_map(|app| serde_json::from_str::<Value>(app.get()).ok());
        Ok(apps.filter_map(|app| text(&app["whatsapp_business_api_data"]["id"])).collect())
    }

    /// Returns whether an app secret is that of the token's app. Sends the HMAC of the token with the secret, which the
    /// Graph API verifies, so the secret stays here (Graph API, *Secure requests*, `appsecret_proof`).
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn is_secret_of_app(
        &self,
        phone_number_id: &str,
        access_token: &str,
        app_secret: &str,
    ) -> Result<bool, ReadError> {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes()) else { return Ok(false) };
        mac.update(access_token.as_bytes());
        let proof = hex::encode(mac.finalize().into_bytes());
        let query = [("fields", "id"), ("appsecret_proof", proof.as_str())];
        match self.get(object(phone_number_id)?, &query, access_token).await {
            Ok(_) => Ok(true),
            Err(ReadError::Refused(Refusal { error, .. })) if error.contains("appsecret_proof") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns whether a token has access to a number.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn has_access(&self, phone_number_id: &str, access_token: &str) -> Result<bool, ReadError> {
        match self.get(object(phone_number_id)?, &[("fields", "id")], access_token).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_token_refused() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns where a file of a number can be downloaded for the next 5 minutes (Meta, *Media*, get media URL).
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn media(
        &self,
        graph_id: &str,
        phone_number_id: &str,
        access_token: &str,
    ) -> Result<MediaLocation, ReadError> {
        let query = [("phone_number_id", phone_number_id)];
        let body = self.get(object(graph_id)?, &query, access_token).await?;
        let response: Value = parse(&body)?;
        let url = text(&response["url"]);
        let url = url.ok_or_else(|| ReadError::NoResponse("WhatsApp's response has no URL of the file".to_owned()))?;
        // Meta documents the size as a string and sends a number.
        let size = text(&response["file_size"]).and_then(|size| size.parse().ok());
        Ok(MediaLocation { url, size, sha256: text(&response["sha256"]).and_then(|hash| parse_sha256(&hash)) })
    }

    /// Returns the webhook subscription of an app to WhatsApp Business Accounts (Graph API, *Application
    /// subscriptions*). `None` if it has none.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn app_subscription(&self, app_id: &str, app_secret: &str) -> Result<Option<AppSubscription>, ReadError> {
        let path = format!("{}/subscriptions", object(app_id)?);
        let body = self.get(&path, &[], &format!("{app_id}|{app_secret}")).await?;
        let Page { data, .. } = parse(&body)?;
        let mut subscriptions = data.iter().filter_map(|one| serde_json::from_str::<Value>(one.get()).ok());
        let subscription = subscriptions.find(|one| one["object"] == "whatsapp_business_account");
        Ok(subscription.map(|one| AppSubscription {
            is_active: one["active"].as_bool() != Some(false),
            // A field has a name and a version, or is a name in older versions.
            fields: items(&one["fields"]).filter_map(|field| text(&field["name"]).or_else(|| text(field))).collect(),
        }))
    }

    /// Returns the body of a successful response.
    async fn get(&self, path: &str, query: &[(&str, &str)], access_token: &str) -> Result<Vec<u8>, ReadError> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let url = format!("{}/{path}?{query}", self.url);
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

/// Returns the ID of an object, if a URL can contain it. Other characters could lead to another URL.
fn object(id: &str) -> Result<&str, ReadError> {
    if is_phone_number_id(id) {
        Ok(id)
    } else {
        Err(ReadError::NoResponse("The ID of a number, account, or app doesn't consist of digits".to_owned()))
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
    // An app access token is the app's ID and its secret. The secret alone must not be quoted either.
    let secret = access_token.split_once('|').map_or(access_token, |(_, secret)| secret);
    let redacted = |error: &str| redacted(&redacted(error, access_token), secret);
    match GraphError::parse_response(body) {
        Some(error) => ReadError::Refused(Refusal {
            error: redacted(&error.to_string()),
            code: error.code,
            is_token_refused: error.is_token_refused(),
            fbtrace_id: error.fbtrace_id,
        }),
        None => {
            let error = format!("WhatsApp responded {status} without an error{}", excerpt(body));
            ReadError::NoResponse(redacted(&error))
        }
    }
}

#[cfg(test)]
mod tests;
