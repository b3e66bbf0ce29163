//! A simulated WhatsApp: the Cloud API that the functions call, signed webhooks, and the `/simulator` control API for
//! customer messages and faults. Shares no code with the functions, so that a bug in their code cannot hide here.

mod apps;
mod browsers;
mod business;
mod calls;
mod clock;
mod control;
mod dispatcher;
mod error_code;
mod faults;
mod fields;
mod graph;
mod graph_error;
mod inbound;
mod infrastructure;
mod journal;
mod json;
mod limits;
mod media;
mod numbers;
mod paging;
mod parameters;
mod phone_page;
mod phones;
mod receiver;
mod registry;
mod scan;
mod send;
mod server;
mod service_windows;
mod simulator;
mod status;
mod targets;
mod template_control;
mod templates;
mod users;
mod wamid;
mod webhook;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use axum::extract::DefaultBodyLimit;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use self::simulator::Simulator;
pub use self::{
    apps::{BOT_APP_ID, DEFAULT_APP_ID},
    infrastructure::Infrastructure,
    journal::JournalError,
    limits::DEFAULT_THROUGHPUT,
};
use crate::{output::Output, secrets::BotCredentials};

/// Maximum request body size. Meta's webhooks have up to 3 MB.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// The configuration of the simulated WhatsApp. Has no `Debug` because it holds secrets.
#[derive(Clone)]
pub struct Settings {
    /// The URL of the simulated WhatsApp itself, such as `http://127.0.0.1:8788`.
    pub url: String,
    /// The webhook URL, such as `http://127.0.0.1:8787/api/webhook`.
    pub webhook_url: String,
    /// Headers that a proxy in front of the webhook would add.
    pub added_headers: BTreeMap<String, String>,
    /// Meta's ID of the business number.
    pub phone_number_id: String,
    /// The business number in digits, with the country code.
    pub display_phone_number: String,
    /// The ID of the WhatsApp Business Account that owns the number.
    pub waba_id: String,
    /// The app secret that signs webhooks.
    pub app_secret: String,
    /// The access token that Graph API calls need.
    pub access_token: String,
    /// The token that verifies the webhook URL.
    pub verify_token: String,
    /// The credentials of the second Meta app, for a bot.
    pub bot: BotCredentials,
    /// The latest supported Graph API version, such as `v26.0`.
    pub graph_api_version: String,
    /// Messages per second that each business number may send until `POST /simulator/numbers` changes it.
    pub throughput: u32,
    /// The file for accepted messages and undelivered webhooks, in an existing directory. `None` keeps them in memory.
    pub journal: Option<PathBuf>,
}

/// An error that prevents the simulated WhatsApp from running.
#[derive(Debug, Error)]
pub enum WhatsAppError {
    /// The listener is unusable.
    #[error("cannot serve the simulated WhatsApp")]
    Listener(#[source] std::io::Error),
    /// The configured version does not have the form `v26.0`.
    #[error("{0:?} is not a Graph API version such as v26.0")]
    GraphApiVersion(String),
    /// The journal of an earlier run is unusable.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The folder of media files is unusable.
    #[error("cannot use the folder of media files")]
    Media(#[source] std::io::Error),
    /// The HTTP client's TLS configuration cannot be created.
    #[error("cannot set up TLS for webhooks")]
    Tls(#[source] rustls::Error),
    /// The HTTP client for webhooks cannot be created.
    #[error("cannot set up the HTTP client for webhooks")]
    Client(#[source] reqwest::Error),
}

/// Serves the simulated WhatsApp until `shutdown`, then closes open connections. Undelivered webhooks stay in the
/// journal.
///
/// # Errors
/// Returns a [`WhatsAppError`] immediately, at the first poll, if the settings are invalid or the journal is unusable.
pub async fn serve(
    listener: std::net::TcpListener,
    settings: Settings,
    infrastructure: Option<Infrastructure>,
    output: Output,
    shutdown: CancellationToken,
) -> Result<(), WhatsAppError> {
    listener.set_nonblocking(true).map_err(WhatsAppError::Listener)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(WhatsAppError::Listener)?;
    let receiver = receiver::routes(output.clone());
    let simulator = Arc::new(Simulator::start(settings, output, shutdown.clone())?);
    let control = control::routes()
        .merge(template_control::routes())
        .merge(infrastructure.map(infrastructure::routes).unwrap_or_default())
        .merge(receiver)
        .merge(media::routes())
        .merge(phone_page::routes())
        .layer(axum::middleware::from_fn(browsers::refuse_other_sites));
    let router =
        graph::routes().merge(control).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).with_state(Arc::clone(&simulator));
    server::serve(listener, router, &shutdown).await;
    simulator.wait_until_stopped().await;
    Ok(())
}

#[cfg(test)]
mod tests;
