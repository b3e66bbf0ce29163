//! Responding: what the stream brings of customers' messages is put to the rules, and answered at most once.

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
    domain::auto_reply::{
        self, ChatContext, ConsentWord, Decision, History, InboundText, Limits, Rule, SelectedReply, SuppressionReason,
        Verdict, answerable,
    },
    domain::chat::Chat,
    domain::id::{ChatId, MessageId, SessionId},
    domain::message::{Message, MessageStatus, Source},
    domain::session::Session,
    domain::system::System,
    domain::time::Timestamp,
    services::send::place_in_chain,
    store::{Reply, ReplyContext, ReplyOutcome, Store, StoreError},
    telemetry::{Metric, Metrics},
};

/// Chats that are worked on at once; the messages of one chat go one after the other.
const PARALLEL: usize = 16;

/// How long a reply is decided anew because other writers of the same chat got somewhere first.
const RETRY_BUDGET: Duration = Duration::from_secs(6);

/// How long after the customer's message a reply is still sent, when the number is busy or its session paused.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// Answers messages by the rules of their sessions.
#[derive(Clone, Debug)]
pub struct Responder {
    store: Store,
    system: System,
    limits: Limits,
    metrics: Metrics,
}

/// Each session with its rules, read once for a batch: a rule that has just been changed counts for the next one.
#[derive(Default)]
struct RulesBySession(Mutex<HashMap<SessionId, Arc<OnceCell<Option<SessionRules>>>>>);

struct SessionRules {
    session: Session,
    rules: Vec<Rule>,
}

impl Responder {
    /// A responder that answers into `store`.
    pub fn new(store: Store, system: System, limits: Limits) -> Self {
        Self { store, system, limits, metrics: Metrics::default() }
    }

    /// Puts a batch of messages to the rules, those of one chat in their order. The outcome of each, in no order.
    pub async fn respond<T>(&self, messages: Vec<(T, Message)>) -> Vec<(T, Result<(), StoreError>)> {
        let mut chats: BTreeMap<ChatId, Vec<(T, Message)>> = BTreeMap::new();
        for (tag, message) in messages {
            chats.entry(message.chat_id).or_default().push((tag, message));
        }
        let rules_by_session = RulesBySession::default();
        let outcomes: Vec<Vec<_>> = stream::iter(chats.into_values())
            .map(|chat| async {
                let mut outcomes = Vec::with_capacity(chat.len());
                for (tag, message) in chat {
                    outcomes.push((tag, self.respond_to(&message, &rules_by_session).await));
                }
                outcomes
            })
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        self.metrics.write(self.system.now());
        outcomes.into_iter().flatten().collect()
    }

    async fn respond_to(&self, message: &Message, rules_by_session: &RulesBySession) -> Result<(), StoreError> {
        if !answerable(message) {
            return Ok(());
        }
        if let Some(word) = message.body.as_deref().and_then(ConsentWord::read) {
            self.store.chats().set_consent(message.chat_id, word, message.timestamp).await?;
            tracing::info!(chat_id = %message.chat_id, ?word, "a contact said whether he wants automatic replies");
        }
        let session_rules = rules_by_session.of(message.session_id);
        let session_rules = session_rules.get_or_try_init(|| self.session_rules(message.session_id)).await?;
        // A number that has gone to another session is not this one's to answer from.
        let session_rules = session_rules
            .as_ref()
            .filter(|book| book.session.phone_number_id.as_ref() == Some(&message.phone_number_id));
        match session_rules {
            Some(session_rules) if session_rules.rules.iter().any(|rule| rule.enabled) => {
                self.answer(message, session_rules).await
            }
            _ => Ok(()),
        }
    }

    async fn session_rules(&self, session_id: SessionId) -> Result<Option<SessionRules>, StoreError> {
        let found = self.store.sessions().get_with_rules(session_id).await?;
        Ok(found.map(|(session, rules)| SessionRules { session, rules }))
    }

    async fn answer(&self, message: &Message, session_rules: &SessionRules) -> Result<(), StoreError> {
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
            let Some(answer) = &decision.answer else {
                self.note_suppressed(message, &decision);
                return Ok(());
            };
            match self.store_answer(message, &context, session_rules, answer, now).await? {
                ReplyOutcome::Stored => {
                    let (message_id, rule_id) = (message.id, answer.rule.id);
                    tracing::info!(session_id = %message.session_id, %message_id, %rule_id, "a rule answered a message");
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
            is_first: context.chat.first_inbound == Some(message.key().sort_key()),
        };
        let ReplyContext { chat, history } = context;
        let context = ChatContext { chat: Some(chat), name: &chat.name, history };
        auto_reply::decide(&session_rules.rules, &inbound, &context, self.limits, now)
    }

    async fn store_answer(
        &self,
        message: &Message,
        context: &ReplyContext,
        session_rules: &SessionRules,
        answer: &SelectedReply<'_>,
        now: Timestamp,
    ) -> Result<ReplyOutcome, StoreError> {
        let reply = reply(message, &context.chat, &session_rules.session, answer, now);
        let history: History = context.history.after(answer.rule, reply.id, &session_rules.rules, now);
        let reply = Reply {
            message: &reply,
            inbound: message.key(),
            rule_id: answer.rule.id,
            chat: &context.chat,
            last_reply: context.history.last_reply,
            history: &history,
            history_expires_at: history.expires_at(&session_rules.rules, now),
            quiet_since: now.before(self.limits.quiet),
        };
        self.store.outbox().store_reply(&reply).await
    }

    fn note_suppressed(&self, message: &Message, decision: &Decision<'_>) {
        let Some(verdict) = decision.suppressed() else { return };
        tracing::info!(session_id = %message.session_id, message_id = %message.id, ?verdict, "no rule may answer a message");
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

/// The reply as it is stored: a pending message like any other, which `deliver` or a worker takes.
fn reply(inbound: &Message, chat: &Chat, session: &Session, answer: &SelectedReply<'_>, now: Timestamp) -> Message {
    let (timestamp, previous) = place_in_chain(Some(chat), now);
    Message {
        id: MessageId::for_reply(inbound.id),
        chat_id: chat.id,
        session_id: session.id,
        phone_number_id: inbound.phone_number_id.clone(),
        kind: answer.content.kind,
        body: answer.content.body.clone(),
        from_me: true,
        status: MessageStatus::Pending,
        wamid: None,
        error: None,
        // A group has no other address than the one that the chat is called by.
        to: Some(chat.destination().unwrap_or(&chat.remote_id).to_owned()),
        timestamp,
        raw: None,
        content: Some(answer.content.json.to_string()),
        valid_until: Some(inbound.timestamp.after(LIFETIME)),
        channel: session.channel,
        source: Some(Source::AutoReply),
        previous,
        attempts: Vec::new(),
    }
}
