//! Requests about deliveries of outgoing webhooks.

use crate::{
    domain::{
        caller::Caller, cursor::Position, id::SessionId, time::Timestamp, webhook_delivery::DeliveryStatus,
        webhook_endpoint::WebhookEndpoint,
    },
    http::{ApiError, Body, ErrorCode, JsonObject, Query, read_session_id},
    services::webhook_deliveries::{AttemptList, ReplayRange, ReplayRequest},
    store::ReplayOnly,
};

/// The default and the maximum number of deliveries of a page.
const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 100;

impl AttemptList {
    /// Parses `status`, `messageId`, `limit`, and `cursor`.
    pub fn read(webhook: &WebhookEndpoint, query: &Query) -> Result<Self, ApiError> {
        let statuses = DeliveryStatus::ALL.map(|status| (status.as_str(), status));
        let status = query.choice("status", &statuses)?;
        let message_id = query.one("messageId")?.map(|text| {
            let message = "messageId must be a UUID: the message's id, not WhatsApp's";
            text.parse().map_err(|_| ApiError::invalid_field(message))
        });
        let limit = query.whole_number("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut list = Self {
            webhook_id: webhook.id,
            session_id: webhook.session_id,
            status,
            message_id: message_id.transpose()?,
            limit,
            after: None,
        };
        list.after = query.cursor(&list.name(), Position::from_cursor)?;
        Ok(list)
    }

    /// The name of the list in its cursors.
    pub fn name(&self) -> String {
        let status = self.status.map_or("all", DeliveryStatus::as_str);
        match self.message_id {
            Some(message_id) => format!("attempts/{}/{status}/{message_id}", self.webhook_id),
            None => format!("attempts/{}/{status}", self.webhook_id),
        }
    }
}

impl ReplayRequest {
    /// Parses `{"since" | "after", "until"?, "only"?, "sessionId"?}`. With `since`, `until` is a time; with `after`, it is a
    /// number. A webhook for all sessions needs `sessionId`.
    pub fn read(body: &Body, webhook: &WebhookEndpoint, caller: &Caller, now: Timestamp) -> Result<Self, ApiError> {
        let body = body.object(&["since", "after", "until", "only", "sessionId"])?;
        let session_id = read_session(&body, webhook, caller)?;
        let range = match (body.value("since"), body.value("after")) {
            (Some(_), None) => read_times(&body, now)?,
            (None, Some(_)) => read_numbers(&body)?,
            (None, None) => {
                let message = "Give since, a time, or after, the number of a change";
                return Err(ApiError::new(ErrorCode::MissingField, message));
            }
            (Some(_), Some(_)) => return Err(ApiError::invalid_field("Give either since or after, not both")),
        };
        let only = match body.string("only")? {
            None | Some("all") => ReplayOnly::All,
            Some("failed") => ReplayOnly::Failed,
            Some(_) => return Err(body.invalid("only", "must be all or failed")),
        };
        Ok(Self { session_id, range, only })
    }
}

fn read_session(body: &JsonObject, webhook: &WebhookEndpoint, caller: &Caller) -> Result<SessionId, ApiError> {
    let given = body.string("sessionId")?.map(read_session_id).transpose()?;
    match (webhook.session_id, given) {
        (Some(own), Some(given)) if own != given => {
            Err(body.invalid("sessionId", "must be the session of the webhook: leave it out"))
        }
        (Some(own), _) => Ok(own),
        (None, Some(given)) => caller.session(given),
        (None, None) => {
            let message = "sessionId is required: the webhook is for all sessions, and each has its own log";
            Err(ApiError::new(ErrorCode::MissingField, message))
        }
    }
}

fn read_times(body: &JsonObject, now: Timestamp) -> Result<ReplayRange, ApiError> {
    let since = read_time(body, "since")?.ok_or_else(|| body.missing("since"))?;
    let until = read_time(body, "until")?;
    if since > now {
        return Err(body.invalid("since", "must not be in the future"));
    }
    if until.is_some_and(|until| until <= since) {
        return Err(body.invalid("until", "must be later than since"));
    }
    Ok(ReplayRange::Times { since, until })
}

fn read_numbers(body: &JsonObject) -> Result<ReplayRange, ApiError> {
    let after = read_number(body, "after")?.ok_or_else(|| body.missing("after"))?;
    let until = read_number(body, "until")?;
    if until.is_some_and(|until| until <= after) {
        return Err(body.invalid("until", "must be greater than after"));
    }
    Ok(ReplayRange::Numbers { after, until })
}

fn read_time(body: &JsonObject, field: &str) -> Result<Option<Timestamp>, ApiError> {
    let Some(value) = body.value(field) else { return Ok(None) };
    let time = value.as_str().and_then(|text| Timestamp::parse_saturating(text).ok());
    time.map(Some).ok_or_else(|| body.invalid(field, "must be a time, like 2026-11-23T12:00:00Z"))
}

fn read_number(body: &JsonObject, field: &str) -> Result<Option<u64>, ApiError> {
    let Some(value) = body.value(field) else { return Ok(None) };
    value.as_u64().map(Some).ok_or_else(|| body.invalid(field, "must be the number of a change, like 41"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        id::WebhookId,
        scope::Scope,
        webhook_endpoint::{EventPattern, Format, Order, WebhookFields},
    };

    const SESSION: &str = "117b233c-fcee-5c30-b5f9-00032fb4b9ea";

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn webhook(session_id: Option<SessionId>) -> WebhookEndpoint {
        let fields = WebhookFields {
            url: "https://example.com/".to_owned(),
            events: vec![EventPattern::all()],
            format: Format::Qasid,
            order: Order::None,
            headers: Default::default(),
            description: None,
            enabled: true,
        };
        WebhookEndpoint::new(WebhookId::from_uuid(Uuid::nil()), session_id, fields, now())
    }

    fn read(body: &Value, webhook: &WebhookEndpoint, caller: &Caller) -> Result<ReplayRequest, String> {
        let body = Body::new(body.to_string().into_bytes());
        ReplayRequest::read(&body, webhook, caller, now()).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn a_replay_has_a_range_of_times_or_numbers() {
        let session_id = SessionId::for_owner("ada");
        assert_eq!(session_id.to_string(), SESSION);
        let caller = Caller::tenant("token", "ada".to_owned(), Scope::OF_TOKENS);
        let of_session = webhook(Some(session_id));
        let since = "2026-11-23T11:00:00Z".parse().unwrap();
        for (body, range, only) in [
            (json!({"since": "2026-11-23T11:00:00Z"}), ReplayRange::Times { since, until: None }, ReplayOnly::All),
            (
                json!({"since": "2026-11-23T12:00:00+01:00", "until": "2026-11-23T12:00:00Z", "only": "failed", "sessionId": SESSION}),
                ReplayRange::Times { since, until: Some(now()) },
                ReplayOnly::Failed,
            ),
            (json!({"after": 0}), ReplayRange::Numbers { after: 0, until: None }, ReplayOnly::All),
            (
                json!({"after": 41, "until": 42, "only": "all"}),
                ReplayRange::Numbers { after: 41, until: Some(42) },
                ReplayOnly::All,
            ),
        ] {
            assert_eq!(read(&body, &of_session, &caller), Ok(ReplayRequest { session_id, range, only }), "{body}");
        }
    }

    #[test]
    fn other_ranges_are_refused_with_a_reason() {
        let caller = Caller::tenant("token", "ada".to_owned(), Scope::OF_TOKENS);
        let of_session = webhook(Some(SessionId::for_owner("ada")));
        for (body, expected) in [
            (json!({}), "Give since, a time, or after, the number of a change"),
            (json!({"since": null}), "Give since, a time, or after"),
            (json!({"since": "2026-11-23T11:00:00Z", "after": 1}), "Give either since or after, not both"),
            (json!({"since": "yesterday"}), "since must be a time"),
            (json!({"since": 41}), "since must be a time"),
            (json!({"since": "2026-11-23T12:00:01Z"}), "since must not be in the future"),
            (
                json!({"since": "2026-11-23T11:00:00Z", "until": "2026-11-23T11:00:00Z"}),
                "until must be later than since",
            ),
            (json!({"since": "2026-11-23T11:00:00Z", "until": 41}), "until must be a time"),
            (json!({"after": "41"}), "after must be the number of a change"),
            (json!({"after": -1}), "after must be the number of a change"),
            (json!({"after": 1.5}), "after must be the number of a change"),
            (json!({"after": 41, "until": 41}), "until must be greater than after"),
            (json!({"after": 41, "until": "2026-11-23T11:00:00Z"}), "until must be the number of a change"),
            (json!({"after": 41, "only": "open"}), "only must be all or failed"),
            (json!({"after": 41, "from": 1}), "from is not a field of this request"),
            (json!({"after": 41, "sessionId": "ada"}), "sessionId must be a UUID"),
            (json!({"after": 41, "sessionId": Uuid::max()}), "sessionId must be the session of the webhook"),
        ] {
            let error = read(&body, &of_session, &caller).unwrap_err();
            assert!(error.contains(expected), "{body}: {error}");
        }
    }

    #[test]
    fn a_webhook_for_all_sessions_needs_a_session() {
        let admin = Caller::admin("key");
        let error = read(&json!({"after": 41}), &webhook(None), &admin).unwrap_err();
        assert!(error.contains("sessionId is required"), "{error}");
        let request = read(&json!({"after": 41, "sessionId": SESSION}), &webhook(None), &admin).unwrap();
        assert_eq!(request.session_id, SessionId::for_owner("ada"));
    }
}
