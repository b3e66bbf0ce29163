//! Parses arbitrary bytes as a webhook body: parsing must not panic, and the updates must be printable.
//!
//! Run it with `cargo +nightly fuzz run updates`. Seed bodies belong in `fuzz/corpus/updates`.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use shared::domain::time::Timestamp;
use shared::whatsapp::{ContactUpdate, Update, updates};

fuzz_target!(|body: &[u8]| {
    for update in updates(body).unwrap_or_default() {
        // Functions log and store updates, so formatting must not panic either.
        let _ = format!("{update:?}");
        // Keys and responses contain times as text, and so do the ends of periods that start with them.
        let times = match &update {
            Update::Message(received) => {
                let action = received.message.action.as_ref().map(|action| action.at);
                vec![Some(received.message.timestamp), action]
            }
            Update::Status(status, _) => vec![Some(status.at)],
            Update::Contact { update: ContactUpdate::Linked { at, .. } | ContactUpdate::Changed { at, .. }, .. } => {
                vec![Some(*at)]
            }
            Update::Contact { update: ContactUpdate::Named { name, .. }, .. } => vec![Some(name.at)],
            Update::Contact { update: ContactUpdate::Consent { decision, .. }, .. } => vec![Some(decision.since)],
            Update::Payment(update) => vec![Some(update.payment.at)],
            Update::Event(_) => Vec::new(),
        };
        for time in times.into_iter().flatten() {
            for time in [time, time.after(Duration::from_secs(72 * 60 * 60)), time.before(Duration::MAX)] {
                assert_eq!(time.to_string().parse::<Timestamp>().ok(), Some(time));
            }
        }
    }
});
