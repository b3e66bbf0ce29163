//! Keeps other web pages from using the control API through a browser on this machine.

use std::net::IpAddr;

use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::control::ControlError;

/// Refuses requests that a browser sends for another site.
pub(super) async fn refuse_other_sites(request: Request, next: Next) -> Response {
    match refusal(request.headers()) {
        Some(sentence) => ControlError(StatusCode::FORBIDDEN, sentence.to_owned()).into_response(),
        None => next.run(request).await,
    }
}

/// Returns the reason to refuse a request: the origin of another site, or a host name that a site can make its own, which
/// is DNS rebinding. Programs other than browsers send no `Origin`.
fn refusal(headers: &HeaderMap) -> Option<&'static str> {
    let header = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = header(header::HOST);
    if host.is_some_and(|host| !is_private(host)) {
        return Some("Use 127.0.0.1 or localhost in the URL: the Host header names another site");
    }
    let is_foreign = header(header::ORIGIN).is_some_and(|origin| origin.strip_prefix("http://") != host);
    is_foreign.then_some("Another web page cannot use the control API: the Origin header names another site")
}

/// Returns whether no site on the internet can have this host name: an IP address, a name without a domain, such as
/// that of a container, or a name in a domain that is reserved for private use.
fn is_private(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    let has_reserved_domain = [".localhost", ".internal"].iter().any(|domain| name.ends_with(domain));
    name.parse::<IpAddr>().is_ok() || !name.contains('.') || has_reserved_domain
}
