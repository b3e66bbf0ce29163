//! The Graph API: parses a request, authenticates its token, and dispatches it by its path.

mod calls;
mod media;
mod messages;
mod phone_number;
mod request;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
};

pub(super) use self::request::GraphRequest;
use super::{
    apps::{self, App},
    graph_error::GraphError,
    simulator::Simulator,
};

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

pub(super) fn routes() -> Router<Arc<Simulator>> {
    Router::new().fallback(handle)
}

async fn handle(State(simulator): State<Arc<Simulator>>, request: Request) -> Result<Response, GraphError> {
    let request = GraphRequest::read(request, &simulator).await?;
    let app = simulator.authenticate(request.token.as_deref())?;
    dispatch(&simulator, &app, request).await
}

async fn dispatch(simulator: &Simulator, app: &App, request: GraphRequest) -> Result<Response, GraphError> {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let Some((id, edge)) = path.split_first() else {
        return Err(GraphError::unknown_path("/"));
    };
    if path == ["whatsapp_business", "attachments"] {
        return media::download(simulator, app, request).await;
    }
    let number = simulator.numbers.get(id).filter(|number| apps::has_access(&app.id, &number.app_id));
    match (number, edge) {
        (Some(number), []) => phone_number::handle(request, number).await,
        (Some(number), ["calls"]) => calls::handle(simulator, request, number).await,
        (Some(number), ["messages"]) => messages::handle(simulator, request, number).await,
        (Some(number), ["media"]) => media::upload(simulator, request, number).await,
        (None, []) => match simulator.find_media(id).filter(|media| simulator.has_access(app, media)) {
            Some(media) => media::handle(simulator, &request, &media),
            None => Err(request.unsupported()),
        },
        (None, ["calls" | "messages" | "media"]) => Err(request.unsupported()),
        _ => Err(GraphError::unknown_path(&format!("/{}", request.path.join("/")))),
    }
}

#[cfg(test)]
mod tests;
