//! Pairing by a received message.

use super::{Delivery, Receiver};
use crate::{
    domain::pairing::PairingAttempt,
    store::{Pairing, PairingMessage, StoreError},
    whatsapp::ReceivedMessage,
};

impl Receiver {
    /// Handles a message with pairing tokens. The first one that is a code of a session makes it a pairing attempt.
    /// Otherwise, it is an ordinary message.
    pub(super) async fn pair(
        &self,
        attempts: &[PairingAttempt],
        received: ReceivedMessage,
        delivery: Delivery<'_>,
    ) -> Result<(), StoreError> {
        let number = received.phone_number_id.as_str();
        let message = PairingMessage {
            phone_number_id: number,
            is_own_number: self.own_number.as_ref().is_some_and(|own| own.phone_number_id == number),
            wamid: &received.message.wamid,
            sent_at: received.message.timestamp.clamped_to(self.system.now()),
        };
        for attempt in attempts {
            let outcome = self.store.sessions().pair(attempt, message, self.pairing_policy).await?;
            if outcome == Pairing::OrdinaryMessage {
                continue;
            }
            tracing::info!(session_id = %attempt.session_id, ?outcome, "pairing attempted");
            if outcome == Pairing::Paired {
                self.number_owners.forget(number);
                let owner = self.number_owners.get(number).await?;
                self.number_owners.record_account(number, received.waba_id, owner.as_ref()).await?;
            }
            return Ok(());
        }
        self.store_messages(received.into(), delivery).await
    }
}
