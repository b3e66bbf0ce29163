//! Requests as handlers receive them, after the checks that every route has: method, caller, and scope.

use lambda_http::{
    Request, RequestExt,
    aws_lambda_events::query_map::QueryMap,
    http::{HeaderMap, Method},
    request::RequestContext,
};

use super::{
    ApiError, Body, ErrorCode, Query,
    query::{percent_decoded, read_session_id},
    routes::{Access, Route, route_of},
};
use crate::{
    domain::{
        auto_reply::Rule,
        caller::Caller,
        chat::Chat,
        health::Gateway,
        id::{ChangeId, ChatId, KeyId, MAX_ID_BYTES, SessionId},
        media::Media,
        number::is_phone_number_id,
        webhook_endpoint::WebhookEndpoint,
    },
    services::{erasure::Erasable, rules, webhook_endpoints},
    store::Store,
};

/// A request whose method the route supports and whose caller has the scope that the method needs.
#[derive(Debug)]
pub struct ApiRequest {
    /// The method; `GET` for a `HEAD` request.
    pub method: Method,
    /// API Gateway's ID of the request.
    pub request_id: String,
    /// `None` on open routes.
    caller: Option<Caller>,
    /// Where API Gateway received the request.
    pub gateway: Gateway,
    path_parameters: QueryMap,
    /// The query string.
    pub query: Query,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decoded from base64 if API Gateway encoded it.
    pub body: Body,
}

impl ApiRequest {
    /// Checks a request against its route.
    ///
    /// # Errors
    ///
    /// 405 for a method that the route doesn't support, 401 without a caller, 403 if the caller lacks a scope, 400 for a
    /// query parameter that the method doesn't take, and for the body of a `GET` or `DELETE`.
    pub(crate) fn admit(route: &Route, request: Request) -> Result<Self, ApiError> {
        // API Gateway routes GET /api/messages/send to GET /api/messages/{messageId}, because that path has no GET.
        if let Some(other) = route_of(request.uri().path()).filter(|other| other.path != route.path) {
            return Err(ApiError::method_not_allowed(other));
        }
        // The greedy variable of the webhook's second path in `template.yaml` stands for a slash at the end, and only that.
        if request.path_parameters().first("proxy").is_some_and(|rest| !rest.is_empty()) {
            return Err(ApiError::path_not_found(request.uri().path()));
        }
        let operation = route.operation(request.method());
        let operation = operation.ok_or_else(|| ApiError::method_not_allowed(route))?;
        let caller = match operation.access {
            Access::Open => None,
            access => {
                let caller = caller(&request).ok_or_else(unauthenticated)?;
                for scope in access.scopes() {
                    caller.require(scope)?;
                }
                Some(caller)
            }
        };
        let (path_parameters, gateway, request_id) =
            (request.path_parameters(), gateway(&request), request_id(&request));
        let (parts, body) = request.into_parts();
        let query = Query::new(parts.uri.query().unwrap_or_default(), operation.query);
        let body = Body::new(body.to_vec());
        if caller.is_some() {
            query.check_names()?;
            if matches!(operation.method, Method::GET | Method::DELETE) {
                body.none()?;
            }
        }
        let (method, headers) = (operation.method.clone(), parts.headers);
        Ok(Self { method, request_id, caller, gateway, path_parameters, query, headers, body })
    }

    /// Returns the caller, or 401 if the request didn't pass the authorizer.
    pub fn caller(&self) -> Result<&Caller, ApiError> {
        self.caller.as_ref().ok_or_else(unauthenticated)
    }

    /// Returns the session that the query parameter `sessionId` names, or 404 if it isn't the caller's.
    pub fn session_of_query(&self) -> Result<SessionId, ApiError> {
        self.caller()?.session(self.query.session_id()?)
    }

    /// Returns the path's `{chatId}`, or 404 if it isn't an ID.
    pub fn chat_id(&self) -> Result<ChatId, ApiError> {
        self.path_id("chatId").ok_or_else(ApiError::chat_not_found)
    }

    /// Returns the chat in the path, or 404 if it isn't the caller's.
    pub async fn chat(&self, store: &Store) -> Result<Chat, ApiError> {
        let (chat_id, caller) = (self.chat_id()?, self.caller()?);
        let chat = store.chats().get(chat_id).await?.filter(|chat| caller.may_use(chat.session_id));
        chat.ok_or_else(ApiError::chat_not_found)
    }

    /// Returns the chat in the path, or its erasure if it has started; 404 if it isn't the caller's.
    pub async fn erasable_chat(&self, store: &Store) -> Result<Erasable, ApiError> {
        let (chat_id, caller) = (self.chat_id()?, self.caller()?);
        let chat = Erasable::chat(store, chat_id).await?;
        if caller.may_use(chat.session_id()) { Ok(chat) } else { Err(ApiError::chat_not_found()) }
    }

    /// Returns the rule in the path, or 404 if it isn't the caller's.
    pub async fn rule(&self, store: &Store) -> Result<Rule, ApiError> {
        let id = self.path_id("ruleId").ok_or_else(ApiError::auto_reply_not_found)?;
        let (rule, caller) = (rules::find(store, id).await?, self.caller()?);
        if caller.may_use(rule.session_id) { Ok(rule) } else { Err(ApiError::auto_reply_not_found()) }
    }

    /// Returns the webhook in the path, or 404 if it isn't the caller's. One for all sessions is an admin's.
    pub async fn webhook(&self, store: &Store) -> Result<WebhookEndpoint, ApiError> {
        let id = self.path_id("webhookId").ok_or_else(ApiError::webhook_not_found)?;
        let (webhook, caller) = (webhook_endpoints::find(store, id).await?, self.caller()?);
        let may_use = webhook.session_id.map_or(caller.is_admin(), |session_id| caller.may_use(session_id));
        if may_use { Ok(webhook) } else { Err(ApiError::webhook_not_found()) }
    }

    /// Returns the path's `{changeId}`, or 404 if it isn't an ID.
    pub fn change_id(&self) -> Result<ChangeId, ApiError> {
        self.path_id("changeId").ok_or_else(ApiError::attempt_not_found)
    }

    /// Returns the session whose webhooks the query asks for; `None` for those for all sessions, which needs an admin.
    pub fn session_of_webhooks(&self) -> Result<Option<SessionId>, ApiError> {
        self.caller()?.session_of_webhook(self.query.one("sessionId")?.as_deref())
    }

    /// Returns the session to search for a message: the one that the query names, else the caller's own; `None` for all.
    pub fn optional_session(&self) -> Result<Option<SessionId>, ApiError> {
        match self.query.one("sessionId")? {
            Some(text) => self.caller()?.session(read_session_id(&text)?).map(Some),
            None => Ok(self.caller()?.own_session()),
        }
    }

    /// Returns the file in the path, or 404 if it isn't of a session of the caller.
    pub async fn media(&self, store: &Store) -> Result<Media, ApiError> {
        let caller = self.caller()?;
        let media = match self.path_id("mediaId") {
            Some(id) => store.media().get(id).await?.filter(|media| caller.may_use(media.session_id)),
            None => None,
        };
        media.ok_or_else(|| ApiError::new(ErrorCode::MediaNotFound, "File not found"))
    }

    /// Returns the path's `{keyId}`, or 404 if it isn't an ID.
    pub fn key_id(&self) -> Result<KeyId, ApiError> {
        self.path_id("keyId").ok_or_else(ApiError::key_not_found)
    }

    /// Returns the path's `{messageId}`, an ID or a wamid.
    pub fn message_id(&self) -> Result<String, ApiError> {
        self.path_id("messageId").ok_or_else(ApiError::message_not_found)
    }

    /// Returns the path's `{phoneNumberId}`, or 404 if it isn't an ID.
    pub fn phone_number_id(&self) -> Result<String, ApiError> {
        let id = self.path_id("phoneNumberId").filter(|id: &String| is_phone_number_id(id));
        id.ok_or_else(ApiError::number_not_found)
    }

    /// `None` if the path parameter is empty or too long, isn't percent-encoded UTF-8, or doesn't parse.
    fn path_id<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        let value = percent_decoded(self.path_parameters.first(name)?)?;
        if (1..=MAX_ID_BYTES).contains(&value.len()) { value.parse().ok() } else { None }
    }

    /// Returns a header's value, or 400 if it isn't visible ASCII.
    pub fn header(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let Some(value) = self.headers.get(name) else { return Ok(None) };
        let invalid = |_| ApiError::new(ErrorCode::InvalidHeader, format!("{name} must be visible ASCII"));
        value.to_str().map(Some).map_err(invalid)
    }
}

/// API Gateway rejects such a request itself, so it reaches only a function that is invoked directly.
fn unauthenticated() -> ApiError {
    let message = "This needs an API key: send the header Authorization: Bearer <key>";
    ApiError::new(ErrorCode::Unauthenticated, message)
}

/// The caller in the authorizer's context.
pub(crate) fn caller(request: &Request) -> Option<Caller> {
    let context = request.request_context_ref()?.authorizer()?;
    Caller::from_context(&context.fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn gateway(request: &Request) -> Gateway {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            Gateway { host: context.domain_name.clone(), api_id: context.apiid.clone() }
        }
        _ => Gateway::default(),
    }
}

/// The route's pattern, for the log. The path itself can contain a wamid, and a wamid contains a phone number.
pub(crate) fn route_key(request: &Request) -> String {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.route_key.clone().unwrap_or_default(),
        _ => String::new(),
    }
}

/// API Gateway's request ID, which its access log has too; else Lambda's.
pub(crate) fn request_id(request: &Request) -> String {
    let gateway = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    };
    gateway
        .unwrap_or_else(|| request.lambda_context_ref().map(|context| context.request_id.clone()).unwrap_or_default())
}
