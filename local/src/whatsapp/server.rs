//! Serves HTTP, and can close a connection without an answer.

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
struct CloseWithoutAnswer;

#[derive(Clone, Copy, Debug, Error)]
#[error("the connection is closed without an answer, as a fault asks for")]
struct Closed;

/// A handler's way to have its connection closed instead of answered.
pub(super) fn close_without_answer() -> Response {
    let mut response = ().into_response();
    response.extensions_mut().insert(CloseWithoutAnswer);
    response
}

/// Serves `router` until `shutdown`; connections that are open then are closed. It drives hyper
/// itself, because a handler of axum's own server cannot fail, and failing is what makes hyper
/// close a connection without an answer.
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
                // A client that is gone already, or no file descriptor left: the next turn may do
                // better, and must not spin until then.
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
        let answering = router.call(request);
        async move {
            let response = answering.await.unwrap_or_else(|never: Infallible| match never {});
            match response.extensions().get::<CloseWithoutAnswer>() {
                Some(_) => Err(Closed),
                None => Ok(response),
            }
        }
    });
    // A client that speaks no HTTP or goes away is none of our errors.
    let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}
