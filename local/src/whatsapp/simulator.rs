//! The state of the simulated WhatsApp and what changes it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{
    Settings, WhatsAppError,
    clock::{now, unix_now},
    dispatcher::{Attempt, Counts, Courier},
    faults::{Faults, FaultsChange, SendOutcome},
    graph::Version,
    graph_error::GraphError,
    inbound::{self, Inbound},
    journal::{Accepted, Journal, JournalError, ReadReceipt, Record, Recovered, Webhook},
    numbers::{Line, Lines},
    send::Message,
    status::{Content, Outcome},
    users::{Address, People, Person},
    wamid::{self, Direction},
    webhook::{self, Number},
};
use crate::console::{Console, Kind};

/// The simulated WhatsApp: business numbers, and every user in the world.
pub(super) struct Simulator {
    pub(super) lines: Arc<Lines>,
    pub(super) newest_version: Version,
    pub(super) shutdown: CancellationToken,
    console: Console,
    courier: Courier,
    journal: Journal,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    people: People,
    accepted: Vec<Accepted>,
    read: Vec<ReadReceipt>,
    faults: Faults,
    /// When each number and user id last wrote, in Unix seconds.
    written: HashMap<String, i64>,
    last_webhook_id: u64,
}

/// How long after a customer's message anything may be sent to him (Meta: "Customer service windows"), in seconds.
const WINDOW: i64 = 24 * 60 * 60;

/// Over 24 hours since the customer last wrote (Meta: "Error codes").
const RE_ENGAGEMENT: u32 = 131_047;

/// Webhooks on their way to the business.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) ids: Vec<String>,
    /// The first attempts; `None` while webhooks are held, because it may take for ever.
    pub(super) first_attempts: Option<oneshot::Receiver<Vec<Attempt>>>,
}

/// Why customers' messages were not sent.
#[derive(Debug)]
pub(super) enum InboundError {
    /// They are wrong: the sentence says how.
    Wrong(String),
    /// They could not be kept.
    Journal(JournalError),
}

impl Simulator {
    /// Opens the journal and goes on with the webhooks that an earlier run could not deliver.
    pub(super) fn start(
        settings: Settings,
        console: Console,
        shutdown: CancellationToken,
    ) -> Result<Simulator, WhatsAppError> {
        let newest_version = Version::parse(&settings.graph_api_version)
            .ok_or(WhatsAppError::GraphApiVersion(settings.graph_api_version))?;
        let (journal, recovered) = match &settings.journal {
            Some(path) => Journal::open(path)?,
            None => (Journal::default(), Recovered::default()),
        };
        let number = Number {
            waba_id: settings.waba_id,
            phone_number_id: settings.phone_number_id,
            display_phone_number: settings.display_phone_number,
        };
        let own = Line { number, app_secret: settings.app_secret, access_token: settings.access_token };
        let lines = Arc::new(Lines::new(own));
        let courier = Courier::new(
            settings.webhook_url,
            settings.added_headers,
            Arc::clone(&lines),
            journal.clone(),
            console.clone(),
            shutdown.clone(),
        )?;
        if !recovered.pending.is_empty() {
            let text = format!("{} undelivered webhooks of the last run are sent again", recovered.pending.len());
            console.line(Kind::WhatsApp, text);
            drop(courier.dispatch(vec![recovered.pending]));
        }
        let state = State {
            people: recovered.people,
            accepted: recovered.accepted,
            read: recovered.read,
            faults: Faults::default(),
            written: HashMap::new(),
            last_webhook_id: recovered.last_webhook_id,
        };
        Ok(Simulator { lines, newest_version, shutdown, console, courier, journal, state: Mutex::new(state) })
    }

    /// What the send that has just come suffers.
    pub(super) fn next_send(&self) -> SendOutcome {
        self.state().faults.next_send()
    }

    /// Accepts a message of `number`, keeps it, and sends its statuses: `failed` with that code, or
    /// all of them. Gives its id.
    pub(super) fn accept(
        &self,
        number: &Number,
        message: Message,
        failed: Option<u32>,
    ) -> Result<String, JournalError> {
        let mut state = self.state();
        let id = wamid::fresh(message.recipient.as_str(), Direction::Outbound);
        let person = state.people.get(&message.recipient);
        let outcome = Outcome {
            wamid: &id,
            kind: &message.kind,
            recipient: &message.recipient,
            person: &person,
            callback_data: message.callback_data.as_deref(),
            at: unix_now(),
        };
        let is_open = state.written.get(message.recipient.as_str()).is_some_and(|at| unix_now() - at < WINDOW);
        let refused = state.faults.window && !is_open && message.kind != "template";
        let failed = failed.or(refused.then_some(RE_ENGAGEMENT));
        let faults = state.faults.webhooks.clone();
        let contents = match failed {
            Some(code) => vec![outcome.failed(code, &faults)],
            None => outcome.read_at_once(&faults),
        };
        let bodies = contents.into_iter().map(|content| webhook::body(number, content)).collect();
        let steps = state.queue(bodies);
        let text = format!("accepted: {} message for {}", message.kind, message.recipient.masked());
        let (to, recipient) = match message.recipient {
            Address::Phone(_) => (Some(message.input), None),
            Address::UserId(_) => (None, Some(message.input)),
        };
        let accepted = Accepted {
            id: id.clone(),
            to,
            recipient,
            kind: message.kind,
            body: message.body,
            accepted_at: format!("{:.6}", now()),
            callback_data: message.callback_data,
        };
        let webhooks = steps.concat();
        self.journal.append(&Record::Accepted { message: accepted.clone(), webhooks })?;
        state.accepted.push(accepted);
        drop(state);
        self.console.line(Kind::WhatsApp, text);
        // The answer does not wait for the statuses, which may well come before it.
        drop(self.courier.dispatch(steps));
        Ok(id)
    }

    /// Keeps a read receipt. It is for a message of a customer, not for one of the business.
    pub(super) fn accept_read_receipt(&self, message_id: String) -> Result<(), GraphError> {
        let mut state = self.state();
        if state.accepted.iter().any(|accepted| accepted.id == message_id) {
            return Err(GraphError::new(131_009, Some("message_id is not a message that was received".to_owned())));
        }
        let receipt = ReadReceipt { message_id, accepted_at: format!("{:.6}", now()) };
        self.journal.append(&Record::Read { receipt: receipt.clone() }).map_err(|error| {
            self.problem(format!("a read receipt was refused: {}", error.explain()));
            GraphError::new(131_000, None)
        })?;
        state.read.push(receipt);
        drop(state);
        self.note("accepted: read receipt");
        Ok(())
    }

    /// Customers write to `number`, all in one webhook.
    pub(super) fn receive(&self, number: &Number, requests: Vec<Value>) -> Result<Sending, InboundError> {
        let mut state = self.state();
        let now = unix_now();
        let mut messages: Vec<Inbound> = Vec::with_capacity(requests.len());
        for request in requests {
            messages.push(inbound::parse(request, &state.people, now).map_err(InboundError::Wrong)?);
        }
        for Inbound { person, at, .. } in &messages {
            for name in person.wa_id.iter().chain([&person.user_id]) {
                let last = state.written.entry(name.clone()).or_insert(*at);
                *last = (*last).max(*at);
            }
        }
        let content: Content = inbound::content(&messages, state.faults.webhooks.bsuid_only);
        let body = webhook::body(number, content);
        let people = messages.iter().map(|inbound| inbound.person.clone()).collect();
        let first_attempts = self.send(state, body, people).map_err(InboundError::Journal)?;
        match messages.as_slice() {
            [inbound] => self.note(format!("written by {}", inbound.person.masked())),
            _ => self.note(format!("{} messages written by customers", messages.len())),
        }
        Ok(Sending { ids: messages.into_iter().map(|inbound| inbound.id).collect(), first_attempts })
    }

    /// Sends a webhook body as it is, apart from the encoding.
    pub(super) fn send_raw(&self, body: &str) -> Result<Sending, JournalError> {
        let first_attempts = self.send(self.state(), webhook::escape_non_ascii(body), Vec::new())?;
        Ok(Sending { ids: Vec::new(), first_attempts })
    }

    fn send(
        &self,
        mut state: MutexGuard<'_, State>,
        body: String,
        people: Vec<Person>,
    ) -> Result<Option<oneshot::Receiver<Vec<Attempt>>>, JournalError> {
        let steps = state.queue(vec![body]);
        self.journal.append(&Record::Inbound { people: people.clone(), webhooks: steps.concat() })?;
        people.iter().for_each(|person| state.people.learn(person));
        let held = state.faults.webhooks.hold;
        drop(state);
        let first_attempts = self.courier.dispatch(steps);
        Ok((!held).then_some(first_attempts))
    }

    /// The messages accepted so far, oldest first, without the first `from`.
    pub(super) fn accepted(&self, from: usize) -> Vec<Accepted> {
        self.state().accepted.get(from..).unwrap_or_default().to_vec()
    }

    /// The read receipts so far, oldest first.
    pub(super) fn read_receipts(&self) -> Vec<ReadReceipt> {
        self.state().read.clone()
    }

    pub(super) fn webhook_counts(&self) -> Counts {
        self.courier.counts()
    }

    pub(super) fn faults(&self) -> Faults {
        self.state().faults.clone()
    }

    /// Changes the faults, or says in a sentence why not.
    pub(super) fn change_faults(&self, change: FaultsChange) -> Result<Faults, String> {
        let mut state = self.state();
        state.faults.change(change)?;
        // Under the lock, so that two changes at once cannot leave the courier with the older one.
        self.courier.hold(state.faults.webhooks.hold);
        Ok(state.faults.clone())
    }

    /// Ends all faults and lets held webhooks go.
    pub(super) fn clear_faults(&self) -> Faults {
        let mut state = self.state();
        state.faults = Faults::default();
        self.courier.hold(false);
        state.faults.clone()
    }

    /// Tells of something that went wrong.
    pub(super) fn problem(&self, text: impl AsRef<str>) {
        self.console.line(Kind::Problem, text);
    }

    /// Tells of something that happened.
    pub(super) fn note(&self, text: impl AsRef<str>) {
        self.console.line(Kind::WhatsApp, text);
    }

    /// Waits for the deliveries to end, after the shutdown has been asked for.
    pub(super) async fn stopped(&self) {
        self.courier.stopped().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Gives every body its webhook, and each its duplicates: one step of a delivery per body.
    fn queue(&mut self, bodies: Vec<String>) -> Vec<Vec<Webhook>> {
        let copies = 1 + self.faults.webhooks.duplicates;
        let queued_at = unix_now();
        bodies
            .into_iter()
            .map(|body| {
                let copy = |_| {
                    self.last_webhook_id += 1;
                    Webhook { id: self.last_webhook_id, body: body.clone(), queued_at }
                };
                (0..copies).map(copy).collect()
            })
            .collect()
    }
}
