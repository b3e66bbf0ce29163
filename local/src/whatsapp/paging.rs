//! Pages of Graph API lists (Graph API, *Paginated results*).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{graph_error::GraphError, parameters::Parameters};

/// How many elements a page has without `limit`, and at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) default: usize,
    pub(super) max: usize,
}

/// Returns the page that `limit`, `after`, and `before` choose, as `{"data": [], "paging": {"cursors": {}}}`. `key`
/// returns what identifies an element in a cursor, and `element` what the page shows of it. `url` is the URL of the list
/// without a query, for the links to the next and the previous page. The links have the other parameters of the request,
/// but not its access token, unlike Meta's.
///
/// # Errors
/// Returns an error for an invalid cursor, or one of an element that doesn't exist anymore.
pub(super) fn page<T>(
    elements: &[T],
    parameters: &Parameters,
    limits: Limits,
    url: &str,
    key: impl Fn(&T) -> String,
    element: impl Fn(&T) -> Result<Value, GraphError>,
) -> Result<Value, GraphError> {
    let limit = parameters.integer("limit")?.map_or(limits.default, |limit| usize::try_from(limit).unwrap_or(0));
    let limit = limit.clamp(1, limits.max);
    let position = |name: &str| -> Result<Option<usize>, GraphError> {
        let Some(sought) = cursor(parameters, name)? else { return Ok(None) };
        let found = elements.iter().position(|element| key(element) == sought);
        found.map(Some).ok_or_else(|| invalid(name))
    };
    let (from, to) = match (position("after")?, position("before")?) {
        (Some(after), _) => (after + 1, elements.len().min(after + 1 + limit)),
        (None, Some(before)) => (before.saturating_sub(limit), before),
        (None, None) => (0, elements.len().min(limit)),
    };
    let shown = elements.get(from..to).unwrap_or_default();
    let data = shown.iter().map(element).collect::<Result<Vec<_>, _>>()?;
    let mut page = json!({"data": data});
    if let (Some(first), Some(last)) = (shown.first(), shown.last()) {
        let (before, after) = (URL_SAFE_NO_PAD.encode(key(first)), URL_SAFE_NO_PAD.encode(key(last)));
        let link = |name: &str, cursor: &str| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("limit", &limit.to_string()).append_pair(name, cursor);
            for (name, value) in &parameters.0 {
                if !["limit", "after", "before"].contains(&name.as_str()) {
                    query.append_pair(name, value.as_str().unwrap_or(&value.to_string()));
                }
            }
            json!(format!("{url}?{}", query.finish()))
        };
        let mut paging = json!({"cursors": {"before": before, "after": after}});
        if to < elements.len() {
            paging["next"] = link("after", &after);
        }
        if from > 0 {
            paging["previous"] = link("before", &before);
        }
        page["paging"] = paging;
    }
    Ok(page)
}

/// Returns the key of the element in the cursor `name`, if the request has one.
pub(super) fn cursor(parameters: &Parameters, name: &str) -> Result<Option<String>, GraphError> {
    let Some(cursor) = parameters.string(name)? else { return Ok(None) };
    let key = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|key| String::from_utf8(key).ok());
    key.map(Some).ok_or_else(|| invalid(name))
}

fn invalid(name: &str) -> GraphError {
    GraphError::parameter(&format!("Param {name} is not a cursor of this list."))
}

#[cfg(test)]
mod tests;
