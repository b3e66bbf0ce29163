//! The chat's part of the transactions that add messages to it.

use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem, Update,
};

use super::{
    Store, StoreError,
    item::{number, string},
    keys::{Key, inbox_key, inbox_position},
    transaction::update_action,
};
use crate::{
    domain::chat::{Chat, ChatStatus, ChatType},
    domain::time::Timestamp,
};

pub(super) const CHAT: &str = "chat";
pub(super) const IDENTITY: &str = "identity";

/// Assignments of an update, gathered one by one.
#[derive(Default)]
pub(super) struct Assignments {
    set: Vec<String>,
    remove: Vec<String>,
    names: Vec<(String, String)>,
    values: Vec<(String, AttributeValue)>,
}

impl Assignments {
    /// `attribute = value`
    pub(super) fn set(&mut self, attribute: &str, value: AttributeValue) {
        self.set.push(format!("#{attribute} = :{attribute}"));
        self.bind(attribute, value);
    }

    /// `attribute = value` where the attribute is not there yet.
    pub(super) fn set_once(&mut self, attribute: &str, value: AttributeValue) {
        self.set.push(format!("#{attribute} = if_not_exists(#{attribute}, :{attribute})"));
        self.bind(attribute, value);
    }

    /// Takes the attribute away.
    pub(super) fn remove(&mut self, attribute: &str) {
        self.remove.push(format!("#{attribute}"));
        self.names.push((format!("#{attribute}"), attribute.to_owned()));
    }

    fn bind(&mut self, attribute: &str, value: AttributeValue) {
        self.names.push((format!("#{attribute}"), attribute.to_owned()));
        self.values.push((format!(":{attribute}"), value));
    }

    /// `SET … REMOVE …`
    pub(super) fn expression(&self) -> String {
        let clause = |word: &str, parts: &[String]| (!parts.is_empty()).then(|| format!("{word} {}", parts.join(", ")));
        let clauses = [clause("SET", &self.set), clause("REMOVE", &self.remove)];
        clauses.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// The names and values of the expression.
    #[allow(clippy::type_complexity, reason = "the two maps that every expression of the SDK takes")]
    pub(super) fn bindings(
        self,
    ) -> (std::collections::HashMap<String, String>, std::collections::HashMap<String, AttributeValue>) {
        (self.names.into_iter().collect(), self.values.into_iter().collect())
    }
}

/// What a batch of messages does to their chat's summary.
pub(super) struct Summary<'a> {
    /// The chat as it should be if it is new.
    pub(super) chat: &'a Chat,
    /// Inbound messages add to the unread count; a message from the business clears it.
    pub(super) unread: Unread,
    /// Whether the batch's last message is to be shown. Not when a later one is there already.
    pub(super) shows: bool,
    /// Whether an inbound message finds the chat resolved or archived, and takes it back to the inbox.
    pub(super) reopens: bool,
    /// How many chats the writer takes to be merged into this one, where that matters to him.
    pub(super) merged: Option<usize>,
    /// What must be so for the update to happen, beside that `last_message_at` does not go back.
    pub(super) expects: Expected<'a>,
}

/// What the writer takes the chat to be.
pub(super) enum Expected<'a> {
    /// Anything.
    Anything,
    /// Without anything that waits for one of its messages: see [`Store::put_early_action`].
    NoPendingAnnotation,
    /// Not there yet.
    New,
    /// There, and its last outbound message is still this one.
    LastOutbound(Option<&'a str>),
    /// The same, and nothing keeps automatic replies away: the contact wants them, and nobody of the business wrote after
    /// this time.
    Quiet(Option<&'a str>, Timestamp),
}

pub(super) enum Unread {
    Add {
        /// How many messages.
        count: usize,
        /// Whether the contact's own name came with them.
        names: bool,
    },
    /// Nothing is new to anybody: the chat stays as it is.
    Keep {
        /// Whether the contact's own name came with them.
        names: bool,
    },
    Clear,
    /// An automatic reply: nobody has looked, and nobody has written.
    Leave,
}

impl Store {
    /// The chat's update: makes it or brings it up to date, under the condition that `last_message_at` does not go back.
    pub(super) fn upsert_chat(&self, summary: &Summary<'_>) -> Result<TransactWriteItem, StoreError> {
        let chat = summary.chat;
        let mut assign = Assignments::default();
        assign.set("id", string(chat.id.to_string()));
        assign.set("entity", string(CHAT));
        assign.set("session_id", string(chat.session_id.to_string()));
        assign.set("type", string(if chat.kind == ChatType::Group { "GROUP" } else { "INDIVIDUAL" }));
        assign.set_once("remote_id", string(&chat.remote_id));
        assign.set_once("created_at", string(chat.created_at.to_string()));
        if let Some(jid) = &chat.phone_jid {
            assign.set_once("phone_jid", string(jid));
        }
        let mut add = String::new();
        // Whoever still takes a merged chat for the person's is to ask again.
        let mut conditions = vec!["attribute_not_exists(merged_into)"];
        match summary.merged {
            None => {}
            Some(0) => conditions.push("attribute_not_exists(merged)"),
            Some(count) => {
                assign.values.push((":merged_count".to_owned(), number(count)));
                conditions.push("size(merged) = :merged_count");
            }
        }
        let in_inbox = string(inbox_key(chat.session_id, ChatStatus::Inbox, chat.id.shard(self.inbox_shards)));
        match summary.unread {
            Unread::Add { names, .. } | Unread::Keep { names } => {
                // Inbound: what the contact calls himself and where he writes from is the newest there is.
                if summary.shows && names {
                    assign.set("name", string(&chat.name));
                } else {
                    assign.set_once("name", string(&chat.name));
                }
                for (attribute, value) in [("wa_id", &chat.wa_id), ("user_id", &chat.user_id)] {
                    match value {
                        Some(value) if summary.shows => assign.set(attribute, string(value)),
                        Some(value) => assign.set_once(attribute, string(value)),
                        None => {}
                    }
                }
                if let Unread::Add { count, .. } = summary.unread {
                    // An update cannot choose by what it finds, so it says what it takes for granted, and is made anew
                    // in its other form when that was wrong.
                    assign.values.push((":resolved".to_owned(), string(ChatStatus::Resolved.as_str())));
                    assign.values.push((":archived".to_owned(), string(ChatStatus::Archived.as_str())));
                    if summary.reopens {
                        assign.set("status", string(ChatStatus::Inbox.as_str()));
                        assign.set("inbox_key", in_inbox);
                        conditions.push("#status IN (:resolved, :archived)");
                    } else {
                        assign.set_once("status", string(ChatStatus::Inbox.as_str()));
                        assign.set_once("inbox_key", in_inbox);
                        conditions.push("(attribute_not_exists(#status) OR NOT #status IN (:resolved, :archived))");
                    }
                    assign.set("is_unread", AttributeValue::Bool(true));
                    assign.bind("unread_count", number(count));
                    add = " ADD #unread_count :unread_count".to_owned();
                } else {
                    assign.set_once("status", string(ChatStatus::Inbox.as_str()));
                    assign.set_once("inbox_key", in_inbox);
                    assign.set_once("is_unread", AttributeValue::Bool(false));
                    assign.set_once("unread_count", number(0));
                }
                if let Some(at) = chat.last_inbound_at.filter(|_| summary.shows) {
                    assign.set("last_inbound_at", string(at.to_string()));
                    if let Some(wamid) = &chat.last_inbound_wamid {
                        assign.set("last_inbound_wamid", string(wamid));
                    }
                }
                if let Some(until) = chat.entry_point_until {
                    assign.set("entry_point_until", string(until.to_string()));
                }
                if let Some(first) = &chat.first_inbound {
                    assign.set_once("first_inbound", string(first));
                }
            }
            Unread::Clear => {
                assign.set_once("name", string(&chat.name));
                for (attribute, value) in [("wa_id", &chat.wa_id), ("user_id", &chat.user_id)] {
                    if let Some(value) = value {
                        assign.set_once(attribute, string(value));
                    }
                }
                assign.set("status", string(ChatStatus::Inbox.as_str()));
                assign.set("inbox_key", in_inbox);
                assign.set("is_unread", AttributeValue::Bool(false));
                assign.set("unread_count", number(0));
                if let Some(at) = chat.answered_at {
                    assign.set("answered_at", string(at.to_string()));
                }
            }
            Unread::Leave => {}
        }
        if let (Unread::Clear | Unread::Leave, Some(last)) = (&summary.unread, &chat.last_outbound) {
            assign.set("last_outbound", string(last));
        }
        if let (true, Some(last), Some(at)) = (summary.shows, &chat.last_message, chat.last_message_at) {
            assign.set("last_message", string(last));
            assign.set("last_message_at", string(at.to_string()));
            assign.set("inbox_position", string(inbox_position(at, chat.id)));
            if let Some(expires_at) = self.expires_at(at) {
                assign.set("expires_at", expires_at);
            }
            conditions.push("(attribute_not_exists(last_message_at) OR last_message_at <= :last_message_at)");
        } else if let (Some(last), Some(at)) = (&chat.last_message, chat.last_message_at) {
            // A chat that begins with what is not shown, such as a reaction, still has its place in the inbox.
            assign.set_once("last_message", string(last));
            assign.set_once("last_message_at", string(at.to_string()));
            assign.set_once("inbox_position", string(inbox_position(at, chat.id)));
        }
        match summary.expects {
            Expected::Anything => {}
            Expected::NoPendingAnnotation => conditions.push("attribute_not_exists(pending_annotation_until)"),
            Expected::New => conditions.push("attribute_not_exists(pk)"),
            Expected::LastOutbound(None) | Expected::Quiet(None, _) => {
                conditions.push("attribute_not_exists(last_outbound)");
            }
            Expected::LastOutbound(Some(last)) | Expected::Quiet(Some(last), _) => {
                assign.values.push((":expected_outbound".to_owned(), string(last)));
                conditions.push("last_outbound = :expected_outbound");
            }
        }
        if let Expected::Quiet(_, since) = summary.expects {
            assign.values.push((":quiet_since".to_owned(), string(since.to_string())));
            assign.values.push((":false".to_owned(), AttributeValue::Bool(false)));
            conditions.push("attribute_exists(pk)");
            conditions.push("(attribute_not_exists(opted_out) OR opted_out = :false)");
            conditions.push("(attribute_not_exists(answered_at) OR answered_at <= :quiet_since)");
        }
        let expression = assign.expression() + &add;
        let (names, values) = assign.bindings();
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(Key::chat(chat.id).attributes()))
            .update_expression(expression)
            .condition_expression(conditions.join(" AND "))
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(OnFailure::AllOld)
            .build()
            .map_err(|source| StoreError::Request { operation: "writing a chat", source: source.into() })?;
        Ok(update_action(update))
    }
}
