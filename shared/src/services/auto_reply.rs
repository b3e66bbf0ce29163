//! Auto-replies: evaluates the session's rules for each inbound message, and stores at most one reply to it.

mod dry_run;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tokio::sync::OnceCell;

pub use self::dry_run::{DryRun, DryRunError, dry_run};
use crate::{
    domain::{
        auto_reply::{
            self, ChatContext, Decision, History, InboundText, Limits, Rule, SelectedReply, SuppressionReason, Verdict,
            is_answerable,
        },
        chat::Chat,
        consent::ConsentSource,
        id::{ChatId, MessageId, SessionId},
        message::{Message, MessageStatus, Priority, Source},
        session::Session,
        system::System,
        time::Timestamp,
    },
    services::send::chain_position,
    store::{Reply, ReplyContext, ReplyOutcome, Store, StoreError},
    telemetry::{Metric, Metrics},
};

/// The maximum number of chats to process concurrently.
const MAX_CONCURRENT_CHATS: usize = 16;

/// How long to retry storing a reply while other writers change the chat.
const RETRY_BUDGET: Duration = Duration::from_secs(6);

/// How long after the contact's message a reply expires, if the number is busy or the session is paused.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// Replies to inbound messages by their sessions' rules.
#[derive(Clone, Debug)]
pub struct Responder {
    store: Store,
    system: System,
    limits: Limits,
    metrics: Metrics,
}

/// The rules of each session, read once per batch. A change applies to the next batch.
#[derive(Default)]
struct RulesBySession(Mutex<HashMap<SessionId, Arc<OnceCell<Option<SessionRules>>>>>);

struct SessionRules {
    session: Session,
    rules: Vec<Rule>,
}

impl Responder {
    /// Creates a responder.
    pub fn new(store: Store, system: System, limits: Limits) -> Self {
        Self { store, system, limits, metrics: Metrics::default() }
    }

    /// Evaluates the rules for a batch of messages, those of one chat in order. Returns each message's outcome, in any
    /// order.
    pub async fn respond<T>(&self, messages: Vec<(T, Message)>) -> Vec<(T, Result<(), StoreError>)> {
        let mut chats: BTreeMap<ChatId, Vec<(T, Message)>> = BTreeMap::new();
        for (tag, message) in messages {
            chats.entry(message.chat_id).or_default().push((tag, message));
        }
        // The stream doesn't order the messages of one transaction.
        chats.values_mut().for_each(|chat| chat.sort_by_key(|(_, message)| message.position()));
        let rules_by_session = RulesBySession::default();
        let outcomes: Vec<Vec<_>> = stream::iter(chats.into_values())
            .map(|chat| async {
                let mut outcomes = Vec::with_capacity(chat.len());
                for (tag, message) in chat {
                    outcomes.push((tag, self.respond_to(&message, &rules_by_session).await));
                }
                outcomes
            })
            .buffer_unordered(MAX_CONCURRENT_CHATS)
            .collect()
            .await;
        self.metrics.write(self.system.now());
        outcomes.into_iter().flatten().collect()
    }

    async fn respond_to(&self, message: &Message, rules_by_session: &RulesBySession) -> Result<(), StoreError> {
        if !is_answerable(message) {
            return Ok(());
        }
        let session_rules = rules_by_session.of(message.session_id);
        let session_rules = session_rules.get_or_try_init(|| self.session_rules(message.session_id)).await?;
        let Some(session_rules) = session_rules else { return Ok(()) };
        let words = session_rules.session.consent_words();
        if let Some(word) = message.body.as_deref().and_then(|text| words.find(text)) {
            let decision = word.decision(message.timestamp);
            self.store.chats().record_consent(message.chat_id, ConsentSource::Keyword, decision).await?;
            tracing::info!(chat_id = %message.chat_id, ?word, "contact consent received");
        }
        // The number may have moved to another session since.
        if session_rules.session.phone_number_id.as_ref() == Some(&message.phone_number_id)
            && session_rules.rules.iter().any(|rule| rule.enabled)
        {
            return self.reply_to(message, session_rules).await;
        }
        Ok(())
    }

    async fn session_rules(&self, session_id: SessionId) -> Result<Option<SessionRules>, StoreError> {
        let found = self.store.sessions().get_with_rules(session_id).await?;
        Ok(found.map(|(session, rules)| SessionRules { session, rules }))
    }

    /// Evaluates the rules, and stores the reply if a rule matches.
    async fn reply_to(&self, message: &Message, session_rules: &SessionRules) -> Result<(), StoreError> {
        let started = self.system.now();
        for round in 0.. {
            if round > 0 {
                self.store.pause(round).await;
            }
            let now = self.system.now();
            if now.since(started) > RETRY_BUDGET {
                break;
            }
            let Some(context) = self.store.outbox().reply_context(message.chat_id).await? else { return Ok(()) };
            let decision = self.decide(message, &context, session_rules, now);
            let Some(selected) = &decision.answer else {
                self.record_suppressed(message, &decision);
                return Ok(());
            };
            match self.store_reply(message, &context, session_rules, selected, now).await? {
                ReplyOutcome::Stored => {
                    let (message_id, rule_id) = (message.id, selected.rule.id);
                    tracing::info!(session_id = %message.session_id, %message_id, %rule_id, "auto-reply stored");
                    self.metrics.add(Metric::AutoReplies, 1);
                    return Ok(());
                }
                ReplyOutcome::Settled => return Ok(()),
                ReplyOutcome::Changed => {}
            }
        }
        Err(StoreError::Contention { operation: "storing a reply" })
    }

    fn decide<'a>(
        &self,
        message: &Message,
        context: &ReplyContext,
        session_rules: &'a SessionRules,
        now: Timestamp,
    ) -> Decision<'a> {
        let inbound = InboundText {
            kind: message.kind,
            text: message.body.as_deref(),
            written_at: message.timestamp,
            is_first: context.chat.first_inbound == Some(message.id),
        };
        let ReplyContext { chat, history } = context;
        let words = session_rules.session.consent_words();
        let context = ChatContext { chat: Some(chat), name: chat.contact_name(), history, words };
        auto_reply::decide(&session_rules.rules, &inbound, &context, self.limits, now)
    }

    async fn store_reply(
        &self,
        message: &Message,
        context: &ReplyContext,
        session_rules: &SessionRules,
        selected: &SelectedReply<'_>,
        now: Timestamp,
    ) -> Result<ReplyOutcome, StoreError> {
        let reply = reply(message, &context.chat, &session_rules.session, selected, now);
        let history: History = context.history.after(selected.rule, reply.id, &session_rules.rules, now);
        let reply = Reply {
            message: &reply,
            inbound: message.key(),
            rule_id: selected.rule.id,
            chat: &context.chat,
            last_reply: context.history.last_reply,
            history: &history,
            history_expires_at: history.expires_at(&session_rules.rules, now),
            quiet_since: now.before(self.limits.quiet),
        };
        self.store.outbox().store_reply(&reply).await
    }

    /// Logs and counts a message that a rule would have answered.
    fn record_suppressed(&self, message: &Message, decision: &Decision<'_>) {
        let Some(verdict) = decision.suppressed() else { return };
        tracing::info!(session_id = %message.session_id, message_id = %message.id, ?verdict, "auto-reply suppressed");
        self.metrics.add(metric(verdict), 1);
    }
}

impl RulesBySession {
    fn of(&self, session_id: SessionId) -> Arc<OnceCell<Option<SessionRules>>> {
        Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(session_id).or_default())
    }
}

fn metric(verdict: Verdict) -> Metric {
    match verdict {
        Verdict::Suppressed(SuppressionReason::TooOld) => Metric::SuppressedTooOld,
        Verdict::Suppressed(SuppressionReason::StopWord | SuppressionReason::OptedOut) => Metric::SuppressedOptedOut,
        Verdict::Suppressed(SuppressionReason::AnsweredByPerson) => Metric::SuppressedAnswered,
        Verdict::Suppressed(SuppressionReason::HourlyLimit) => Metric::SuppressedHourlyLimit,
        Verdict::CoolingDown { .. } => Metric::SuppressedCooldown,
        _ => Metric::AutoRepliesSuppressed,
    }
}

/// Returns the reply as a pending message, which `deliver` or a worker sends.
fn reply(inbound: &Message, chat: &Chat, session: &Session, selected: &SelectedReply<'_>, now: Timestamp) -> Message {
    let (timestamp, previous) = chain_position(Some(chat), now);
    Message {
        id: MessageId::for_reply(inbound.id),
        chat_id: chat.id,
        session_id: session.id,
        phone_number_id: inbound.phone_number_id.clone(),
        kind: selected.content.kind,
        body: selected.content.body.clone(),
        from_me: true,
        writer: None,
        status: MessageStatus::Pending,
        wamid: None,
        error: None,
        // A group's only address is its ID.
        to: Some(chat.destination().map_or_else(|| chat.remote_id.clone(), |address| address.destination())),
        timestamp,
        received_at: None,
        receive_index: 0,
        request_id: None,
        raw: None,
        content: Some(selected.content.json.to_string()),
        media: None,
        valid_until: Some(inbound.timestamp.after(LIFETIME)),
        reference: None,
        message_status: None,
        category: None,
        priority: Priority::default(),
        channel: session.channel,
        source: Some(Source::AutoReply),
        previous,
        attempts: Vec::new(),
    }
}
