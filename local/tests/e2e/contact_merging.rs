//! Random histories of a contact, replayed concurrently by two stores (with separate caches) against the embedded
//! DynamoDB. Each history must end in one chat.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    types::AttributeValue,
};
use futures_util::{StreamExt, stream};
use local::{
    Options,
    database::{Database, Storage, usage::UsageMeter},
    output::Output,
    template::Template,
};
use shared::{
    domain::{
        chat::Chat,
        id::{MessageId, SessionId},
        identity::Address,
        inbound::{Inbound, InboundBatch},
        message::{Channel, Message, MessageStatus, MessageType, Priority},
        message_key::MessageKey,
        profile::{Profile, SavedName},
        system::System,
        time::Timestamp,
    },
    store::{Outbound, SendOutcome, Store},
};

const HISTORIES: u64 = 240;
pub const NUMBER: &str = "1065";
/// When the contact of a history changes the number, in seconds since 1970.
const NUMBER_CHANGE: i64 = 1_000;

/// One input of the store, with the identifiers that WhatsApp names.
#[derive(Clone, Debug)]
enum Input {
    Message { wamid: String, identifiers: Vec<Address>, at: Timestamp },
    Identified { identifiers: Vec<Address>, at: Timestamp },
    NumberChanged { wamid: String, from: Vec<Address>, to: Vec<Address>, at: Timestamp },
    Send { to: Address },
    NameSaved { address: Address, at: Timestamp },
}

/// The inputs of one session, in a random order and with duplicates.
struct History {
    session_id: SessionId,
    inputs: Vec<Input>,
    wamids: BTreeSet<String>,
    sends: usize,
    /// The time of the last message.
    last_message_at: Timestamp,
    /// The time of the last saved name, unless the number changes: then the order decides whose name it is.
    saved_at: Option<Timestamp>,
}

/// Starts a database with a usage meter, whose access key is `test`. Returns it, a constructor of stores with separate
/// caches, a client, and the table's name.
pub async fn database(meter: UsageMeter) -> (Database, impl Fn() -> Store, Client, String) {
    let template = Template::load(&Options::default().template, &BTreeMap::new()).unwrap();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let output = Output::captured();
    let started = Database::start(listener, Storage::Memory, &template.table, &[], meter, output).await;
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let (client, table) = (Client::from_conf(config), template.table.name);
    let (store_client, name) = (client.clone(), table.clone());
    let store = move || Store::new(store_client.clone(), name.clone(), System::real());
    (started.unwrap(), store, client, table)
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
}

/// Returns all identifiers of the contact before or after the number change.
fn identifiers(rng: &mut fastrand::Rng, after: bool) -> Vec<Address> {
    let numbers = if after { ["525512345678", "5215512345678"] } else { ["5531999998888", "553199998888"] };
    let (number, user_id) = (numbers[rng.usize(..2)], if after { "MX.2" } else { "BR.1" });
    vec![Address::Phone(number.to_owned()), Address::Bsuid(user_id.to_owned()), parent_user_id(after)]
}

fn parent_user_id(after: bool) -> Address {
    Address::Bsuid(if after { "MX.ENT.2" } else { "BR.ENT.1" }.to_owned())
}

/// Returns at least `min` of the identifiers, phone numbers first.
fn subset(rng: &mut fastrand::Rng, identifiers: &[Address], min: usize) -> Vec<Address> {
    let count = rng.usize(min..=identifiers.len());
    let mut chosen = rng.choose_multiple(identifiers.iter().cloned(), count);
    chosen.sort_by_key(|address| !matches!(address, Address::Phone(_)));
    chosen
}

/// Returns the random history of a seed.
fn history(seed: u64) -> History {
    let mut rng = fastrand::Rng::with_seed(seed);
    let (changes, has_sends) = (rng.bool(), rng.bool());
    let mut inputs = Vec::new();
    let mut wamids = BTreeSet::new();
    let mut message = |identifiers: Vec<Address>, at: i64| {
        let wamid = format!("wamid.{}", wamids.len());
        wamids.insert(wamid.clone());
        Input::Message { wamid, identifiers, at: time(at) }
    };
    for after in [false, true].into_iter().take(1 + usize::from(changes)) {
        let start = if after { NUMBER_CHANGE + 1 } else { 1 };
        inputs.push(message(identifiers(&mut rng, after), start + rng.i64(0..900)));
        for _ in 0..rng.usize(2..6) {
            let all = identifiers(&mut rng, after);
            let at = start + rng.i64(0..900);
            inputs.push(match rng.u8(..5) {
                4 => Input::NameSaved { address: all[rng.usize(..3)].clone(), at: time(at) },
                0 => Input::Identified { identifiers: subset(&mut rng, &all, 2), at: time(at) },
                1 if has_sends => Input::Send { to: all[rng.usize(..3)].clone() },
                _ => message(subset(&mut rng, &all, 1), at),
            });
        }
    }
    if changes {
        let old = identifiers(&mut rng, false);
        let from = subset(&mut rng, &old[..2], 1);
        let new = identifiers(&mut rng, true);
        wamids.insert("wamid.change".to_owned());
        let to = subset(&mut rng, &new, 1);
        inputs.push(Input::NumberChanged { wamid: "wamid.change".to_owned(), from, to, at: time(NUMBER_CHANGE) });
    }
    let sends = inputs.iter().filter(|input| matches!(input, Input::Send { .. })).count();
    let time_of = |input: &Input| match input {
        Input::Message { at, .. } | Input::NumberChanged { at, .. } => Some(*at),
        _ => None,
    };
    let last_message_at = inputs.iter().filter_map(time_of).max().unwrap();
    let saved = inputs.iter().filter_map(|input| match input {
        Input::NameSaved { at, .. } => Some(*at),
        _ => None,
    });
    let saved_at = saved.max().filter(|_| !changes);
    for input in inputs.clone() {
        if !matches!(input, Input::Send { .. }) && rng.bool() {
            inputs.push(input);
        }
    }
    rng.shuffle(&mut inputs);
    let session_id = SessionId::for_owner(&format!("history {seed}"));
    History { session_id, inputs, wamids, sends, last_message_at, saved_at }
}

/// Stores a contact's message.
pub async fn receive(store: &Store, session_id: SessionId, wamid: &str, identifiers: &[Address], at: Timestamp) {
    let message = Inbound {
        wamid: format!("{session_id}{wamid}"),
        has_wamid: true,
        timestamp: at,
        kind: MessageType::Text,
        body: Some(wamid.to_owned()),
        content: None,
        raw: "{}".to_owned(),
        from_me: false,
        writer: None,
        status: MessageStatus::Received,
        action: None,
        ours: None,
        opens_window: true,
        has_referral: false,
        index: 0,
        is_redated: false,
        call: None,
    };
    let batch = InboundBatch {
        session_id,
        phone_number_id: NUMBER.to_owned(),
        addresses: identifiers.to_vec(),
        profile: Profile { name: None, username: Some(at.to_string()) },
        may_be_copy: false,
        source: None,
        received_at: None,
        is_import: false,
        request_id: None,
        messages: vec![message],
    };
    store.messages().receive(batch).await.unwrap();
}

/// Stores a message to send and returns its key.
pub async fn send(store: &Store, session_id: SessionId, to: &Address) -> MessageKey {
    let system = System::real();
    for round in 0.. {
        let context = store.outbox().send_context(session_id, &to.identity(), None).await.unwrap();
        let last = context.chat.as_ref().and_then(|chat| MessageKey::linked(chat.id, chat.last_outbound.as_deref()?));
        let message = Message {
            id: MessageId::from_uuid(system.ordered_uuid()),
            chat_id: context.chat_id,
            session_id,
            phone_number_id: NUMBER.to_owned(),
            kind: MessageType::Text,
            body: Some("out".to_owned()),
            from_me: true,
            writer: None,
            status: MessageStatus::Pending,
            wamid: None,
            error: None,
            to: None,
            timestamp: system.now(),
            received_at: None,
            receive_index: 0,
            request_id: Some("M7CMgGR1uRqBew0=".to_owned()),
            raw: None,
            content: None,
            media: None,
            valid_until: None,
            reference: None,
            message_status: None,
            channel: Channel::CloudApi,
            source: None,
            previous: last.map(|last| last.link_from(context.chat_id)),
            category: None,
            priority: Priority::default(),
            attempts: Vec::new(),
        };
        let new = || {
            let chat = Chat::new(context.chat_id, session_id, to, "out".to_owned(), message.timestamp);
            Chat { saved_name: context.saved_name.clone(), ..chat }
        };
        let chat = context.chat.clone().unwrap_or_else(new).after_send(&message);
        let chat = Chat { last_outbound: Some(message.key().link_from(chat.id)), ..chat };
        let (known, alias_write) = (context.chat.as_ref(), context.alias_write.as_ref());
        let outbound = Outbound {
            message: &message,
            chat: &chat,
            known,
            alias_write,
            saved_name: context.saved_name.as_ref(),
            is_paused: false,
            idempotency: None,
        };
        match store.outbox().store(&outbound).await.unwrap() {
            SendOutcome::Stored => return message.key(),
            SendOutcome::Changed => store.pause(round).await,
            SendOutcome::Replayed(_) => panic!("the send has no idempotency key"),
        }
    }
    unreachable!("the loop has no end")
}

async fn apply(store: &Store, session_id: SessionId, input: Input) {
    match input {
        Input::Message { wamid, identifiers, at } => receive(store, session_id, &wamid, &identifiers, at).await,
        Input::Identified { identifiers, at } => {
            store.chats().record_addresses(session_id, &identifiers, at).await.unwrap()
        }
        Input::NumberChanged { wamid, from, to, at } => {
            receive(store, session_id, &wamid, &from, at).await;
            store.chats().move_contact(session_id, &from, &to, at).await.unwrap();
        }
        Input::Send { to } => {
            send(store, session_id, &to).await;
        }
        Input::NameSaved { address, at } => {
            let saved = SavedName { name: Some(at.to_string()), at };
            store.chats().save_name(session_id, &[address], &saved).await.unwrap();
        }
    }
}

/// Returns the items of each session.
async fn items(client: &Client, table: &str) -> HashMap<String, Vec<HashMap<String, AttributeValue>>> {
    let mut sessions: HashMap<String, Vec<_>> = HashMap::new();
    let mut pages = client.scan().table_name(table).consistent_read(true).into_paginator().items().send();
    while let Some(item) = pages.next().await {
        let item = item.unwrap();
        sessions.entry(text(&item, "session_id")).or_default().push(item);
    }
    sessions
}

fn text(item: &HashMap<String, AttributeValue>, name: &str) -> String {
    item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_history_ends_in_one_chat_without_loss_or_duplicates() {
    let (database, store, client, table) = database(UsageMeter::default()).await;
    let histories: Vec<History> = (0..HISTORIES).map(history).collect();
    stream::iter(&histories)
        .for_each_concurrent(4, |history| {
            let stores = [store(), store()];
            async move {
                stream::iter(history.inputs.iter().cloned().enumerate())
                    .for_each_concurrent(4, |(index, input)| apply(&stores[index % 2], history.session_id, input))
                    .await;
            }
        })
        .await;
    let sessions = items(&client, &table).await;
    let mut merged = 0;
    for (seed, history) in histories.iter().enumerate() {
        let items = &sessions[&history.session_id.to_string()];
        let of = |entity: &'static str| items.iter().filter(move |item| text(item, "entity") == entity);
        let open: Vec<_> = of("chat").filter(|chat| !chat.contains_key("merged_into")).collect();
        assert_eq!(open.len(), 1, "seed {seed}: {:#?} {items:#?}", history.inputs);
        merged += of("chat").count() - 1;
        let chat = open[0];
        let entries = chat.get("merged").and_then(|merged| merged.as_l().ok()).into_iter().flatten();
        let mut partitions: BTreeSet<String> = entries.map(|entry| text(entry.as_m().unwrap(), "chat_id")).collect();
        let id = |chat| text(chat, "pk").trim_start_matches("CHAT#").to_owned();
        partitions.insert(id(chat));
        assert_eq!(partitions, of("chat").map(id).collect(), "seed {seed}");
        let inbound: Vec<String> = of("message")
            .filter(|item| item["from_me"] == AttributeValue::Bool(false))
            .map(|item| text(item, "wamid").replace(&history.session_id.to_string(), ""))
            .collect();
        assert_eq!(inbound.len(), history.wamids.len(), "seed {seed}: a message is lost or duplicated");
        assert_eq!(inbound.into_iter().collect::<BTreeSet<_>>(), history.wamids, "seed {seed}");
        assert_eq!(of("message").count(), history.wamids.len() + history.sends, "seed {seed}");
        assert_eq!(text(chat, "username"), history.last_message_at.to_string(), "seed {seed}: not the newest username");
        if let Some(saved_at) = history.saved_at {
            let saved = chat.get("saved_name").unwrap_or_else(|| panic!("seed {seed}: no saved name")).as_m().unwrap();
            assert_eq!(text(saved, "name"), saved_at.to_string(), "seed {seed}: not the newest saved name");
        }
        if history.sends == 0 {
            assert_eq!(chat["unread_count"], AttributeValue::N(history.wamids.len().to_string()), "seed {seed}");
        }
    }
    println!("{HISTORIES} histories, {merged} merges");
    assert!(merged > 0);
    database.stop().await;
}
