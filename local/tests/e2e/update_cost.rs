//! The cost of statuses and message actions, for messages that are stored and for those that never will be.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use local::database::{
    Database,
    usage::{Usage, UsageMeter},
};
use serde_json::{Value, json};
use shared::{
    domain::{
        id::{ChatId, MessageId, SessionId},
        identity::Address,
        message::Receipt,
        message_action::{ActionKind, MessageAction},
        message_key::MessageKey,
        pairing_decision::PairingPolicy,
        system::System,
        time::Timestamp,
    },
    services::{credentials::WebhookApp, receive::Receiver},
    store::{Applied, Store, keys::Key},
};

use crate::{
    contact_merging::{NUMBER, database, receive, send},
    test_app::merge,
};

const WAMID: &str = "wamid.HBgMMjAxMDAxMjM0NTY3FQIAERgSQzM1QkI0QTUzQkRGRkY2OUI3AA==";

/// A table with a receiver of webhooks.
struct Fixture {
    database: Database,
    store: Store,
    receiver: Receiver,
    client: Client,
    table: String,
    meter: UsageMeter,
    session_id: SessionId,
    contact: Address,
}

impl Fixture {
    async fn start() -> Self {
        let meter = UsageMeter::default();
        let (database, store, client, table) = database(meter.clone()).await;
        let store = store();
        let receiver = Receiver::new(store.clone(), System::real(), None, PairingPolicy::default());
        let (session_id, contact) = (SessionId::for_owner("ada"), Address::Phone("201001234567".to_owned()));
        Self { database, store, receiver, client, table, meter, session_id, contact }
    }

    fn take_usage(&self) -> Usage {
        self.meter.take("test")
    }

    /// Stores a message that WhatsApp has accepted.
    async fn send(&self) -> MessageKey {
        let key = send(&self.store, self.session_id, &self.contact).await;
        let Key { pk, sk } = Key::message(&key);
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let update = self.client.update_item().table_name(&self.table);
        let update = update.key("pk", AttributeValue::S(pk)).key("sk", AttributeValue::S(sk));
        let settled = "SET #status = :sent, status_rank = :rank, accepted_at = :now, wamid = :wamid, \
             wamid_key = :key REMOVE due_key, due_at";
        update
            .update_expression(settled)
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":sent", text("sent"))
            .expression_attribute_values(":rank", AttributeValue::N("30".to_owned()))
            .expression_attribute_values(":now", text("2026-11-26T12:00:00.500Z"))
            .expression_attribute_values(":wamid", text(WAMID))
            .expression_attribute_values(":key", text(&MessageId::for_inbound(NUMBER, WAMID).to_string()))
            .send()
            .await
            .unwrap();
        key
    }

    /// Delivers a status and returns the usage of it.
    async fn status(&self, status: &str, key: Option<&MessageKey>) -> Usage {
        self.status_with(status, key, &json!({})).await
    }

    /// Delivers a status for a group's participant.
    async fn participant_status(&self, status: &str, key: &MessageKey, participant: &str) -> Usage {
        self.status_with(status, Some(key), &json!({"recipient_participant_id": participant})).await
    }

    /// Delivers a status that has these members too.
    async fn status_with(&self, status: &str, key: Option<&MessageKey>, members: &Value) -> Usage {
        let pricing = json!({"billable": false, "pricing_model": "PMP", "category": "service"});
        let update = json!({"id": WAMID, "status": status, "timestamp": "1750030073", "pricing": pricing});
        let mut update = merge(update, members);
        if let Some(key) = key {
            update["biz_opaque_callback_data"] = json!(key.to_string());
        }
        self.take_usage();
        self.deliver(json!({"statuses": [update]})).await;
        self.take_usage()
    }

    async fn deliver(&self, mut value: Value) {
        value["metadata"] = json!({"phone_number_id": NUMBER});
        let body = json!({"entry": [{"changes": [{"field": "messages", "value": value}]}]});
        self.receiver.receive(body.to_string().as_bytes(), &WebhookApp::Deployment, "M7CMgGR1uRqBew0=").await.unwrap();
    }

    /// Returns the items of this kind.
    async fn items(&self, entity: &str) -> Vec<HashMap<String, AttributeValue>> {
        let mut items = self.client.scan().table_name(&self.table).send().await.unwrap().items.unwrap();
        items.retain(|item| item["entity"] == AttributeValue::S(entity.to_owned()));
        items
    }

    /// Rechecks the only early update of a kind, and returns its outcome and usage.
    async fn recheck(&self, entity: &str) -> (Option<Applied>, Usage) {
        let items = self.items(entity).await;
        let [item] = &items[..] else { panic!("{items:?}") };
        assert!(item.contains_key("due_at"), "{item:?}");
        let key = Key::from_item(item).unwrap();
        self.take_usage();
        let applied = self.store.messages().recheck_early_update(&key).await.unwrap();
        let usage = self.take_usage();
        let items = self.items(entity).await;
        assert!(!items[0].contains_key("due_at") && !items[0].contains_key("due_key"), "{items:?}");
        (applied, usage)
    }
}

fn usage(read_units: f64, write_units: f64, operations: &[(&str, u64)]) -> Usage {
    let requests = operations.iter().map(|(_, count)| count).sum();
    let operations: BTreeMap<String, u64> =
        operations.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    Usage { requests, read_units, write_units, operations }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_found_by_id_and_by_wamid_with_one_request() {
    let fixture = Fixture::start().await;
    let messages = fixture.store.messages();
    receive(&fixture.store, fixture.session_id, "w.1", std::slice::from_ref(&fixture.contact), Timestamp::MIN).await;
    let wamid = format!("{}w.1", fixture.session_id);
    let inbound = messages.find_by_wamid(NUMBER, &wamid).await.unwrap().unwrap();
    assert_eq!(inbound.message_id, MessageId::for_inbound(NUMBER, &wamid));
    assert!(fixture.items("message").await.iter().all(|item| !item.contains_key("id")), "a second index entry");
    let outbound = fixture.send().await;
    for (key, wamid) in [(inbound, wamid.as_str()), (outbound, WAMID)] {
        fixture.take_usage();
        assert_eq!(messages.find_by_id(key.message_id).await.unwrap(), Some(key));
        assert_eq!(messages.find_by_wamid(NUMBER, wamid).await.unwrap(), Some(key));
        assert_eq!(fixture.take_usage(), usage(1.0, 0.0, &[("Query", 2)]), "{wamid}");
    }
    let unknown = MessageId::for_reply(inbound.message_id);
    assert_eq!(messages.find_by_id(unknown).await.unwrap(), None);
    fixture.database.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sent_costs_no_write_and_later_statuses_one_each() {
    let fixture = Fixture::start().await;
    let key = fixture.send().await;
    let (read, write) = (usage(0.5, 0.0, &[("GetItem", 1)]), usage(0.0, 1.0, &[("UpdateItem", 1)]));
    for (status, expected) in [("sent", &read), ("delivered", &write), ("sent", &read), ("read", &write)] {
        assert_eq!(&fixture.status(status, Some(&key)).await, expected, "{status}");
    }
    let (message, metadata) = fixture.store.messages().get(&key).await.unwrap().unwrap();
    assert_eq!(message.status.as_str(), "read");
    let times = metadata.statuses;
    // Accepted now, and delivered earlier by WhatsApp's clock.
    assert!(times.sent_at == times.delivered_at && times.sent_at < times.accepted_at, "{times:?}");
    assert!(metadata.pricing.is_some(), "`delivered` has it too");
    fixture.database.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sent_with_a_conversation_costs_one_write() {
    let fixture = Fixture::start().await;
    let key = fixture.send().await;
    let conversation = json!({"conversation": {
        "id": "7f1d", "expiration_timestamp": "1750289273", "origin": {"type": "referral_conversion"}
    }});
    let first = fixture.status_with("sent", Some(&key), &conversation).await;
    assert_eq!(first, usage(0.5, 1.0, &[("GetItem", 1), ("UpdateItem", 1)]));
    let repeated = fixture.status_with("sent", Some(&key), &conversation).await;
    assert_eq!(repeated, usage(0.5, 0.0, &[("GetItem", 1)]));
    let (_, metadata) = fixture.store.messages().get(&key).await.unwrap().unwrap();
    assert!(metadata.conversation.unwrap().contains("1750289273"));
    fixture.database.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sent_after_delivered_gives_the_time_if_nothing_else_does() {
    let fixture = Fixture::start().await;
    let key = send(&fixture.store, fixture.session_id, &fixture.contact).await;
    fixture.status("delivered", Some(&key)).await;
    for writes in [1.0, 0.0] {
        assert_eq!(fixture.status("sent", Some(&key)).await.write_units, writes);
        let (message, metadata) = fixture.store.messages().get(&key).await.unwrap().unwrap();
        assert_eq!(message.status.as_str(), "delivered");
        assert_eq!(metadata.statuses.sent_at, Timestamp::from_seconds(1_750_030_073));
    }
    fixture.database.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_participant_of_a_group_gives_the_pricing() {
    let fixture = Fixture::start().await;
    let key = fixture.send().await;
    for (participant, writes) in [("201001111111", 2), ("201002222222", 1)] {
        let usage = fixture.participant_status("delivered", &key, participant).await;
        assert_eq!((usage.operations["GetItem"], usage.operations["UpdateItem"]), (2, writes), "{participant}");
        let (message, metadata) = fixture.store.messages().get(&key).await.unwrap().unwrap();
        assert_eq!(message.status.as_str(), "sent");
        assert!(metadata.pricing.is_some(), "{participant}");
    }
    fixture.database.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_of_another_application_costs_four_requests() {
    let fixture = Fixture::start().await;
    let stored = fixture.status("delivered", None).await;
    assert_eq!(stored, usage(0.5, 2.0, &[("PutItem", 1), ("Query", 1)]));
    let (applied, rechecked) = fixture.recheck("early_status").await;
    assert_eq!((applied, rechecked), (None, usage(0.5, 2.0, &[("Query", 1), ("UpdateItem", 1)])));
    fixture.database.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recheck_applies_a_status_that_missed_its_message() {
    let fixture = Fixture::start().await;
    fixture.status("delivered", None).await;
    fixture.send().await;
    let (applied, _) = fixture.recheck("early_status").await;
    assert_eq!(applied, Some(Applied::Moved(Receipt::Delivered)));
    fixture.database.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_of_an_erased_message_is_not_kept() {
    let fixture = Fixture::start().await;
    let chat_id = ChatId::for_identity(fixture.session_id, &fixture.contact.identity());
    let key = send(&fixture.store, fixture.session_id, &fixture.contact).await;
    let erased = MessageKey { chat_id, time: Timestamp::MIN, ..key };
    for (status, requests) in [("sent", 2), ("delivered", 1), ("failed", 1)] {
        assert_eq!(fixture.status(status, Some(&erased)).await.requests, requests, "{status}");
    }
    assert!(fixture.items("early_status").await.is_empty());
    fixture.database.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn action_on_an_unknown_message_costs_five_requests() {
    let fixture = Fixture::start().await;
    receive(&fixture.store, fixture.session_id, "w.1", std::slice::from_ref(&fixture.contact), Timestamp::MIN).await;
    let action = MessageAction {
        target: WAMID.to_owned(),
        wamid: "w.2".to_owned(),
        at: Timestamp::MIN,
        from_me: false,
        by: "contact".to_owned(),
        also_by: Vec::new(),
        kind: ActionKind::React(Some("👍".to_owned())),
    };
    let chat_id = ChatId::for_identity(fixture.session_id, &fixture.contact.identity());
    fixture.take_usage();
    fixture.store.messages().apply_or_store_action(NUMBER, action, Some(chat_id)).await.unwrap();
    let stored = fixture.take_usage();
    assert_eq!(stored, usage(0.5, 3.0, &[("PutItem", 1), ("Query", 1), ("UpdateItem", 1)]));
    let (applied, rechecked) = fixture.recheck("early_action").await;
    assert_eq!((applied, rechecked), (None, usage(0.5, 2.0, &[("Query", 1), ("UpdateItem", 1)])));
    fixture.database.stop().await;
}
