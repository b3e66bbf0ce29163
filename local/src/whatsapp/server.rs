//! An HTTP server that can close a connection without a response.

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    http::Request,
    response::{IntoResponse, Response},
};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Marks a response that is never sent.
#[derive(Clone, Copy, Debug)]
struct CloseWithoutResponse;

#[derive(Clone, Copy, Debug, Error)]
#[error("a fault closes the connection without a response")]
struct Closed;

/// Returns a response that makes the server close the connection instead.
pub(super) fn close_without_response() -> Response {
    let mut response = ().into_response();
    response.extensions_mut().insert(CloseWithoutResponse);
    response
}

/// Serves `router` until `shutdown`, then closes open connections. Uses hyper directly: a handler of axum's server
/// cannot fail, and hyper closes a connection without a response only if the service fails.
pub(super) async fn serve(listener: TcpListener, router: Router, shutdown: &CancellationToken) {
    let connections = TaskTracker::new();
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (router, shutdown) = (router.clone(), shutdown.clone());
                    connections.spawn(async move {
                        shutdown.run_until_cancelled(connection(stream, router)).await;
                    });
                }
                // The client disconnected, or no file descriptor is available. Wait before the next attempt to avoid a
                // busy loop.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    shutdown.run_until_cancelled(accepting).await.unwrap_or(());
    connections.close();
    connections.wait().await;
}

async fn connection(stream: TcpStream, router: Router) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let responding = router.call(request);
        async move {
            let response = responding.await.unwrap_or_else(|never: Infallible| match never {});
            match response.extensions().get::<CloseWithoutResponse>() {
                Some(_) => Err(Closed),
                None => Ok(response),
            }
        }
    });
    // Ignore clients that don't speak HTTP or disconnect.
    let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}
