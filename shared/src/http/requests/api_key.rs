//! API keys as requests contain them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    domain::{
        api_key::NAME_LIMIT, contact_name::clean_name, cursor::Position, scope::Scope, session::OWNER_ID_LIMIT,
        time::Timestamp,
    },
    http::{ApiError, Body, ErrorCode, Query},
    services::api_keys::NewApiKey,
};

/// Identifies the list in its cursors.
pub(crate) const LIST: &str = "keys";

/// The default and the maximum number of keys on a page.
const MAX_LIMIT: u32 = 100;

impl NewApiKey {
    /// Parses `{"name", "ownerId", "scopes", "expiresAt"?}`. A key with the scope `admin` needs no owner.
    pub fn read(body: &Body, now: Timestamp) -> Result<Self, ApiError> {
        let body = body.object(&["name", "ownerId", "scopes", "expiresAt"])?;
        let name = body.required("name")?.trim();
        if name.chars().count() > NAME_LIMIT {
            return Err(ApiError::invalid_field(format!("name may have up to {NAME_LIMIT} characters")));
        }
        let name = clean_name(name).ok_or_else(|| body.invalid("name", "must have a visible character"))?;
        let scopes = scopes(body.value("scopes"))?;
        let owner_id = body.string("ownerId")?.filter(|owner| !owner.trim().is_empty());
        if owner_id.is_none() && !scopes.contains(&Scope::Admin) {
            return Err(ApiError::missing_field("ownerId"));
        }
        if owner_id.is_some_and(|owner| owner.len() > OWNER_ID_LIMIT) {
            return Err(ApiError::invalid_field(format!("ownerId may have up to {OWNER_ID_LIMIT} bytes")));
        }
        let valid_until = body.string("expiresAt")?.map(|text| {
            let time = Timestamp::parse_saturating(text).ok().filter(|time| *time > now);
            let message = "expiresAt must be a time in the future, like 2027-11-23T12:00:00Z";
            time.ok_or_else(|| ApiError::invalid_field(message))
        });
        Ok(Self { name, owner_id: owner_id.map(str::to_owned), scopes, valid_until: valid_until.transpose()? })
    }
}

fn scopes(value: Option<&Value>) -> Result<BTreeSet<Scope>, ApiError> {
    let value = value.ok_or_else(|| ApiError::missing_field("scopes"))?;
    let scopes = value.as_array().map(|items| items.iter().map(|item| item.as_str()?.parse().ok()).collect());
    let scopes: Option<BTreeSet<Scope>> = scopes.flatten();
    scopes.filter(|scopes| !scopes.is_empty()).ok_or_else(|| {
        let known = Scope::ALL.map(Scope::as_str).join(", ");
        ApiError::new(ErrorCode::InvalidField, format!("scopes must be a list of one or more of {known}"))
    })
}

/// Parses `limit` and `cursor` of the list of keys.
pub fn read_key_page(query: &Query) -> Result<(i32, Option<Position>), ApiError> {
    let limit = query.whole_number("limit", 1..=MAX_LIMIT)?.unwrap_or(MAX_LIMIT);
    Ok((limit.cast_signed(), query.cursor(LIST, Position::from_cursor)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn key_is_shown_under_its_visible_name() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let read = |name: &str| {
            let body = json!({"name": name, "ownerId": "ada", "scopes": ["rules"]}).to_string();
            NewApiKey::read(&Body::new(body.into_bytes()), now)
                .map(|key| key.name)
                .map_err(|error| format!("{error:?}"))
        };
        assert_eq!(read(" Back\u{202e}office\u{200b} ").as_deref(), Ok("Backoffice"));
        for name in ["\u{200b}", "\u{301}\u{202e}"] {
            assert!(read(name).unwrap_err().contains("name must have a visible character"), "{name:?}");
        }
    }
}
