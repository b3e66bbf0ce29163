//! The state of the simulated WhatsApp and its transitions.

pub(super) mod calls;
pub(super) mod phones;
mod templates;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Map, Value, json};
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    Settings, WhatsAppError,
    apps::{self, App, Callback},
    business::{self, AddedNumber, Business, registration::Registration},
    clock::{now, random, unix_now},
    dispatcher::{DeliveryAttempt, WebhookCounts, WebhookDispatcher, http_client},
    faults::{Faults, FaultsUpdate, MediaOutcome, MediaRequest, SendOutcome},
    graph::{GraphVersion, UploadSessions},
    graph_error::GraphError,
    inbound::{self, InboundMessage},
    journal::{AcceptedMessage, Journal, JournalEntry, JournalError, ReadReceipt, Recovered, Webhook},
    limits::{DEFAULT_THROUGHPUT, Limits, Refused},
    media::{Media, MediaStore, references},
    numbers::{NumberChange, Numbers, RegisteredNumber},
    phones::{self as phone, Entry, MessageState, Origin, PhoneEvent, Phones},
    registry::Registry,
    send::{OutboundMessage, ReadReceiptRequest},
    service_windows::{Opening, ServiceWindows},
    status::{MessageStatuses, ValueMembers},
    targets::{self, Conversation},
    templates::{AccountUpdate, MessageStatus, Templates},
    users::{Address, User, Users},
    wamid::{self, Direction},
    webhook::{self, BusinessNumber},
};
use crate::{
    error_chain,
    output::{Kind, Output},
};

/// The simulated WhatsApp with its business numbers and users.
pub(super) struct Simulator {
    pub(super) numbers: Arc<Numbers>,
    pub(super) apps: Arc<Registry<apps::State>>,
    pub(super) media: MediaStore,
    pub(super) uploads: UploadSessions,
    pub(super) business: Business,
    /// Verifies webhook URLs.
    pub(super) client: reqwest::Client,
    pub(super) templates: Registry<Templates>,
    pub(super) latest_version: GraphVersion,
    /// The URL of this simulator.
    pub(super) url: String,
    output: Output,
    dispatcher: WebhookDispatcher,
    journal: Journal,
    state: Mutex<State>,
    /// Notified when a phone changes.
    phones_changed: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    users: Users,
    accepted: Vec<AcceptedMessage>,
    read_receipts: Vec<ReadReceipt>,
    phones: Phones,
    faults: Faults,
    limits: Limits,
    windows: ServiceWindows,
    last_webhook_id: u64,
}

/// More than 24 hours have passed since the customer's last message (Meta, *Error codes*).
const RE_ENGAGEMENT_CODE: u32 = 131_047;

/// WhatsApp cannot use the media of a message (Meta, *Error codes*).
const MEDIA_ERROR_CODE: u32 = 131_053;

/// What happens to an accepted message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is delivered and read.
    Delivered,
    /// It fails with this code.
    Failed(u32),
    /// It fails for this reason, which its file gives.
    MediaError(String),
    /// It is held back: no status follows by itself.
    Held,
}

/// An accepted message.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) id: String,
    /// The `message_status` of a message with a template.
    pub(super) message_status: Option<MessageStatus>,
}

/// Webhooks queued for delivery.
#[derive(Debug)]
pub(super) struct Dispatched {
    pub(super) ids: Vec<String>,
    /// The first attempts; `None` while webhooks are held or delayed.
    pub(super) first_attempts: Option<oneshot::Receiver<Vec<DeliveryAttempt>>>,
}

/// An error receiving customer messages.
#[derive(Debug)]
pub(super) enum InboundError {
    /// A message is invalid. The sentence describes the problem.
    Invalid(String),
    /// The messages cannot be stored.
    Journal(JournalError),
}

impl From<JournalError> for InboundError {
    fn from(error: JournalError) -> InboundError {
        InboundError::Journal(error)
    }
}

impl Simulator {
    /// Opens the journal and resumes the webhooks that an earlier run did not deliver.
    pub(super) fn start(
        settings: Settings,
        output: Output,
        shutdown: CancellationToken,
    ) -> Result<Simulator, WhatsAppError> {
        let latest_version = GraphVersion::parse(&settings.graph_api_version)
            .ok_or(WhatsAppError::GraphApiVersion(settings.graph_api_version))?;
        let (journal, recovered) = match &settings.journal {
            Some(path) => Journal::open(path)?,
            None => (Journal::default(), Recovered::default()),
        };
        let folder = settings.journal.as_ref().map(|path| path.with_file_name("whatsapp-media"));
        let media = MediaStore::open(folder, unix_now()).map_err(WhatsAppError::Media)?;
        let number = BusinessNumber {
            waba_id: settings.waba_id,
            phone_number_id: settings.phone_number_id,
            display_phone_number: settings.display_phone_number,
        };
        let qasid = App {
            id: apps::DEFAULT_APP_ID.to_owned(),
            name: "Qasid".to_owned(),
            secret: settings.app_secret,
            access_token: settings.access_token,
            callback: Some(Callback { url: settings.webhook_url.clone(), verify_token: settings.verify_token }),
        };
        let bot = App {
            id: apps::BOT_APP_ID.to_owned(),
            name: "Bot".to_owned(),
            secret: settings.bot.app_secret,
            access_token: settings.bot.access_token,
            callback: None,
        };
        let apps = Arc::new(apps::open(&journal, &recovered, &number.waba_id, qasid, bot)?);
        let templates = Registry::open("templates", &journal, &recovered, Templates::new(&number.waba_id))?;
        let app_id = apps::DEFAULT_APP_ID.to_owned();
        let throughput = settings.throughput;
        let numbers = Arc::new(Numbers::new(RegisteredNumber { number, app_id, throughput }));
        let business = Business::open(&journal, &recovered)?;
        for (waba_id, mut number) in business.added_numbers() {
            // The apps of an earlier run's added numbers don't exist anymore.
            if !apps.read(|apps| apps.app(&number.app_id).is_some()) {
                number.app_id = apps::DEFAULT_APP_ID.to_owned();
            }
            numbers.add(registered_number(&waba_id, number, throughput));
        }
        let dispatcher = WebhookDispatcher::new(
            settings.webhook_url,
            settings.added_headers,
            Arc::clone(&numbers),
            Arc::clone(&apps),
            journal.clone(),
            output.clone(),
            shutdown,
        )?;
        if !recovered.pending.is_empty() {
            let text = format!("resuming {} undelivered webhooks of the last run", recovered.pending.len());
            output.line(Kind::WhatsApp, text);
            drop(dispatcher.dispatch(vec![recovered.pending], Duration::ZERO));
        }
        let state = State {
            users: recovered.users,
            accepted: recovered.accepted,
            read_receipts: recovered.read_receipts,
            phones: recovered.phones,
            faults: Faults::default(),
            limits: Limits::default(),
            windows: recovered.windows,
            last_webhook_id: recovered.last_webhook_id,
        };
        Ok(Simulator {
            numbers,
            apps,
            media,
            uploads: UploadSessions::default(),
            business,
            client: http_client()?,
            templates,
            latest_version,
            url: settings.url,
            output,
            dispatcher,
            journal,
            state: Mutex::new(state),
            phones_changed: watch::Sender::new(()),
        })
    }

    /// Returns the app of an access token.
    pub(super) fn authenticate(&self, token: Option<&str>) -> Result<App, GraphError> {
        let app = token.and_then(|token| self.apps.read(|apps| apps.find_by_token(token).cloned()));
        app.ok_or_else(|| GraphError::new(190, None))
    }

    /// Returns the file with this ID, if it exists and has not expired.
    pub(super) fn find_media(&self, id: &str) -> Option<Media> {
        self.media.get(id, unix_now()).unwrap_or_else(|error| {
            self.problem(format!("file not read: {error}"));
            None
        })
    }

    /// Returns whether an app can access a business number.
    pub(super) fn has_access(&self, app: &App, number: &RegisteredNumber) -> bool {
        self.apps.read(|apps| apps.has_access(app, &number.app_id))
    }

    /// Returns whether an app can access the file of a business number.
    pub(super) fn can_access_media(&self, app: &App, media: &Media) -> bool {
        self.has_access(app, &self.numbers.get_or_default(&media.phone_number_id))
    }

    /// Returns the numbers that an app can access, in the order of their IDs after the default number.
    pub(super) fn accessible_numbers(&self, app: &App) -> Vec<RegisteredNumber> {
        let mut numbers = self.numbers.all();
        numbers.retain(|number| self.has_access(app, number));
        numbers
    }

    /// Returns the IDs of the accounts with numbers that an app can access.
    pub(super) fn accessible_accounts(&self, app: &App) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        for RegisteredNumber { number, .. } in self.accessible_numbers(app) {
            if !ids.contains(&number.waba_id) {
                ids.push(number.waba_id);
            }
        }
        ids
    }

    /// Returns a URL that downloads the file for the next 5 minutes.
    pub(super) fn download_url(&self, media: &Media) -> String {
        media.download_url(&self.url, unix_now())
    }

    /// Checks the files that a message refers to. Returns the reason why WhatsApp cannot deliver one of them.
    ///
    /// # Errors
    /// Returns Meta's error if the sender has no file with an ID.
    pub(super) fn check_media(
        &self,
        sender: &BusinessNumber,
        message: &OutboundMessage,
    ) -> Result<Option<String>, GraphError> {
        let mut problem = None;
        for reference in references(&message.kind, &message.body) {
            let media = self.find_media(&reference.id);
            let Some(media) = media.filter(|media| media.phone_number_id == sender.phone_number_id) else {
                return Err(GraphError::parameter(&format!(
                    "Param {} is not a valid whatsapp business account media attachment ID",
                    reference.parameter
                )));
            };
            problem = problem.or_else(|| media.delivery_error(reference.kind));
        }
        Ok(problem)
    }

    /// Adds a number to an account, which must be verified and registered before it can be used. Returns its ID.
    pub(super) fn add_number(
        &self,
        waba_id: &str,
        app_id: &str,
        display_phone_number: String,
        verified_name: String,
    ) -> Result<String, JournalError> {
        let phone_number_id = format!("1{:014}", random().as_u128() % 10_u128.pow(14));
        let added =
            AddedNumber { phone_number_id: phone_number_id.clone(), display_phone_number, app_id: app_id.to_owned() };
        business::change(&self.business.numbers, &phone_number_id, |state| {
            state.verified_name = Some(verified_name);
            state.registration = Registration::of_new_number();
            Ok::<_, JournalError>(())
        })?;
        business::change(&self.business.accounts, waba_id, |state| {
            state.numbers.push(added.clone());
            Ok::<_, JournalError>(())
        })?;
        self.numbers.add(registered_number(waba_id, added, DEFAULT_THROUGHPUT));
        Ok(phone_number_id)
    }

    /// Returns the user with this address.
    pub(super) fn user(&self, address: &Address) -> User {
        self.state().users.get(address)
    }

    /// Returns whether a user has written to a number or called it in the last 24 hours.
    pub(super) fn wrote_recently(&self, phone_number_id: &str, address: &Address) -> bool {
        let state = self.state();
        state.windows.is_open(phone_number_id, &state.users.get(address), unix_now())
    }

    /// Adds or changes a business number, and the credentials of its app.
    pub(super) fn change_number(&self, change: NumberChange) -> Result<(), JournalError> {
        let default = self.numbers.default_number();
        let registered = change.phone_number_id.as_ref().map_or(default.clone(), |id| self.numbers.get_or_default(id));
        let mut app_id = registered.app_id.clone();
        if change.app_secret.is_some() || change.access_token.is_some() {
            let is_default = registered.number.phone_number_id == default.number.phone_number_id;
            let (secret, token) = (change.app_secret.clone(), change.access_token.clone());
            app_id = self
                .apps
                .change(|apps| Ok::<_, JournalError>(apps.set_credentials(&registered, is_default, secret, token)))?;
        }
        self.numbers.change(&change, registered, app_id);
        Ok(())
    }

    /// Returns the outcome of the next message.
    pub(super) fn next_send(&self) -> SendOutcome {
        self.state().faults.next_send()
    }

    /// Returns the outcome of the next request for a file.
    pub(super) fn next_media(&self, request: MediaRequest) -> MediaOutcome {
        self.state().faults.media.next(request)
    }

    /// Returns the outcome of the next read receipt.
    pub(super) fn next_read_receipt(&self) -> SendOutcome {
        self.state().faults.next_read_receipt()
    }

    /// Counts a send towards the limits of the number and of its pair with the recipient.
    ///
    /// # Errors
    /// Returns Meta's error if a limit is reached.
    pub(super) fn limit_send(&self, sender: &RegisteredNumber, recipient: &Address) -> Result<(), GraphError> {
        let mut state = self.state();
        let user = state.users.get(recipient);
        state.limits.send(&sender.number.phone_number_id, sender.throughput, &user.user_id, Instant::now())
    }

    /// Returns the numbers of sends that the limits refused.
    pub(super) fn refused(&self) -> Refused {
        self.state().limits.refused()
    }

    /// Refuses a reply to a message that the conversation doesn't have.
    pub(super) fn check_reply(&self, number: &BusinessNumber, message: &OutboundMessage) -> Result<(), GraphError> {
        let state = self.state();
        let user = state.users.get(&message.recipient);
        state.conversation(number, &user).check_reply(message)
    }

    /// Accepts a message of `number`, stores it, and sends the statuses of its fate. Holds a message that its template
    /// holds back.
    pub(super) fn accept(
        &self,
        number: &BusinessNumber,
        message: OutboundMessage,
        fate: Fate,
    ) -> Result<Accepted, JournalError> {
        let mut state = self.state();
        // Read while the state is locked: a later change of the template finds the message in `settle_held`.
        let message_status = self.message_status(number, &message);
        let fate = match (fate, message_status) {
            (
                Fate::Delivered | Fate::MediaError(_),
                Some(MessageStatus::HeldForQualityAssessment | MessageStatus::Paused),
            ) => Fate::Held,
            (fate, _) => fate,
        };
        let id = wamid::generate(message.recipient.as_str(), Direction::Outbound);
        let user = state.users.get(&message.recipient);
        let fate = match (fate, state.conversation(number, &user).reaction_failure(&message, unix_now())) {
            (Fate::Delivered | Fate::Held, Some(code)) => Fate::Failed(code),
            (fate, _) => fate,
        };
        let mut statuses = MessageStatuses {
            wamid: &id,
            kind: &message.kind,
            recipient: &message.recipient,
            user: &user,
            callback_data: message.callback_data.as_deref(),
            at: unix_now(),
            failure: None,
        };
        let needs_window = state.faults.window && message.kind != "template";
        let is_open = !needs_window || state.windows.is_open(&number.phone_number_id, &user, unix_now());
        let fate = if is_open || matches!(fate, Fate::Failed(_)) { fate } else { Fate::Failed(RE_ENGAGEMENT_CODE) };
        let faults = state.faults.webhooks.clone();
        let settings = state.phones.settings(user.key());
        let reached = match &fate {
            Fate::Failed(code) => MessageState::Failed(*code),
            Fate::MediaError(details) => {
                statuses.failure = Some(details);
                MessageState::Failed(MEDIA_ERROR_CODE)
            }
            Fate::Delivered => settings.reach(),
            Fate::Held => MessageState::Held,
        };
        let contents = statuses.webhooks(&settings.reported(None, reached).unwrap_or_default(), &faults);
        let bodies = contents.into_iter().map(|content| webhook::body(number, content)).collect();
        let groups = state.queue(&self.subscribed(number), bodies);
        let mut text = format!("accepted: {} message for {}", message.kind, message.recipient.masked());
        if !is_open {
            text += ", which fails with code 131047: the customer service window is closed";
        }
        let entry = Entry::new(
            id.clone(),
            number.phone_number_id.clone(),
            Origin::Business { recipient: message.recipient.clone(), callback_data: message.callback_data.clone() },
            message.kind.clone(),
            unix_now(),
            reached,
            self.shown(number, &message),
        );
        let phones = vec![PhoneEvent::of(user.key(), entry)];
        let (to, recipient) = match message.recipient {
            Address::Phone(_) => (Some(message.input), None),
            Address::UserId(_) => (None, Some(message.input)),
        };
        let accepted = AcceptedMessage {
            id: id.clone(),
            to,
            recipient,
            kind: message.kind,
            body: message.body,
            accepted_at: format!("{:.6}", now()),
            callback_data: message.callback_data,
        };
        let webhooks = groups.concat();
        self.journal.append(&JournalEntry::Accepted { message: accepted.clone(), webhooks, phones: phones.clone() })?;
        state.accepted.push(accepted);
        self.apply(&mut state, phones);
        drop(state);
        self.output.line(Kind::WhatsApp, text);
        // The response does not wait for the statuses, which may arrive first.
        drop(self.dispatcher.dispatch(groups, faults.delay()));
        Ok(Accepted { id, message_status })
    }

    /// Returns the content of a message as a phone shows it.
    fn shown(&self, number: &BusinessNumber, message: &OutboundMessage) -> Map<String, Value> {
        let mut content = phone::content(&message.kind, &message.body);
        let rendered = content
            .get("template")
            .and_then(|template| self.templates.read(|templates| templates.render(&number.waba_id, template)));
        if let Some(rendered) = rendered {
            content.insert("rendered".to_owned(), json!(rendered));
        }
        content
    }

    /// Stores a read receipt. Refuses a receipt for a message that `number` did not receive.
    pub(super) fn accept_read_receipt(
        &self,
        number: &BusinessNumber,
        request: ReadReceiptRequest,
    ) -> Result<(), GraphError> {
        let ReadReceiptRequest { message_id, typing_indicator } = request;
        let mut state = self.state();
        targets::check_received(&state.phones, number, &message_id)?;
        let mut phones = state.phones.read_by_business(&message_id);
        if typing_indicator {
            phones.extend(state.phones.typing(&message_id, unix_now()));
        }
        let receipt = ReadReceipt { message_id, typing_indicator, accepted_at: format!("{:.6}", now()) };
        let entry = JournalEntry::Read { receipt: receipt.clone(), phones: phones.clone() };
        self.journal.append(&entry).map_err(|error| {
            self.problem(format!("read receipt not accepted: {}", error_chain(&error)));
            GraphError::new(131_000, None)
        })?;
        state.read_receipts.push(receipt);
        self.apply(&mut state, phones);
        drop(state);
        self.log(if typing_indicator { "accepted: typing indicator" } else { "accepted: read receipt" });
        Ok(())
    }

    /// Receives customer messages to `number` and sends them in one webhook.
    pub(super) fn receive(&self, number: &BusinessNumber, requests: Vec<Value>) -> Result<Dispatched, InboundError> {
        let state = self.state();
        let now = unix_now();
        let mut messages: Vec<InboundMessage> = Vec::with_capacity(requests.len());
        for request in requests {
            let parsed = inbound::parse(request, &state.users, &state.phones, number, now);
            messages.push(parsed.map_err(InboundError::Invalid)?);
        }
        let phone_number_id = &number.phone_number_id;
        self.check_registered(number)?;
        let ids = messages.iter().map(|inbound| inbound.id.clone()).collect();
        let users = messages.iter().map(|inbound| inbound.user.clone()).collect();
        // The messages of blocked users don't arrive: their phones show one tick.
        let is_blocked = |inbound: &InboundMessage| self.business.is_blocked(phone_number_id, &inbound.user);
        let entry = |inbound: &InboundMessage| {
            let state = if is_blocked(inbound) { MessageState::Sent } else { MessageState::Delivered };
            PhoneEvent::of(inbound.user.key(), inbound.entry(number, state))
        };
        let phones = messages.iter().map(entry).collect();
        messages.retain(|inbound| !is_blocked(inbound));
        let mut bodies = Vec::new();
        if !messages.is_empty() {
            let content: ValueMembers = inbound::content(&messages, state.faults.webhooks.bsuid_only);
            bodies.push((number.clone(), webhook::body(number, content)));
        }
        let first_attempts = self.dispatch(state, bodies, users, phones)?;
        match messages.as_slice() {
            [] => self.log("message from a blocked user"),
            [inbound] => self.log(format!("message from {}", inbound.user.masked())),
            _ => self.log(format!("{} messages from customers", messages.len())),
        }
        Ok(Dispatched { ids, first_attempts })
    }

    /// Checks that users can reach a business number.
    fn check_registered(&self, number: &BusinessNumber) -> Result<(), InboundError> {
        let id = &number.phone_number_id;
        let problem =
            || InboundError::Invalid(format!("The business number {id} is not registered with the Cloud API"));
        self.business.is_registered(id).then_some(()).ok_or_else(problem)
    }

    /// Sends a webhook body unchanged, except for the encoding. Its messages appear on the phones of their senders.
    pub(super) fn send_raw(&self, body: &str) -> Result<Dispatched, JournalError> {
        let apps = match self.numbers.of_webhook(body) {
            Some(registered) => self.subscribed(&registered.number),
            None => self.subscribed_to_account(&self.numbers.default_number().number.waba_id),
        };
        let bodies = vec![(apps, webhook::escape(body))];
        let state = self.state();
        let (users, phones) = inbound::of_webhook(body, &state.users, unix_now()).into_iter().unzip();
        let first_attempts = self.dispatch_to_apps(state, bodies, users, phones)?;
        Ok(Dispatched { ids: Vec::new(), first_attempts })
    }

    /// Returns the IDs of the apps that get the webhooks of a number.
    fn subscribed(&self, number: &BusinessNumber) -> Vec<String> {
        let BusinessNumber { waba_id, phone_number_id, .. } = number;
        let owner = self.numbers.get_or_default(phone_number_id).app_id;
        self.apps.read(|apps| {
            let subscribed = apps.subscriptions(waba_id).map(|subscription| &subscription.app_id);
            let reached = subscribed.filter(|app_id| {
                apps::gets_webhooks_of(app_id, &owner) && apps.destination(app_id, waba_id, phone_number_id).is_some()
            });
            reached.cloned().collect()
        })
    }

    /// Returns the IDs of the apps that get the webhooks of an account, which belongs to the default app.
    fn subscribed_to_account(&self, waba_id: &str) -> Vec<String> {
        self.apps.read(|apps| {
            let subscribed = apps.subscriptions(waba_id).map(|subscription| &subscription.app_id);
            let reached = subscribed.filter(|app_id| {
                apps::gets_webhooks_of(app_id, apps::DEFAULT_APP_ID)
                    && apps.app(app_id).is_some_and(|app| app.callback.is_some())
            });
            reached.cloned().collect()
        })
    }

    /// Sends a webhook about an account.
    pub(super) fn notify(&self, update: &AccountUpdate) -> Result<(), JournalError> {
        let body = webhook::account_body(update, unix_now());
        let apps = self.subscribed_to_account(&update.waba_id);
        self.dispatch_to_apps(self.state(), vec![(apps, body)], Vec::new(), Vec::new())?;
        self.log(format!("webhook: {}", update.field));
        Ok(())
    }

    /// Stores changes of users and phones with the webhooks of numbers, and delivers the webhooks one after the other.
    fn dispatch(
        &self,
        state: MutexGuard<'_, State>,
        bodies: Vec<(BusinessNumber, String)>,
        users: Vec<User>,
        phones: Vec<PhoneEvent>,
    ) -> Result<Option<oneshot::Receiver<Vec<DeliveryAttempt>>>, JournalError> {
        let bodies = bodies.into_iter().map(|(number, body)| (self.subscribed(&number), body)).collect();
        self.dispatch_to_apps(state, bodies, users, phones)
    }

    /// Does the same with webhooks and the IDs of the apps that get them.
    fn dispatch_to_apps(
        &self,
        mut state: MutexGuard<'_, State>,
        bodies: Vec<(Vec<String>, String)>,
        users: Vec<User>,
        phones: Vec<PhoneEvent>,
    ) -> Result<Option<oneshot::Receiver<Vec<DeliveryAttempt>>>, JournalError> {
        let phones = [state.phones.merges(&users), phones].concat();
        let mut groups = Vec::new();
        let mut windows = Vec::new();
        for (apps, body) in bodies {
            windows.extend(Opening::all(&body, unix_now()));
            groups.extend(state.queue(&apps, vec![body]));
        }
        self.journal.append(&JournalEntry::Inbound {
            users: users.clone(),
            windows: windows.clone(),
            webhooks: groups.concat(),
            phones: phones.clone(),
        })?;
        windows.into_iter().for_each(|opening| state.windows.open(opening));
        users.iter().for_each(|user| state.users.remember(user));
        self.apply(&mut state, phones);
        let (held, delay) = (state.faults.webhooks.hold, state.faults.webhooks.delay());
        drop(state);
        let first_attempts = self.dispatcher.dispatch(groups, delay);
        Ok((!held && delay.is_zero()).then_some(first_attempts))
    }

    /// Returns the accepted messages, oldest first, without the first `from`.
    pub(super) fn accepted(&self, from: usize) -> Vec<AcceptedMessage> {
        self.state().accepted.get(from..).unwrap_or_default().to_vec()
    }

    /// Returns the read receipts, oldest first.
    pub(super) fn read_receipts(&self) -> Vec<ReadReceipt> {
        self.state().read_receipts.clone()
    }

    pub(super) fn webhook_counts(&self) -> WebhookCounts {
        self.dispatcher.counts()
    }

    pub(super) fn faults(&self) -> Faults {
        self.state().faults.clone()
    }

    /// Changes the faults.
    ///
    /// # Errors
    /// Returns a sentence that describes the problem.
    pub(super) fn change_faults(&self, change: FaultsUpdate) -> Result<Faults, String> {
        let mut state = self.state();
        state.faults.change(change)?;
        // Under the lock, so that concurrent changes reach the dispatcher in order.
        self.dispatcher.hold(state.faults.webhooks.hold);
        Ok(state.faults.clone())
    }

    /// Clears all faults and releases held webhooks.
    pub(super) fn clear_faults(&self) -> Faults {
        let mut state = self.state();
        state.faults = Faults::default();
        self.dispatcher.hold(false);
        state.faults.clone()
    }

    /// Reports a problem on the output.
    pub(super) fn problem(&self, text: impl AsRef<str>) {
        self.output.line(Kind::Problem, text);
    }

    /// Reports an event on the output.
    pub(super) fn log(&self, text: impl AsRef<str>) {
        self.output.line(Kind::WhatsApp, text);
    }

    /// Waits for the deliveries to end after shutdown was requested.
    pub(super) async fn wait_until_stopped(&self) {
        self.dispatcher.wait_until_stopped().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn registered_number(waba_id: &str, added: AddedNumber, throughput: u32) -> RegisteredNumber {
    let AddedNumber { phone_number_id, display_phone_number, app_id } = added;
    let number = BusinessNumber { waba_id: waba_id.to_owned(), phone_number_id, display_phone_number };
    RegisteredNumber { number, app_id, throughput }
}

impl State {
    fn conversation<'a>(&'a self, number: &'a BusinessNumber, user: &'a User) -> Conversation<'a> {
        Conversation { phones: &self.phones, number, user }
    }

    /// Creates a group of webhooks for each body: one for each of the apps, and the duplicates.
    fn queue(&mut self, apps: &[String], bodies: Vec<String>) -> Vec<Vec<Webhook>> {
        let copies = 1 + self.faults.webhooks.duplicates;
        let queued_at = unix_now();
        let mut webhook = |app_id: &String, body: &String| {
            self.last_webhook_id += 1;
            Webhook { id: self.last_webhook_id, app_id: app_id.clone(), body: body.clone(), queued_at }
        };
        let mut group = |body: String| {
            let apps = (0..copies).flat_map(|_| apps);
            apps.map(|app_id| webhook(app_id, &body)).collect()
        };
        bodies.into_iter().map(&mut group).collect()
    }
}
