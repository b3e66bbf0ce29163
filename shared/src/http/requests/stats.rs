//! Queries for counters.

use crate::{
    domain::time::Timestamp,
    http::{ApiError, ErrorCode, Query},
    services::stats::StatsQuery,
};

impl StatsQuery {
    /// Parses `sessionId`, `from`, and `to`.
    pub fn read(query: &Query) -> Result<Self, ApiError> {
        Ok(Self { session_id: query.session_id()?, from: read_time(query, "from")?, to: read_time(query, "to")? })
    }
}

fn read_time(query: &Query, name: &str) -> Result<Option<Timestamp>, ApiError> {
    let time = query.one(name)?.map(|text| Timestamp::parse_saturating(&text)).transpose();
    time.map_err(|_| {
        let message = format!("{name} must be an RFC 3339 time such as 2026-11-23T12:00:00Z: write a + in it as %2B");
        ApiError::new(ErrorCode::InvalidQuery, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<StatsQuery, ApiError> {
        let query = format!("sessionId=117b233c-fcee-5c30-b5f9-00032fb4b9ea&{query}");
        StatsQuery::read(&Query::new(&query, &["sessionId", "from", "to"]))
    }

    #[test]
    fn times_are_rfc_3339() {
        let times = |query: &str| read(query).map(|query| [query.from, query.to]).unwrap();
        let noon = "2026-11-23T12:00:00Z".parse().ok();
        assert_eq!(times("from=2026-11-23T12:00:00Z"), [noon, None]);
        assert_eq!(times("to=2026-11-23T14:00:00%2B02:00&from="), [None, noon]);
        for invalid in ["from=today", "to=2026-11-23T14:00:00+02:00", "from=2026-11-23", "to=1795435200"] {
            let error = read(invalid).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidQuery, "{invalid}");
            let name = invalid.split('=').next().unwrap();
            assert!(format!("{error:?}").contains(&format!("{name} must be an RFC 3339 time")), "{error:?}");
        }
    }
}
