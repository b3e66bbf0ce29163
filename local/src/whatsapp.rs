//! A simulated WhatsApp: the Cloud API that the functions call, the signed webhooks that follow,
//! and `/simulator`, where a test or a person plays the customers and asks for faults. It shares no
//! code with the functions, so that an error in theirs cannot hide in its own.

mod clock;
mod control;
mod dispatcher;
mod error_code;
mod faults;
mod graph;
mod graph_error;
mod inbound;
mod journal;
mod numbers;
mod scan;
mod send;
mod server;
mod simulator;
mod status;
mod users;
mod wamid;
mod webhook;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use axum::extract::DefaultBodyLimit;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

pub use self::journal::JournalError;
use self::simulator::Simulator;
use crate::console::Console;

/// The largest request body; the largest webhook of Meta has 3 MB.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// What the simulated WhatsApp is told of the system that uses it. It holds secrets, and so it has
/// no `Debug`.
#[derive(Clone)]
pub struct Settings {
    /// Where webhooks go, for example `http://127.0.0.1:8787/api/webhook`.
    pub webhook_url: String,
    /// Headers that something on the way there would add to webhooks.
    pub added_headers: BTreeMap<String, String>,
    /// Meta's id of the business number.
    pub phone_number_id: String,
    /// The business number in digits, with the country code.
    pub display_phone_number: String,
    /// The id of the WhatsApp Business Account that has the number.
    pub waba_id: String,
    /// The key of the webhooks' signatures.
    pub app_secret: String,
    /// The bearer token that a call must bring.
    pub access_token: String,
    /// The newest version of the Graph API that exists, for example `v26.0`.
    pub graph_api_version: String,
    /// The file that keeps accepted messages and undelivered webhooks over a restart; its directory
    /// must exist.
    pub journal: Option<PathBuf>,
}

/// Why the simulated WhatsApp cannot run.
#[derive(Debug, Error)]
pub enum WhatsAppError {
    /// The listener cannot be used.
    #[error("cannot serve the simulated WhatsApp")]
    Listener(#[source] std::io::Error),
    /// The configured version is not of the form `v26.0`.
    #[error("{0:?} is no version of the Graph API; one looks like v26.0")]
    GraphApiVersion(String),
    /// The journal of an earlier run cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The TLS configuration that the HTTP client wants could not be made.
    #[error("cannot set up TLS for the webhooks")]
    Tls(#[source] rustls::Error),
    /// The HTTP client that delivers webhooks could not be made.
    #[error("cannot set up the HTTP client for the webhooks")]
    Client(#[source] reqwest::Error),
}

/// Serves the simulated WhatsApp until `shutdown`. What is wrong with the settings or the journal
/// comes back at once. At shutdown open connections are closed, and webhooks that are not delivered
/// stay in the journal.
pub async fn serve(
    listener: std::net::TcpListener,
    settings: Settings,
    console: Console,
    shutdown: CancellationToken,
) -> Result<(), WhatsAppError> {
    listener.set_nonblocking(true).map_err(WhatsAppError::Listener)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(WhatsAppError::Listener)?;
    let simulator = Arc::new(Simulator::start(settings, console, shutdown.clone())?);
    let router = graph::routes()
        .merge(control::routes())
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Arc::clone(&simulator));
    server::serve(listener, router, &shutdown).await;
    simulator.stopped().await;
    Ok(())
}

#[cfg(test)]
mod tests;
