//! The composition root: reads the environment, builds the clients, and serves the handlers.

pub mod config;
mod serve;
mod startup;

pub use self::{
    serve::{serve, serve_events, serve_fallback, serve_schedule, serve_stateless, serve_static, serve_with},
    startup::{App, StartError, Startup},
};
