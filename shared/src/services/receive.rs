//! Webhook notifications: stores every update of a body, or fails, so that WhatsApp sends the body again.
//!
//! Storing an update twice changes nothing.

mod actions;
mod authorization;
mod events;
mod messages;
mod number_owners;
mod pairing;
mod task;

use futures_util::{StreamExt, stream};

use self::{number_owners::NumberOwners, task::Task};
use crate::{
    domain::{
        consent::{ConsentDecision, ConsentSource},
        message::Receipt,
        number::BusinessNumber,
        pairing_decision::PairingPolicy,
        profile::SavedName,
        system::System,
        time::Timestamp,
    },
    services::credentials::WebhookApp,
    store::{Applied, Store, StoreError},
    telemetry::{self, Metric, Metrics},
    whatsapp::{ContactUpdate, InvalidJson, updates},
};

/// The maximum number of concurrent DynamoDB requests. One vCPU signs about this many without queueing.
const MAX_CONCURRENT_REQUESTS: usize = 16;

/// Receives webhook notifications.
#[derive(Clone, Debug)]
pub struct Receiver {
    store: Store,
    system: System,
    number_owners: NumberOwners,
    own_number: Option<BusinessNumber>,
    pairing_policy: PairingPolicy,
    metrics: Metrics,
}

/// The request with a webhook body.
#[derive(Clone, Copy, Debug)]
struct Delivery<'a> {
    at: Timestamp,
    request_id: &'a str,
}

/// A webhook body was not stored completely.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The body is not JSON.
    #[error(transparent)]
    NotJson(#[from] InvalidJson),
    /// A DynamoDB request failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Receiver {
    /// Creates a receiver. `own_number` is the deployment's own.
    pub fn new(
        store: Store,
        system: System,
        own_number: Option<BusinessNumber>,
        pairing_policy: PairingPolicy,
    ) -> Self {
        let number_owners = NumberOwners::new(store.clone(), system);
        Self { store, system, number_owners, own_number, pairing_policy, metrics: Metrics::default() }
    }

    /// Opens the connection to the table and caches the owner of the deployment's own number.
    pub async fn warm_up(&self, phone_number_id: &str) {
        if let Err(error) = self.number_owners.get(phone_number_id).await {
            tracing::warn!(error = telemetry::chain(&error), "table warm-up failed");
        }
    }

    /// Stores the updates in `body`, as far as `webhook_app` may send them. The messages get the `request_id`.
    ///
    /// # Errors
    ///
    /// - [`ReceiveError::NotJson`] if the body isn't JSON. The body is stored as an event first.
    /// - [`ReceiveError::Store`] if at least one update could not be stored. The others are stored, and receiving the
    ///   same body again stores the rest.
    pub async fn receive(&self, body: &[u8], webhook_app: &WebhookApp, request_id: &str) -> Result<(), ReceiveError> {
        let delivery = Delivery { at: self.system.now(), request_id };
        let tasks = match updates(body) {
            Ok(updates) => {
                if std::str::from_utf8(body).is_err() {
                    self.store_undecodable_body(body).await?;
                }
                task::group(self.authorized_updates(updates, webhook_app).await?)
            }
            Err(error) => {
                self.store_invalid_body(body).await?;
                self.metrics.write(self.system.now());
                return Err(error.into());
            }
        };
        let (pairings, tasks): (Vec<Task>, Vec<Task>) =
            tasks.into_iter().partition(|task| matches!(task, Task::Pair { .. }));
        let (contact_tasks, tasks): (Vec<Task>, Vec<Task>) =
            tasks.into_iter().partition(|task| matches!(task, Task::Contact { .. }));
        let mut results: Vec<Result<(), StoreError>> = Vec::new();
        // Pairing runs first: the other messages may be for the session that it links. Contact updates run last: the other
        // tasks may create the contacts' chats.
        for tasks in [pairings, tasks, contact_tasks] {
            let run =
                stream::iter(tasks).map(|task| self.run(task, delivery)).buffer_unordered(MAX_CONCURRENT_REQUESTS);
            results.extend(run.collect::<Vec<_>>().await);
        }
        self.metrics.write(self.system.now());
        // Only now, so that every task runs even if one of them fails.
        Ok(results.into_iter().collect::<Result<(), StoreError>>()?)
    }

    async fn run(&self, task: Task, delivery: Delivery<'_>) -> Result<(), StoreError> {
        match task {
            Task::Messages(conversations) => {
                let mut result = Ok(());
                for conversation in conversations {
                    result = result.and(self.store_messages(conversation, delivery).await);
                }
                result
            }
            Task::Pair { attempts, received } => self.pair(&attempts, *received, delivery).await,
            Task::Statuses { updates } => {
                for (update, key) in updates {
                    self.apply_status(&update, key).await?;
                }
                Ok(())
            }
            Task::Payment(mut update) => {
                update.payment.at = update.payment.at.clamped_to(self.system.now());
                self.store.messages().apply_payment(&update).await
            }
            Task::Event(event) => self.store_event(event).await,
            Task::Contact { phone_number_id, wamid, update } => {
                let Some(owner) = self.number_owners.get(&phone_number_id).await? else { return Ok(()) };
                let now = self.system.now();
                match update {
                    ContactUpdate::Linked { addresses, at } => {
                        self.store.chats().record_addresses(owner.session_id, &addresses, at.clamped_to(now)).await
                    }
                    ContactUpdate::Changed { from, to, at } => {
                        // The message that reports the change was stored before.
                        let known = match wamid {
                            Some(wamid) => self.store.messages().known_time(&phone_number_id, &wamid).await?,
                            None => None,
                        };
                        let at = known.unwrap_or(at.clamped_to(now));
                        self.store.chats().move_contact(owner.session_id, &from, &to, at).await
                    }
                    ContactUpdate::Named { addresses, name } => {
                        let name = SavedName { at: name.at.clamped_to(now), ..name };
                        self.store.chats().save_name(owner.session_id, &addresses, &name).await
                    }
                    ContactUpdate::Consent { addresses, decision } => {
                        let decision = ConsentDecision { since: decision.since.clamped_to(now), ..decision };
                        let chats = self.store.chats();
                        chats.record_consent_of(owner.session_id, &addresses, ConsentSource::Whatsapp, decision).await
                    }
                }
            }
        }
    }

    fn count_undelivered(&self, applied: Applied) {
        if applied == Applied::Moved(Receipt::Failed) {
            self.metrics.add(Metric::FailedUndelivered, 1);
        }
    }
}
