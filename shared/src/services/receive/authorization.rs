//! The updates that a Meta app may send.

use super::Receiver;
use crate::{
    domain::webhook_event::WebhookEvent,
    services::credentials::WebhookApp,
    store::StoreError,
    whatsapp::{ReceivedMessage, Update},
};

impl Receiver {
    /// Removes what the signing app may not send. The deployment's app may send every update. A number's own app may
    /// belong to a customer, who could sign updates for other numbers and accounts:
    ///
    /// - Messages of other numbers are stored as unowned.
    /// - Statuses and contact updates of other numbers are ignored.
    /// - Account IDs are removed.
    pub(super) async fn authorized_updates(
        &self,
        updates: Vec<Update>,
        webhook_app: &WebhookApp,
    ) -> Result<Vec<Update>, StoreError> {
        if *webhook_app == WebhookApp::Deployment {
            return Ok(updates);
        }
        let mut authorized = Vec::with_capacity(updates.len());
        for update in updates {
            match update {
                Update::Message(received) if webhook_app.owns(&received.phone_number_id) => {
                    authorized.push(Update::Message(Box::new(ReceivedMessage { waba_id: None, ..*received })));
                }
                Update::Message(received) => self.store_unowned((*received).into()).await?,
                Update::Status(status, key) if webhook_app.owns(&status.phone_number_id) => {
                    authorized.push(Update::Status(status, key));
                }
                Update::Contact { phone_number_id, update } if webhook_app.owns(&phone_number_id) => {
                    authorized.push(Update::Contact { phone_number_id, update });
                }
                Update::Payment(update) if webhook_app.owns(&update.phone_number_id) => {
                    authorized.push(Update::Payment(update));
                }
                Update::Status(..) | Update::Payment(_) | Update::Contact { .. } => {
                    tracing::warn!("update for another app's number ignored");
                }
                Update::Event(event) => {
                    let phone_number_id = event.phone_number_id.filter(|number| webhook_app.owns(number));
                    authorized.push(Update::Event(WebhookEvent { phone_number_id, waba_id: None, ..event }));
                }
            }
        }
        Ok(authorized)
    }
}
