//! Queries for changes.

use super::{chat::limit, webhook::read_event_pattern};
use crate::{
    domain::webhook_endpoint::EventPattern,
    http::{ApiError, ErrorCode, Query},
    services::changes::ChangeList,
};

/// The default number of changes on a page.
const DEFAULT_LIMIT: u32 = 100;

/// The maximum length of `types`, in bytes. All types together have less.
const TYPES_LIMIT: usize = 1024;

impl ChangeList {
    /// Parses `sessionId`, `after`, `limit`, and `types`.
    pub fn read(query: &Query) -> Result<Self, ApiError> {
        let session_id = query.session_id()?;
        let after = query.one("after")?.map(|text| read_position(&text)).transpose()?;
        let types = query.one("types")?.map(|text| read_types(&text)).transpose()?.unwrap_or_default();
        Ok(Self { session_id, after, limit: limit(query, DEFAULT_LIMIT)?, types })
    }
}

fn read_position(text: &str) -> Result<u64, ApiError> {
    // `parse` would also accept a plus sign.
    let position = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    position.ok_or_else(|| invalid("after must be the `next` of an earlier response"))
}

fn read_types(text: &str) -> Result<Vec<EventPattern>, ApiError> {
    if text.len() > TYPES_LIMIT {
        return Err(invalid(format!("types has {} bytes: give up to {TYPES_LIMIT}", text.len())));
    }
    let names = text.split(',').map(str::trim).enumerate();
    let types = names.map(|(at, name)| read_event_pattern(name).map_err(|rule| invalid(format!("types[{at}] {rule}"))));
    types.collect()
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidQuery, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::change::ChangeType;

    const KNOWN: &[&str] = &["sessionId", "after", "limit", "types"];
    const SESSION: &str = "sessionId=117b233c-fcee-5c30-b5f9-00032fb4b9ea";

    fn read(query: &str) -> Result<ChangeList, ApiError> {
        ChangeList::read(&Query::new(&format!("{SESSION}&{query}"), KNOWN))
    }

    #[test]
    fn positions_are_whole_numbers() {
        assert_eq!(read("").unwrap().after, None);
        assert_eq!(read("after=0").unwrap().after, Some(0));
        assert_eq!(read("after=9007199254740993").unwrap().after, Some(9_007_199_254_740_993));
        for invalid in ["-1", "%2B1", "1.0", "1e3", "x", "18446744073709551616", "%20"] {
            let error = read(&format!("after={invalid}")).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidQuery, "{invalid}");
        }
    }

    #[test]
    fn a_page_has_100_changes_unless_the_query_says_less() {
        assert_eq!(read("").unwrap().limit, 100);
        assert_eq!(read("limit=1").unwrap().limit, 1);
        for invalid in ["0", "101", "x"] {
            assert!(read(&format!("limit={invalid}")).is_err(), "{invalid}");
        }
    }

    #[test]
    fn types_are_names_or_groups_and_unknown_ones_get_the_nearest() {
        let types = read("types=message.received,chat.*,%20session.qr").unwrap().types;
        assert!(types.iter().any(|types| types.includes(ChangeType::ChatMerged)));
        assert_eq!(types.len(), 3);
        for (query, hint) in [
            (
                "types=message.recieved",
                "types[0] is not an event type: message.recieved, did you mean message.received?",
            ),
            ("types=chat.*,messages.*", "did you mean message.*?"),
            ("types=chat.created,", "types[1] is not an event type"),
            ("types=webhook.test", "is not an event type: webhook.test"),
        ] {
            let error = format!("{:?}", read(query).unwrap_err());
            assert!(error.contains(hint), "{error}");
        }
        let long = "x".repeat(2000);
        assert!(read(&format!("types={long}")).is_err());
    }
}
