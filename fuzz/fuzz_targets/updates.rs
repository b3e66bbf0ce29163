//! Parses arbitrary bytes as a webhook body: parsing must not panic, and the updates must be printable.
//!
//! Run it with `cargo +nightly fuzz run updates`. Seed bodies belong in `fuzz/corpus/updates`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::whatsapp::{Update, updates};

fuzz_target!(|body: &[u8]| {
    for update in updates(body).unwrap_or_default() {
        // Functions log and store updates, so formatting must not panic either.
        let _ = format!("{update:?}");
        let _ = match update {
            Update::Message(received) => received.message.timestamp.to_string(),
            Update::Status(status, _) => status.at.to_string(),
            _ => String::new(),
        };
    }
});
