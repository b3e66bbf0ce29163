//! The query for the list of message templates.

use crate::{
    domain::{
        caller::Caller,
        cursor::ExternalPosition,
        id::SessionId,
        message_template::{TemplateList, TemplateStatus},
        scope::Scope,
    },
    http::{ApiError, Query},
};

/// The default and the maximum number of templates on a page.
const DEFAULT_LIMIT: u32 = 25;
const MAX_LIMIT: u32 = 100;

impl TemplateList {
    /// Parses `status`, `limit`, and `cursor`. Owners can share an account, so a tenant sees only templates that can be sent.
    pub fn read(session_id: SessionId, caller: &Caller, query: &Query) -> Result<Self, ApiError> {
        let mut status = query.choice("status", TemplateStatus::CHOICES)?;
        if !caller.is_admin() {
            if status.is_some_and(|status| status != TemplateStatus::Approved) {
                caller.require(Scope::Admin)?;
            }
            status = Some(TemplateStatus::Approved);
        }
        let limit = query.whole_number("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
        let mut list = Self { session_id, status, limit, after: None };
        list.after = query.cursor(&list.name(), ExternalPosition::from_cursor)?;
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::ErrorCode;

    fn read(owner: &str, query: &str) -> Result<TemplateList, ApiError> {
        read_as(&Caller::admin("k"), owner, query)
    }

    fn read_as(caller: &Caller, owner: &str, query: &str) -> Result<TemplateList, ApiError> {
        let query = Query::new(query, &["sessionId", "status", "limit", "cursor"]);
        TemplateList::read(SessionId::for_owner(owner), caller, &query)
    }

    #[test]
    fn a_tenant_sees_only_templates_that_can_be_sent() {
        let tenant = Caller::tenant("k", "ada".to_owned(), [Scope::MessagesSend]);
        for query in ["", "status=APPROVED"] {
            assert_eq!(read_as(&tenant, "ada", query).unwrap().status, Some(TemplateStatus::Approved), "{query}");
        }
        assert_eq!(read_as(&tenant, "ada", "status=REJECTED").unwrap_err().code(), ErrorCode::MissingScope);
        assert_eq!(read("ada", "").unwrap().status, None);
    }

    #[test]
    fn filters_and_limits_are_checked() {
        let list = read("ada", "status=APPROVED&limit=100").unwrap();
        assert_eq!((list.status, list.limit, list.after), (Some(TemplateStatus::Approved), 100, None));
        assert_eq!(read("ada", "").unwrap().limit, DEFAULT_LIMIT);
        for invalid in ["status=approved", "status=APPROVED,PENDING", "limit=0", "limit=101"] {
            assert_eq!(read("ada", invalid).unwrap_err().code(), ErrorCode::InvalidQuery, "{invalid}");
        }
    }

    #[test]
    fn cursor_belongs_to_the_session_and_the_status() {
        let position = ExternalPosition("QVFIUx&limit=1".to_owned());
        let cursor = read("ada", "status=APPROVED").unwrap().cursor(&position);
        let with_cursor = |owner, query: &str| read(owner, &format!("{query}&cursor={cursor}"));
        assert_eq!(with_cursor("ada", "status=APPROVED&limit=7").unwrap().after, Some(position));
        for (owner, query) in [("bob", "status=APPROVED"), ("ada", "status=PENDING"), ("ada", "")] {
            assert_eq!(with_cursor(owner, query).unwrap_err().code(), ErrorCode::InvalidCursor, "{owner} {query}");
        }
    }
}
