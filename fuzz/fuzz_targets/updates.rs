//! Webhook bodies of any bytes: reading them neither panics nor loses a body that is JSON.
//!
//! `cargo +nightly fuzz run updates`; bodies to begin with go into `fuzz/corpus/updates`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::whatsapp::updates;

fuzz_target!(|body: &[u8]| {
    if let Ok(updates) = updates(body) {
        for update in updates {
            // What is understood is written to a log in places; that must not fail either.
            let _ = format!("{update:?}");
        }
    }
});
