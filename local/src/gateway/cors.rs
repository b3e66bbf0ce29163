//! CORS for an API with a `CorsConfiguration` (API Gateway Developer Guide, *Configure CORS for HTTP APIs*). The
//! gateway responds to preflights itself, and its CORS headers replace those of the function. A bucket does the same.

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
            ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
            ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
        },
        request::Parts,
    },
};

use crate::template::Cors;

pub(crate) struct CorsRules {
    cors: Cors,
}

impl CorsRules {
    pub(crate) fn new(cors: Cors) -> CorsRules {
        CorsRules { cors }
    }

    /// Returns the response to a preflight; `None` for any other request. [`CorsRules::apply`] adds the origin.
    pub(crate) fn preflight(&self, request: &Parts) -> Option<Response<Body>> {
        let headers = &request.headers;
        if request.method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        let origin = headers.get(ORIGIN)?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if self.allowed_origin(origin).is_some() {
            let headers = response.headers_mut();
            insert_unless_empty(headers, ACCESS_CONTROL_ALLOW_METHODS, &self.cors.allow_methods.join(","));
            insert_unless_empty(headers, ACCESS_CONTROL_ALLOW_HEADERS, &self.cors.allow_headers.join(","));
            let max_age = self.cors.max_age.map(|seconds| seconds.to_string()).unwrap_or_default();
            insert_unless_empty(headers, ACCESS_CONTROL_MAX_AGE, &max_age);
        }
        Some(response)
    }

    /// Sets the CORS headers of the response to a request from `origin`.
    pub(crate) fn apply(&self, headers: &mut HeaderMap, origin: &HeaderValue) {
        for name in [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_EXPOSE_HEADERS] {
            headers.remove(name);
        }
        let Some(allowed) = self.allowed_origin(origin) else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        insert_unless_empty(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &self.cors.expose_headers.join(","));
        if self.cors.allow_credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }

    fn allowed_origin(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        let text = origin.to_str().ok()?;
        self.cors.allow_origins.iter().find_map(|allowed| match allowed.as_str() {
            "*" => Some(HeaderValue::from_static("*")),
            "http://*" | "https://*" => text.starts_with(allowed.trim_end_matches('*')).then(|| origin.clone()),
            exact => (exact == text).then(|| origin.clone()),
        })
    }
}

/// Sets the header unless `value` is empty.
fn insert_unless_empty(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value)
        && !value.is_empty()
    {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests;
