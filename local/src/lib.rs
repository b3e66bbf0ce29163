//! Runs the whole system of `template.yaml` on a laptop: the real function binaries behind the Lambda Runtime API,
//! an HTTP API in front of them, an embedded DynamoDB with its stream, the schedules, and a simulated WhatsApp Cloud API.
//! It is also a library, so that an end-to-end test starts a system of its own in its process.

pub mod console;
pub mod database;
mod error;
pub mod functions;
pub mod gateway;
pub mod kms;
pub mod lambda;
pub mod lambda_api;
mod ports;
mod ready;
pub mod schedule;
pub mod secrets;
mod stack;
pub mod stream;
pub mod template;
pub mod whatsapp;

pub use self::{
    error::StartError,
    ports::PortError,
    ready::Ready,
    stack::{Options, Running, start},
};
