//! Selects the route of a request (API Gateway Developer Guide, *Create routes for HTTP APIs*).

use std::collections::BTreeMap;

use crate::template::{Function, Route};

/// All routes of the API.
pub(super) struct Routes {
    routes: Vec<(String, Route)>,
}

/// The route that matches a request.
pub(super) struct RouteMatch<'a> {
    pub(super) function: &'a str,
    pub(super) route: &'a Route,
    /// The values of the path variables.
    pub(super) parameters: BTreeMap<String, String>,
}

/// How specific a matching route is. The most specific sorts first: compared by segment, then by method, with
/// `$default` last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Specificity {
    is_default: bool,
    segments: Vec<u8>,
    any_method: bool,
}

impl Routes {
    pub(super) fn new(functions: &[Function]) -> Routes {
        let routes = functions
            .iter()
            .flat_map(|function| function.routes.iter().map(|route| (function.name.clone(), route.clone())))
            .collect();
        Routes { routes }
    }

    /// Returns the most specific route that matches. `path` is already decoded.
    pub(super) fn find(&self, method: &str, path: &str) -> Option<RouteMatch<'_>> {
        self.routes
            .iter()
            .filter(|(_, route)| route.method == "ANY" || route.method == method)
            .filter_map(|(function, route)| {
                let (specificity, parameters) = match_route(route, path)?;
                Some((specificity, RouteMatch { function, route, parameters }))
            })
            .min_by(|(left, _), (right, _)| left.cmp(right))
            .map(|(_, matched)| matched)
    }
}

fn match_route(route: &Route, path: &str) -> Option<(Specificity, BTreeMap<String, String>)> {
    let mut specificity = Specificity { is_default: false, segments: Vec::new(), any_method: route.method == "ANY" };
    let mut parameters = BTreeMap::new();
    if route.path == "$default" {
        specificity.is_default = true;
        return Some((specificity, parameters));
    }
    let mut rest = Some(path.strip_prefix('/')?);
    for pattern in route.path.strip_prefix('/')?.split('/') {
        let remaining = rest?;
        let variable = pattern.strip_prefix('{').and_then(|inner| inner.strip_suffix('}'));
        if let Some(name) = variable.and_then(|name| name.strip_suffix('+')) {
            // After a slash at the end of a longer path, the variable is empty. Alone, it doesn't match the path `/`.
            let is_alone = specificity.segments.is_empty();
            parameters.insert(name.to_owned(), remaining.to_owned());
            specificity.segments.push(2);
            return (!remaining.is_empty() || !is_alone).then_some((specificity, parameters));
        }
        let (segment, after) = match remaining.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (remaining, None),
        };
        rest = after;
        match variable {
            Some(name) if !segment.is_empty() => {
                parameters.insert(name.to_owned(), segment.to_owned());
                specificity.segments.push(1);
            }
            None if segment == pattern => specificity.segments.push(0),
            _ => return None,
        }
    }
    rest.is_none().then_some((specificity, parameters))
}

#[cfg(test)]
mod tests;
