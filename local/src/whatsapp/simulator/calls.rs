//! Calls of users.

use serde::Deserialize;

use super::{Dispatched, InboundError, Simulator, State};
use crate::whatsapp::{
    calls::{self, Call, CallRequest, CallState},
    clock::unix_now,
    graph_error::GraphError,
    phones::{Entry, MessageState, Origin, PhoneEvent},
    users::Address,
    webhook::{self, BusinessNumber},
};

/// The body of `POST /simulator/calls`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::whatsapp) struct CallCommand {
    from: String,
    name: Option<String>,
    phone_number_id: Option<String>,
}

const CALLING_DISABLED: &str = "Users cannot call the business number: enable calls with POST /{phone number ID}/settings \
    and {\"calling\": {\"status\": \"ENABLED\"}}";

/// A call of a phone, with its user.
struct Found {
    entry: Entry,
    call: Call,
    address: Address,
}

impl Simulator {
    /// Lets a user call a business number.
    pub(in crate::whatsapp) fn call(&self, command: CallCommand) -> Result<Dispatched, InboundError> {
        let address = Address::parse(&command.from).ok_or_else(|| {
            InboundError::Invalid(
                "from must be a phone number with its country code, or a business-scoped user ID".to_owned(),
            )
        })?;
        let number = match &command.phone_number_id {
            Some(id) => self.numbers.get(id).ok_or_else(|| {
                InboundError::Invalid("phoneNumberId must be the ID of a business number of this run".to_owned())
            })?,
            None => self.numbers.default_number(),
        };
        self.check_registered(&number.number)?;
        if !self.business.has_calling(&number.number.phone_number_id) {
            return Err(InboundError::Invalid(CALLING_DISABLED.to_owned()));
        }
        let state = self.state();
        let mut user = state.users.get(&address);
        user.name = command.name.or(user.name.take());
        let settings = state.phones.settings(user.key());
        settings.check_reachable().map_err(InboundError::Invalid)?;
        let shares_number = settings.shares_number && !state.faults.webhooks.bsuid_only;
        let shared_number = match &address {
            Address::Phone(number) if shares_number => Some(number.clone()),
            _ => None,
        };
        // The calls of blocked users don't arrive.
        let is_blocked = self.business.is_blocked(&number.number.phone_number_id, &user);
        let call_state = if is_blocked { CallState::Failed } else { CallState::Ringing };
        let call = Call { state: call_state, shared_number, callback_data: None };
        let (id, at) = (calls::generate_id(), unix_now());
        let content = call.webhook(&id, &user, &number.number, at);
        let body = (number.number.clone(), webhook::change(&number.number, "calls", content));
        let bodies = if is_blocked { Vec::new() } else { vec![body] };
        let entry = Entry::new(
            id.clone(),
            number.number.phone_number_id,
            Origin::Phone,
            "call".to_owned(),
            at,
            MessageState::Delivered,
            call.content(),
        );
        let events = vec![PhoneEvent::of(user.key(), entry)];
        let text = format!("call from {}", user.masked());
        let first_attempts = self.dispatch(state, bodies, vec![user], events)?;
        self.log(text);
        Ok(Dispatched { ids: vec![id], first_attempts })
    }

    /// Lets the user hang up.
    pub(in crate::whatsapp) fn hang_up(&self, id: &str) -> Result<Dispatched, InboundError> {
        let state = self.state();
        let found = state.call(id);
        let ended = found.and_then(|found| Some((found.call.state.ended(unix_now())?, found)));
        let Some((ended, found)) = ended else {
            return Err(InboundError::Invalid("The path must contain the ID of a call that has not ended".to_owned()));
        };
        let number = self.numbers.get_or_default(&found.entry.phone_number_id).number;
        let call = Call { state: ended, ..found.call };
        let user = state.users.get(&found.address);
        let body = webhook::change(&number, "calls", call.webhook(id, &user, &number, unix_now()));
        let events = vec![PhoneEvent::of(user.key(), found.entry.with_content(call.content()))];
        let first_attempts = self.dispatch(state, vec![(number, body)], Vec::new(), events)?;
        Ok(Dispatched { ids: vec![id.to_owned()], first_attempts })
    }

    /// Checks that calls are enabled for a business number.
    pub(in crate::whatsapp) fn check_calling(&self, number: &BusinessNumber) -> Result<(), GraphError> {
        let details = "Calling APIs are not enabled for this phone number.";
        let error = || GraphError::new(138_000, Some(details.to_owned()));
        self.business.has_calling(&number.phone_number_id).then_some(()).ok_or_else(error)
    }

    /// Lets the business answer or end a call to `number`.
    pub(in crate::whatsapp) fn answer_call(
        &self,
        number: &BusinessNumber,
        request: CallRequest,
    ) -> Result<(), GraphError> {
        let state = self.state();
        let found = state.call(&request.call_id).filter(|found| found.entry.phone_number_id == number.phone_number_id);
        let Some(found) = found else {
            return Err(GraphError::parameter("Param call_id is not the ID of a call to this phone number."));
        };
        let Some(changed) = found.call.state.after(request.action, unix_now()) else {
            return Err(GraphError::parameter("Param action is not possible: the call is in progress or has ended."));
        };
        let call = Call {
            state: changed,
            callback_data: request.callback_data.or(found.call.callback_data),
            shared_number: found.call.shared_number,
        };
        let user = state.users.get(&found.address);
        let mut bodies = Vec::new();
        if changed.has_ended() {
            let content = call.webhook(&request.call_id, &user, number, unix_now());
            bodies.push((number.clone(), webhook::change(number, "calls", content)));
        }
        let events = vec![PhoneEvent::of(user.key(), found.entry.with_content(call.content()))];
        // The response does not wait for the webhook.
        drop(self.dispatch(state, bodies, Vec::new(), events)?);
        Ok(())
    }
}

impl State {
    fn call(&self, id: &str) -> Option<Found> {
        let (key, entry) = self.phones.find(id)?;
        Some(Found { entry: entry.clone(), call: Call::of(&entry.content)?, address: Address::parse(key)? })
    }
}
