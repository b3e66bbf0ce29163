//! Everything that two function binaries could need: the domain (plain types and rules that know no AWS), the store
//! (DynamoDB), the Cloud API (WhatsApp), and the edges of a Lambda function (HTTP, configuration, start-up, telemetry).

pub mod access;
pub mod auto_reply;
mod cached;
pub mod chat;
pub mod cloud_api;
pub mod config;
pub mod content;
pub mod credentials;
pub mod cursor;
pub mod delivery;
pub mod details;
pub mod effect;
pub mod events;
pub mod http;
pub mod id;
pub mod identity;
pub mod inbox;
pub mod message;
pub mod pacing;
pub mod page;
pub mod pairing;
pub mod person;
pub mod qr;
pub mod receiving;
pub mod responding;
pub mod retry;
pub mod secrets;
pub mod sending;
pub mod session;
pub mod startup;
pub mod store;
pub mod telemetry;
pub mod time;
pub mod waker;
pub mod worker;
