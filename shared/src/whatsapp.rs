//! The WhatsApp Cloud API: webhooks and requests.

mod client;
mod errors;
mod media;
mod reader;
mod send;
mod signature;
mod webhook;

pub use client::{CloudApi, SendError, SendResult, TIMEOUT};
pub use media::{Download, DownloadError, MediaClient, MediaLocation};
pub use reader::GraphReader;
pub use send::send_request;
pub use signature::is_valid_signature;
pub use webhook::{
    ContactUpdate, DeviceMessage, InvalidJson, Peer, ReceivedMessage, Update, from_device, replace_lone_surrogates,
    updates,
};
