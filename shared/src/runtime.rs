//! The composition root: reads the environment, builds the clients, and serves the handlers.

pub mod config;
pub mod startup;
