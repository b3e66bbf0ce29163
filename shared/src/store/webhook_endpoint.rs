//! Endpoints that receive outgoing webhooks. They are in the partition of their session's change log, which counts them.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;

use super::{
    Store, StoreError, Webhooks,
    item::{self, Item, string},
    keys::{Key, WEBHOOK, notify_key, webhook_cursors_pk, webhooks_pk},
    transaction::Transaction,
    update::{UpdateBuilder, WriteOutcome},
};
use crate::domain::{
    change::log::LogEnd,
    id::{SessionId, WebhookId},
    session::Setting,
    time::Timestamp,
    webhook_endpoint::{DisabledReason, MAX_WEBHOOKS, WebhookChange, WebhookEndpoint},
};

pub(super) const WEBHOOK_ENDPOINT: &str = "webhook";

/// The outcome of creating a webhook.
#[derive(Debug, PartialEq, Eq)]
pub enum WebhookCreated {
    /// The webhook was created.
    Created,
    /// There is no such session.
    NoSession,
    /// There are already [`MAX_WEBHOOKS`] webhooks of the session, or for all sessions.
    TooMany,
}

/// The webhooks that receive the changes of a session.
#[derive(Clone, Debug)]
pub struct SessionWebhooks {
    /// The end of the session's change log.
    pub end: LogEnd,
    /// The session's webhooks and those for all sessions, enabled or not.
    pub webhooks: Vec<WebhookEndpoint>,
}

impl Webhooks<'_> {
    /// Creates a webhook. The session's log counts its webhooks, so that concurrent requests don't exceed the limit.
    pub async fn create(self, webhook: &WebhookEndpoint) -> Result<WebhookCreated, StoreError> {
        let operation = "creating a webhook";
        let count = count_webhooks(webhook.session_id, 1)
            .set("entity", if webhook.session_id.is_some() { "change_log" } else { "webhook_count" })
            // An erased session's log expires, unless the session is created again and uses it.
            .remove(["expires_at"])
            .condition(("attribute_not_exists(webhook_count) OR webhook_count < ?", MAX_WEBHOOKS));
        let row = item::write(WEBHOOK_ENDPOINT, &key(webhook), webhook)?;
        let mut actions = vec![self.0.update_action(count), self.0.put_action(row, "attribute_not_exists(pk)")];
        if let Some(session_id) = webhook.session_id {
            let session = UpdateBuilder::new(&Key::session(session_id)).condition("attribute_exists(pk)");
            actions.push(self.0.update_action(session));
        }
        match self.0.transact(operation, actions).await? {
            Transaction::Committed => Ok(WebhookCreated::Created),
            Transaction::Refused(refusals) => match refusals.iter().rposition(|refusal| refusal.failed) {
                Some(2) => Ok(WebhookCreated::NoSession),
                Some(0) => Ok(WebhookCreated::TooMany),
                // Two webhooks with the same random ID. Never overwrites one.
                _ => Err(StoreError::Contention { operation }),
            },
        }
    }

    /// Returns the webhook with this id. Eventually consistent.
    pub async fn find(self, id: WebhookId) -> Result<Option<WebhookEndpoint>, StoreError> {
        let keys = self.0.keys_by_id("querying a webhook by id", id).await?;
        let Some(key) = keys.into_iter().find(|key| key.webhook_id().is_some()) else { return Ok(None) };
        let item = self.0.get("reading a webhook", &key).await?;
        item.map(|item| item::read(WEBHOOK_ENDPOINT, item)).transpose()
    }

    /// Returns the webhooks of a session, or those for all sessions, oldest first.
    pub async fn list(self, session_id: Option<SessionId>) -> Result<Vec<WebhookEndpoint>, StoreError> {
        let query = partition(self.0, session_id)
            .key_condition_expression("pk = :pk AND begins_with(sk, :webhook)")
            .expression_attribute_values(":webhook", string(WEBHOOK));
        Ok(read(query).await?.1)
    }

    /// Returns the webhooks of a session with the end of its log, and the webhooks for all sessions: one consistent query
    /// each.
    pub async fn of_session(self, session_id: SessionId) -> Result<SessionWebhooks, StoreError> {
        let (own, all) = futures_util::future::try_join(self.with_log_end(session_id), self.list(None)).await?;
        let (end, mut webhooks) = own;
        webhooks.extend(all);
        Ok(SessionWebhooks { end, webhooks })
    }

    /// Returns the end of a session's log, and the session's own webhooks, oldest first.
    pub async fn with_log_end(self, session_id: SessionId) -> Result<(LogEnd, Vec<WebhookEndpoint>), StoreError> {
        let log = Key::change_log(session_id);
        // Failed deliveries sort before the end of the log, and the webhooks after it.
        let query = partition(self.0, Some(session_id))
            .key_condition_expression("pk = :pk AND sk >= :log")
            .expression_attribute_values(":log", string(log.sk));
        read(query).await
    }

    /// Changes the settings of a webhook, each independently of the others, so that concurrent requests don't undo each
    /// other's changes. Returns the webhook after the change; `None` if it no longer exists.
    pub async fn update(
        self,
        webhook: &WebhookEndpoint,
        change: &WebhookChange,
    ) -> Result<Option<WebhookEndpoint>, StoreError> {
        let now = self.0.system.now();
        let mut update = UpdateBuilder::new(&key(webhook))
            .set("url", change.url.as_ref())
            .set("events", change.events.as_ref().map(item::value).transpose()?)
            .set("format", change.format.map(|format| format.as_str()))
            .set("order", change.order.map(|order| order.as_str()))
            .set("enabled", change.enabled)
            .set("updated_at", now);
        update = match &change.headers {
            Setting::Set(headers) => update.set("headers", item::value(headers)?),
            Setting::Reset => update.remove(["headers"]),
            Setting::Keep => update,
        };
        update = match &change.description {
            Setting::Set(description) => update.set("description", description),
            Setting::Reset => update.remove(["description"]),
            Setting::Keep => update,
        };
        match change.enabled {
            Some(true) => {
                update = update.remove(["disabled_reason"]);
                update = update.set("due_key", notify_key(webhook.session_id)).set("due_at", now);
                if !webhook.enabled {
                    update = update.set("enabled_at", now);
                }
            }
            Some(false) => update = update.remove(["due_key", "due_at"]),
            None => {}
        }
        self.change("changing a webhook", update).await
    }

    /// Removes a webhook from the `due` index, unless it was enabled again since it was read: its deliveries are due.
    pub async fn resumed(self, webhook: &WebhookEndpoint) -> Result<(), StoreError> {
        let Some(due_at) = webhook.due_at else { return Ok(()) };
        let update = UpdateBuilder::new(&key(webhook)).remove(["due_key", "due_at"]).condition(("due_at = ?", due_at));
        self.0.update_if("resuming the deliveries of a webhook", update).await.map(drop)
    }

    /// Replaces the secret by the next version. The previous version signs until `previous_until`. Returns the webhook
    /// after the change; `None` if it no longer exists.
    pub async fn rotate(
        self,
        webhook: &WebhookEndpoint,
        previous_until: Timestamp,
    ) -> Result<Option<WebhookEndpoint>, StoreError> {
        let update = UpdateBuilder::new(&key(webhook))
            .add("secret_version", 1)
            .set("previous_secret_until", previous_until)
            .set("updated_at", self.0.system.now());
        self.change("rotating the secret of a webhook", update).await
    }

    /// Disables a webhook, unless its settings have changed since they were read. Returns whether it did.
    pub async fn disable(self, webhook: &WebhookEndpoint, reason: DisabledReason) -> Result<bool, StoreError> {
        let update = UpdateBuilder::new(&key(webhook))
            .set("enabled", false)
            .set("disabled_reason", reason.as_str())
            .set("updated_at", self.0.system.now())
            .remove(["due_key", "due_at"])
            .condition(("enabled = ?", true))
            .condition(("updated_at = ?", webhook.updated_at));
        self.0.update_if("disabling a webhook", update).await
    }

    /// Deletes a webhook and its positions in the logs. Returns whether it existed. Its failed deliveries expire.
    pub async fn delete(self, webhook: &WebhookEndpoint) -> Result<bool, StoreError> {
        let count = count_webhooks(webhook.session_id, -1).condition("attribute_exists(pk)");
        let actions = vec![self.0.delete_action(&key(webhook), "attribute_exists(pk)"), self.0.update_action(count)];
        if let Transaction::Refused(_) = self.0.transact("deleting a webhook", actions).await? {
            return Ok(false);
        }
        // Positions expire if the process ends before this.
        let erasures = self.0.erasures();
        erasures.delete_all(erasures.partition(webhook_cursors_pk(webhook.id)).await?).await?;
        Ok(true)
    }

    async fn change(
        self,
        operation: &'static str,
        update: UpdateBuilder,
    ) -> Result<Option<WebhookEndpoint>, StoreError> {
        let update = update.condition("attribute_exists(pk)").returning_new();
        match self.0.update(operation, update).await? {
            WriteOutcome::Written { item } => item.map(|item| item::read(WEBHOOK_ENDPOINT, item)).transpose(),
            WriteOutcome::Refused { .. } => Ok(None),
        }
    }
}

fn key(webhook: &WebhookEndpoint) -> Key {
    Key::webhook(webhook.session_id, webhook.id)
}

fn count_webhooks(session_id: Option<SessionId>, added: i32) -> UpdateBuilder {
    let key = session_id.map_or_else(Key::webhook_count, Key::change_log);
    UpdateBuilder::new(&key).add("webhook_count", added)
}

/// Returns a query of the partition that has the webhooks of a session, or those for all sessions.
fn partition(store: &Store, session_id: Option<SessionId>) -> QueryFluentBuilder {
    let query = store.client.query().table_name(&store.table).consistent_read(true);
    query.expression_attribute_values(":pk", string(webhooks_pk(session_id)))
}

/// Returns the end of the log and the webhooks that a query finds.
async fn read(query: QueryFluentBuilder) -> Result<(LogEnd, Vec<WebhookEndpoint>), StoreError> {
    let (mut end, mut webhooks) = (LogEnd::default(), Vec::new());
    let mut start = None;
    loop {
        let page = query.clone().set_exclusive_start_key(start).send();
        let output = page.await.map_err(StoreError::request("reading webhooks"))?;
        for item in output.items.unwrap_or_default() {
            if is_webhook(&item) {
                webhooks.push(item::read(WEBHOOK_ENDPOINT, item)?);
            } else {
                end = item::read("change_log", item)?;
            }
        }
        start = output.last_evaluated_key;
        if start.is_none() {
            return Ok((end, webhooks));
        }
    }
}

fn is_webhook(item: &Item) -> bool {
    Key::from_item(item).is_some_and(|key| key.webhook_id().is_some())
}
