//! The composition root: reads the environment, builds the clients, and serves the handlers.

pub mod config;
mod serve;
pub mod startup;

pub use serve::{serve, serve_fallback};
