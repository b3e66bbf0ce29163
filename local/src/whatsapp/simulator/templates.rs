//! Held messages of templates.

use super::Simulator;
use crate::whatsapp::{
    journal::JournalError,
    phones::MessageState,
    send::OutboundMessage,
    templates::{MessageStatus, Template, TemplateStatus},
    users::Address,
    webhook::BusinessNumber,
};

/// The template of a held message was paused (Meta, *Template pacing*).
const PAUSED_CODE: u32 = 132_015;

impl Simulator {
    /// Returns the `message_status` of a message with a template.
    pub(super) fn message_status(&self, number: &BusinessNumber, message: &OutboundMessage) -> Option<MessageStatus> {
        let content = message.body.get("template").filter(|_| message.kind == "template")?;
        self.templates.read(|templates| {
            let sent = templates.of(&number.waba_id).find(|template| template.is_of(content))?;
            Some(sent.message_status)
        })
    }

    /// Delivers the held messages of a template that accepts messages, or fails those of a paused one (Meta, *Template
    /// pacing*).
    pub(in crate::whatsapp) fn settle_held(&self, template: &Template) -> Result<(), JournalError> {
        let state = self.state();
        let is_paused = template.status == TemplateStatus::Paused;
        let (mut bodies, mut events) = (Vec::new(), Vec::new());
        for address in state.phones.keys("", usize::MAX).iter().filter_map(|key| Address::parse(key)) {
            let user = state.users.get(&address);
            let settings = state.phones.settings(user.key());
            let to = if is_paused { MessageState::Failed(PAUSED_CODE) } else { settings.reach() };
            let entries = state.phones.entries(user.key()).iter();
            let held = entries.filter(|entry| {
                entry.state == MessageState::Held
                    && entry.content.get("template").is_some_and(|sent| template.is_of(sent))
            });
            let due = held.map(|entry| (entry.clone(), to)).collect();
            let changes = self.advance(&state, &user, settings, due);
            bodies.extend(changes.webhooks);
            events.extend(changes.events);
        }
        drop(self.dispatch(state, bodies, Vec::new(), events)?);
        Ok(())
    }
}
