//! Everything that the function binaries share, in layers. Imports go one way: `domain` ← `telemetry`, `aws` ← `store`,
//! `whatsapp`, `secrets` ← `services` ← `http` ← `runtime` ← functions.

pub mod aws;
pub mod domain;
pub mod http;
pub mod runtime;
pub mod secrets;
pub mod services;
pub mod store;
pub mod telemetry;
pub mod whatsapp;
