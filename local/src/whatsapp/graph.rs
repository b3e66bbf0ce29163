//! The Graph API: parses a request, authenticates its token, and dispatches it by its path.

mod account;
mod apps;
mod blocked_users;
mod callbacks;
mod calls;
mod media;
mod messages;
mod phone_number;
mod profile;
mod qr_codes;
mod registration;
mod request;
mod settings;
mod templates;
mod uploads;
mod username;

use std::{fmt, future::ready, sync::Arc};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::Method,
    response::{IntoResponse, Response},
};
use serde_json::json;

pub(super) use self::{request::GraphRequest, uploads::UploadSessions};
use super::{apps::App, faults::MediaRequest, fields, graph_error::GraphError, simulator::Simulator, webhook};

/// A Graph API version, such as `v26.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GraphVersion(u16, u16);

impl GraphVersion {
    pub(super) fn parse(text: &str) -> Option<GraphVersion> {
        let (major, minor) = text.strip_prefix('v')?.split_once('.')?;
        let number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
        Some(GraphVersion(number(major)?, number(minor)?))
    }
}

impl fmt::Display for GraphVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "v{}.{}", self.0, self.1)
    }
}

pub(super) fn routes() -> Router<Arc<Simulator>> {
    qr_codes::routes().fallback(handle)
}

async fn handle(State(simulator): State<Arc<Simulator>>, request: Request) -> Result<Response, GraphError> {
    let request = GraphRequest::read(request, &simulator).await?;
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    if path == ["oauth", "access_token"] {
        return apps::access_token(&simulator, &request.parameters);
    }
    let app = simulator.authenticate(request.token.as_deref())?;
    check_proof(&app, &request)?;
    match path.as_slice() {
        ["debug_token"] => apps::debug_token(&simulator, &app, &request.parameters),
        [id, "uploads"] if *id == app.id => uploads::create(&simulator, &app, &request),
        [id] if id.starts_with(uploads::PREFIX) => uploads::handle(&simulator, &app, &request, id),
        [id, edge @ ..] if *id == app.id => apps::handle(&simulator, &app, &request, edge).await,
        // An app access token can't act for the business.
        _ if request.token == Some(app.app_token()) => Err(GraphError::new(10, None)),
        _ => dispatch(&simulator, &app, request).await,
    }
}

/// Checks the proof that the client knows the app's secret, if the request has one (Graph API, *Secure requests*).
fn check_proof(app: &App, request: &GraphRequest) -> Result<(), GraphError> {
    let (Some(proof), Some(token)) = (request.parameters.string("appsecret_proof")?, &request.token) else {
        return Ok(());
    };
    let signature = webhook::sign(&app.secret, token.as_bytes());
    if signature.strip_prefix("sha256=") == Some(proof.as_str()) { Ok(()) } else { Err(GraphError::invalid_proof()) }
}

async fn dispatch(simulator: &Simulator, app: &App, request: GraphRequest) -> Result<Response, GraphError> {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let Some((id, edge)) = path.split_first() else {
        return Err(GraphError::unknown_path("/"));
    };
    if path == ["whatsapp_business", "attachments"] {
        let download = media::download(simulator, app, request);
        return media::with_fault(simulator, MediaRequest::Download, download).await;
    }
    let number = simulator.numbers.get(id).filter(|number| simulator.has_access(app, number));
    if let Some(number) = number {
        return match edge {
            [] => phone_number::handle(simulator, app, &request, &number).await,
            ["block_users"] => blocked_users::handle(simulator, &request, &number),
            ["calls"] => calls::handle(simulator, request, number).await,
            ["call_permissions"] => calls::permissions(&request),
            ["message_qrdls"] => qr_codes::handle(simulator, &request, id, None),
            ["message_qrdls", code] => qr_codes::handle(simulator, &request, id, Some(code)),
            ["media"] => {
                let upload = media::upload(simulator, request, number);
                media::with_fault(simulator, MediaRequest::Upload, upload).await
            }
            // Meta, *Marketing Messages API*.
            ["marketing_messages"] if request.parameters.string("type")?.as_deref() != Some("template") => {
                Err(GraphError::new(131_055, Some("Only marketing template messages are supported".to_owned())))
            }
            ["messages" | "marketing_messages"] => messages::handle(simulator, request, number).await,
            ["register" | "deregister" | "request_code" | "verify_code"] => {
                registration::handle(simulator, &request, &number, edge[0])
            }
            [
                "settings"
                | "whatsapp_commerce_settings"
                | "whatsapp_business_encryption"
                | "conversational_automation",
            ] => settings::handle(simulator, &request, &number, edge[0]),
            ["username"] => username::handle(simulator, &request, id),
            ["username_suggestions"] => username::suggestions(&request),
            ["whatsapp_business_profile"] => profile::handle(simulator, &request, id),
            _ => Err(unknown_edge(&request, phone_number::NODE_TYPE)),
        };
    }
    if simulator.accessible_accounts(app).iter().any(|account| account == id) {
        return match edge {
            [] | ["phone_numbers" | "subscribed_apps"] => account::handle(simulator, app, &request, id, edge).await,
            ["message_templates"] => templates::account(simulator, &request, id),
            ["upsert_message_templates"] => templates::upsert(simulator, &request, id),
            _ => Err(unknown_edge(&request, account::NODE_TYPE)),
        };
    }
    if let ([], Some(media)) = (edge, simulator.find_media(id).filter(|media| simulator.can_access_media(app, media))) {
        let response = media::handle(simulator, &request, &media);
        return match request.method {
            Method::GET => media::with_fault(simulator, MediaRequest::Lookup, ready(response)).await,
            _ => response,
        };
    }
    if let (Some(template), [] | ["unpause"]) = (simulator.templates.read(|templates| templates.get(id).cloned()), edge)
        && simulator.accessible_accounts(app).contains(&template.waba_id)
    {
        return match edge {
            [] => templates::template(simulator, &request, &template),
            _ => templates::unpause(simulator, &request, &template),
        };
    }
    match edge {
        ["owned_whatsapp_business_accounts" | "client_whatsapp_business_accounts"] if *id == account::BUSINESS_ID => {
            account::of_business(simulator, app, &request)
        }
        [] | [_] => Err(request.unsupported()),
        _ => Err(unknown_path(&request)),
    }
}

/// The error for an edge that an object doesn't have. The Graph API reads the edge of a `GET` as a field.
fn unknown_edge(request: &GraphRequest, node_type: &str) -> GraphError {
    match request.path.as_slice() {
        [_, edge] if request.method == Method::GET => fields::nonexisting(edge, node_type),
        _ => unknown_path(request),
    }
}

fn unknown_path(request: &GraphRequest) -> GraphError {
    GraphError::unknown_path(&format!("/{}", request.path.join("/")))
}

fn success() -> Response {
    Json(json!({"success": true})).into_response()
}

/// Returns the URL of a list, for the links to its pages.
fn list_url(simulator: &Simulator, request: &GraphRequest) -> String {
    format!("{}/{}/{}", simulator.url, simulator.latest_version, request.path.join("/"))
}

#[cfg(test)]
mod tests;
