//! Commands of the control API for the phones of users.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Dispatched, InboundError, Simulator, State};
use crate::whatsapp::{
    clock::unix_now,
    faults::present,
    phones::{AutomaticTicks, Conversation, Entry, MessageState, Origin, Page, PhoneEvent, PhoneSettings},
    status::MessageStatuses,
    users::{Address, User},
    webhook::{self, BusinessNumber},
};

/// A user and their phone, in the format of `GET /simulator/phones/{number}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::whatsapp) struct Phone {
    number: Option<String>,
    user_id: String,
    name: Option<String>,
    username: Option<String>,
    #[serde(flatten)]
    settings: PhoneSettings,
    conversations: Vec<Chat>,
}

/// A conversation with the name and the number of the business.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Chat {
    name: String,
    display_phone_number: String,
    #[serde(flatten)]
    conversation: Conversation,
}

/// The body of `PATCH /simulator/phones/{number}`. Absent members keep their value. `null` removes a name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::whatsapp) struct PhoneUpdate {
    user_id: Option<String>,
    #[serde(default, deserialize_with = "present")]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    username: Option<Option<String>>,
    on_whats_app: Option<bool>,
    online: Option<bool>,
    blocked: Option<bool>,
    read_receipts: Option<bool>,
    shares_number: Option<bool>,
    automatic_ticks: Option<AutomaticTicks>,
}

/// The body of `POST /simulator/phones/{number}/ticks`: how far messages get.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::whatsapp) struct TickCommand {
    status: Tick,
    /// The message. Without it, the command applies to all messages that can change so.
    message_id: Option<String>,
    /// The conversation. Without it, the command applies to all.
    phone_number_id: Option<String>,
    /// Meta's code, for `failed`.
    error_code: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tick {
    Sent,
    Delivered,
    Read,
    Played,
    Failed,
}

impl Simulator {
    /// Returns up to `limit` phones after the one with the key `after`.
    pub(in crate::whatsapp) fn phones(&self, after: &str, limit: usize) -> Vec<Phone> {
        let state = self.state();
        let keys = state.phones.keys(after, limit).into_iter();
        keys.filter_map(|key| Some(self.phone_of(&state, &Address::parse(&key)?))).collect()
    }

    pub(in crate::whatsapp) fn phone(&self, address: &Address) -> Phone {
        self.phone_of(&self.state(), address)
    }

    fn phone_of(&self, state: &State, address: &Address) -> Phone {
        let user = state.users.get(address);
        let settings = state.phones.settings(user.key());
        let conversations = state.phones.conversations(user.key(), unix_now()).into_iter();
        let chat = |conversation: Conversation| Chat {
            name: self.business.verified_name(&conversation.phone_number_id),
            display_phone_number: self
                .numbers
                .get_or_default(&conversation.phone_number_id)
                .number
                .display_phone_number,
            conversation,
        };
        let conversations = conversations.map(chat).collect();
        let User { wa_id: number, user_id, name, username } = user;
        Phone { number, user_id, name, username, settings, conversations }
    }

    /// Changes a phone. Messages that it lets advance get their ticks.
    pub(in crate::whatsapp) fn change_phone(
        &self,
        address: &Address,
        update: PhoneUpdate,
    ) -> Result<Phone, InboundError> {
        let state = self.state();
        let mut user = state.users.get(address);
        let settings = state.phones.settings(user.key());
        let settings = update.apply(&mut user, settings).map_err(InboundError::Invalid)?;
        let due = state.phones.due(user.key(), settings);
        let mut changes = self.advance(&state, &user, settings, due);
        changes.events.push(PhoneEvent::settings(user.key(), settings));
        drop(self.dispatch(state, changes.webhooks, vec![user], changes.events)?);
        Ok(self.phone(address))
    }

    /// Gives messages a tick. Returns the IDs of the changed messages.
    pub(in crate::whatsapp) fn tick(
        &self,
        address: &Address,
        command: &TickCommand,
    ) -> Result<Dispatched, InboundError> {
        let state = self.state();
        let user = state.users.get(address);
        let settings = state.phones.settings(user.key());
        let to = command.state().map_err(InboundError::Invalid)?;
        if to.is_on_phone() {
            settings.check_reachable().map_err(InboundError::Invalid)?;
        }
        let entries = state.phones.entries(user.key()).iter();
        let due: Vec<_> = entries
            .filter(|entry| command.selects(entry) && allows(entry, to))
            .map(|entry| (entry.clone(), to))
            .collect();
        if let Some(id) = &command.message_id
            && due.is_empty()
        {
            let entry = state.phones.find(id).filter(|(key, entry)| *key == user.key() && command.selects(entry));
            let problem = match entry {
                Some((_, entry)) => format!("The message is {}: it cannot become {}", entry.state.name(), to.name()),
                None => "messageId must be the ID of a message that this phone got from the business".to_owned(),
            };
            return Err(InboundError::Invalid(problem));
        }
        let changes = self.advance(&state, &user, settings, due);
        let ids = changes.events.iter().filter_map(PhoneEvent::message_id).collect();
        let first_attempts = self.dispatch(state, changes.webhooks, Vec::new(), changes.events)?;
        Ok(Dispatched { ids, first_attempts })
    }

    /// Returns the changes of a phone after a cursor. Waits up to `wait` for the first one.
    pub(in crate::whatsapp) async fn feed(&self, address: &Address, after: u64, limit: usize, wait: Duration) -> Page {
        let mut changed = self.phones_changed.subscribe();
        let deadline = Instant::now() + wait;
        loop {
            let page = {
                let state = self.state();
                state.phones.page(state.users.get(address).key(), after, limit)
            };
            if page.cursor != after {
                return page;
            }
            let is_over = tokio::select! {
                changed = changed.changed() => changed.is_err(),
                () = tokio::time::sleep_until(deadline) => true,
            };
            if is_over {
                return page;
            }
        }
    }

    /// Returns the changes that advance messages of a user to new states.
    pub(super) fn advance(
        &self,
        state: &State,
        user: &User,
        settings: PhoneSettings,
        due: Vec<(Entry, MessageState)>,
    ) -> Changes {
        let mut changes = Changes { events: Vec::new(), webhooks: Vec::new() };
        for (entry, to) in due {
            let Origin::Business { recipient, callback_data } = &entry.origin else { continue };
            let Some(reported) = settings.reported(Some(entry.state), to) else { continue };
            let number = self.numbers.get_or_default(&entry.phone_number_id).number;
            let statuses = MessageStatuses {
                wamid: &entry.id,
                kind: &entry.kind,
                recipient,
                user,
                callback_data: callback_data.as_deref(),
                at: unix_now(),
                failure: None,
            };
            let contents = statuses.webhooks(&reported, &state.faults.webhooks).into_iter();
            changes.webhooks.extend(contents.map(|content| (number.clone(), webhook::body(&number, content))));
            changes.events.push(PhoneEvent::of(user.key(), entry.with_state(to)));
        }
        changes
    }

    /// Applies changes of phones and notifies those who wait for them.
    pub(super) fn apply(&self, state: &mut State, events: Vec<PhoneEvent>) {
        events.into_iter().for_each(|event| state.phones.apply(event));
        self.phones_changed.send_replace(());
    }
}

/// Changes of messages and the webhooks that report them.
pub(super) struct Changes {
    pub(super) events: Vec<PhoneEvent>,
    pub(super) webhooks: Vec<(BusinessNumber, String)>,
}

/// Returns whether a message can get a tick. Only voice messages are played (Meta, *status messages webhook*).
fn allows(entry: &Entry, to: MessageState) -> bool {
    let is_playable = to != MessageState::Played || entry.kind == "audio";
    is_playable && MessageState::statuses(Some(entry.state), to).is_some()
}

impl PhoneUpdate {
    /// Changes the user. Returns the changed settings.
    fn apply(self, user: &mut User, settings: PhoneSettings) -> Result<PhoneSettings, String> {
        if let Some(user_id) = self.user_id {
            let Some(Address::UserId(user_id)) = Address::user_id(&user_id) else {
                return Err("userId must be a business-scoped user ID, such as US.13491208655302741918".to_owned());
            };
            if user.wa_id.is_none() && user.user_id != user_id {
                return Err("userId cannot change: the number of this phone is unknown".to_owned());
            }
            user.user_id = user_id;
        }
        user.name = self.name.unwrap_or(user.name.take());
        user.username = self.username.unwrap_or(user.username.take());
        Ok(PhoneSettings {
            on_whats_app: self.on_whats_app.unwrap_or(settings.on_whats_app),
            online: self.online.unwrap_or(settings.online),
            blocked: self.blocked.unwrap_or(settings.blocked),
            read_receipts: self.read_receipts.unwrap_or(settings.read_receipts),
            shares_number: self.shares_number.unwrap_or(settings.shares_number),
            automatic_ticks: self.automatic_ticks.unwrap_or(settings.automatic_ticks),
        })
    }
}

impl TickCommand {
    fn state(&self) -> Result<MessageState, String> {
        match (self.status, self.error_code) {
            (Tick::Failed, Some(code)) => Ok(MessageState::Failed(code)),
            (Tick::Failed, None) => {
                Err("errorCode is required for failed: set it to Meta's code, such as 131049".to_owned())
            }
            (_, Some(_)) => Err("errorCode is only for failed: remove it".to_owned()),
            (Tick::Sent, None) => Ok(MessageState::Sent),
            (Tick::Delivered, None) => Ok(MessageState::Delivered),
            (Tick::Read, None) => Ok(MessageState::Read),
            (Tick::Played, None) => Ok(MessageState::Played),
        }
    }

    fn selects(&self, entry: &Entry) -> bool {
        entry.is_of_business()
            && self.message_id.as_ref().is_none_or(|id| *id == entry.id)
            && self.phone_number_id.as_ref().is_none_or(|id| *id == entry.phone_number_id)
    }
}
