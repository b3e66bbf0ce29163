//! Reports the requests to the API and their responses, for tests of the API's description.

use std::{fmt, sync::Arc};

use axum::{
    body::{Body, Bytes},
    http::{Request, Response},
};
use http_body_util::BodyExt;

/// A request to the API and its response.
#[derive(Debug)]
pub struct Exchange {
    /// The key of the template's route, such as `GET /api/chats/{chatId}`; `None` if no route matches.
    pub route: Option<String>,
    /// The request. Its body is empty if the gateway responded without it.
    pub request: Request<Bytes>,
    /// The response.
    pub response: Response<Bytes>,
}

/// A function that gets each exchange before the client gets the response.
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(&Exchange) + Send + Sync>);

impl Observer {
    /// Creates an observer.
    pub fn new(observe: impl Fn(&Exchange) + Send + Sync + 'static) -> Observer {
        Observer(Arc::new(observe))
    }

    /// Reports an exchange, and returns its response.
    pub(super) async fn report(
        &self,
        route: Option<String>,
        request: Request<Bytes>,
        response: Response<Body>,
    ) -> Response<Body> {
        let (parts, body) = response.into_parts();
        // The gateway's bodies are in memory, so reading them doesn't fail.
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let exchange = Exchange { route, request, response: Response::from_parts(parts, body) };
        (self.0)(&exchange);
        exchange.response.map(Body::from)
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Observer")
    }
}
