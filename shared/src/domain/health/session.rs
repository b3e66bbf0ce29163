//! The checks of what the table knows: the link to WhatsApp, the last webhook, and paused sending.

use super::Check;
use crate::domain::{message::Channel, session::Session, time::Timestamp};

/// Checks that the session is linked to WhatsApp.
pub fn connection(session: &Session) -> Check {
    const CONNECTION: &str = "connection";
    const SCAN: &str = "Scan the QR code of GET /api/qr with WhatsApp, and send the text that it opens.";
    let check = match session.channel {
        _ if session.is_connected && session.is_ready => Check::good(CONNECTION),
        Channel::Worker if session.is_connected => Check::bad(
            CONNECTION,
            "The linked device is connected, but its worker reports that it can't send.",
            "Look at the worker's log, and restart it. It reports its state with PUT /api/session/state.",
        ),
        Channel::Worker => Check::bad(
            CONNECTION,
            "The worker reports that its device is not connected to WhatsApp.",
            "Start the worker. If GET /api/qr then has a QR code, scan it under Linked devices in WhatsApp.",
        ),
        Channel::CloudApi => {
            let problem = session.pairing_error.as_deref();
            Check::bad(CONNECTION, problem.unwrap_or("The session is not linked to a WhatsApp number."), SCAN)
        }
    };
    let channel = match session.channel {
        Channel::Worker => "worker",
        Channel::CloudApi => "cloud_api",
    };
    check.with("channel", channel).with("phone_number_id", session.phone_number_id.clone())
}

/// Checks that sending isn't paused.
pub fn outbox(session: &Session) -> Check {
    const OUTBOX: &str = "outbox";
    match &session.paused_reason {
        None => Check::good(OUTBOX),
        Some(reason) => Check::bad(
            OUTBOX,
            format!("Sending is paused, because WhatsApp refused a message: {reason}"),
            "Correct the cause, which the other checks can show. Then resume sending with POST /api/session/resume.",
        ),
    }
    .with("paused_reason", session.paused_reason.clone())
}

/// Checks that WhatsApp delivers webhooks. `sent` is the number of messages that WhatsApp has accepted in the last day,
/// in hours after that of the last webhook.
pub fn last_webhook(at: Option<Timestamp>, sent: u64) -> Check {
    const LAST_WEBHOOK: &str = "last_webhook";
    const TEST: &str = "Write to the number from a phone. If that is not received, look at the checks callback, \
         subscription, and app_secret.";
    let check = match at {
        Some(_) if sent == 0 => Check::good(LAST_WEBHOOK),
        None if sent == 0 => {
            Check::unknown(LAST_WEBHOOK, "WhatsApp has delivered nothing for the session in the known hours.")
                .fixed_by(TEST)
        }
        _ => Check::unknown(
            LAST_WEBHOOK,
            format!(
                "WhatsApp accepted {sent} messages in the last day and has reported no delivery of them. Their phones \
                 can be off, or its webhooks don't arrive."
            ),
        )
        .fixed_by(TEST),
    };
    check.with("at", at.map(|at| at.to_string()))
}
