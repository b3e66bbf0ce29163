//! Runs the entire stack of `template.yaml` on a development machine: the real function binaries behind the Lambda
//! Runtime API, an HTTP API in front of them, an embedded DynamoDB with its stream, the schedules, and a simulated
//! WhatsApp Cloud API.
//!
//! End-to-end tests use this crate as a library to start a stack within the test process.

pub mod database;
mod error;
mod file;
pub mod functions;
pub mod gateway;
mod iam;
pub mod import;
pub mod kms;
pub mod lambda;
pub mod lambda_api;
pub mod output;
pub mod parameters;
mod ports;
mod ready;
pub mod s3;
pub mod schedule;
pub mod secrets;
mod stack;
pub mod stream;
pub mod template;
pub mod whatsapp;

pub use self::{
    error::{StartError, error_chain},
    ports::PortError,
    ready::Ready,
    stack::{Options, Stack, start},
};
