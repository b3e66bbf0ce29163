//! The updates that a Meta app may send.

use super::Receiver;
use crate::{
    domain::{number::BusinessNumber, webhook_event::WebhookEvent},
    services::credentials::WebhookApp,
    store::StoreError,
    whatsapp::{ReceivedMessage, Update},
};

/// Why a message becomes an event: it names a number that its app doesn't own.
const FOREIGN_NUMBER: &str = "signed by the app of another number";

impl Receiver {
    /// Removes what the signing app may not send. The deployment's app may send every update. A number's own app may
    /// belong to a customer, who could sign updates for other numbers and accounts. Nothing of them is stored under the
    /// number or the account that they name:
    ///
    /// - Messages of other numbers become events without a number, which only admins can see.
    /// - Statuses and contact updates of other numbers are ignored.
    /// - Events of other numbers, and of accounts, lose the number and the account.
    pub(super) async fn authorized_updates(
        &self,
        mut updates: Vec<Update>,
        webhook_app: &WebhookApp,
    ) -> Result<Vec<Update>, StoreError> {
        self.find_numbers_of_events(&mut updates).await?;
        Ok(updates.into_iter().filter_map(|update| authorize(update, webhook_app)).collect())
    }

    /// Finds the IDs of the numbers that events name by their phone number.
    async fn find_numbers_of_events(&self, updates: &mut [Update]) -> Result<(), StoreError> {
        let mut numbers: Option<Vec<BusinessNumber>> = None;
        for update in updates {
            let Update::Event(event) = update else { continue };
            let (None, Some(display_phone_number)) = (&event.phone_number_id, &event.display_phone_number) else {
                continue;
            };
            let known = match &numbers {
                Some(known) => known,
                None => {
                    let registered = self.store.numbers().list().await?.into_iter().map(BusinessNumber::from);
                    numbers.insert(registered.chain(self.own_number.clone()).collect())
                }
            };
            event.phone_number_id = BusinessNumber::find_id(known, display_phone_number);
        }
        Ok(())
    }
}

/// Returns the update as far as the app may send it.
fn authorize(update: Update, webhook_app: &WebhookApp) -> Option<Update> {
    if *webhook_app == WebhookApp::Deployment {
        return Some(update);
    }
    match update {
        Update::Message(received) if webhook_app.owns(&received.phone_number_id) => {
            Some(Update::Message(Box::new(ReceivedMessage { waba_id: None, ..*received })))
        }
        Update::Message(received) => {
            tracing::warn!("message for another app's number stored as an event");
            Some(Update::Event(WebhookEvent {
                field: "messages".to_owned(),
                reason: Some(FOREIGN_NUMBER),
                raw: received.message.raw,
                ..WebhookEvent::default()
            }))
        }
        Update::Status(status, key) if webhook_app.owns(&status.phone_number_id) => Some(Update::Status(status, key)),
        Update::Contact { phone_number_id, wamid, update } if webhook_app.owns(&phone_number_id) => {
            Some(Update::Contact { phone_number_id, wamid, update })
        }
        Update::Payment(update) if webhook_app.owns(&update.phone_number_id) => Some(Update::Payment(update)),
        Update::Status(..) | Update::Payment(_) | Update::Contact { .. } => {
            tracing::warn!("update for another app's number ignored");
            None
        }
        Update::Event(event) => {
            let phone_number_id = event.phone_number_id.filter(|number| webhook_app.owns(number));
            Some(Update::Event(WebhookEvent { phone_number_id, waba_id: None, ..event }))
        }
    }
}

#[cfg(test)]
mod tests;
