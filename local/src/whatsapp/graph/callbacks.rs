//! Callback URLs of webhooks: their parameters, and their verification (Meta, *Create a webhook endpoint*).

use std::time::Duration;

use reqwest::{Url, header::USER_AGENT};

use crate::{
    error_chain,
    whatsapp::{
        apps::{App, Callback},
        clock::random,
        graph_error::GraphError,
        parameters::Parameters,
        simulator::Simulator,
    },
};

/// Maximum length of an alternate callback URL (Meta, *Override webhooks*).
const MAX_OVERRIDE_CHARACTERS: usize = 200;
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a response is read. The challenge has up to 10 digits.
const MAX_RESPONSE_BYTES: usize = 1024;
/// How much of a wrong response an error quotes.
const MAX_QUOTED_CHARACTERS: usize = 200;

/// Reads the callback in `name` and `verify_token`; `None` for an empty URL. `object` is the parameter that contains
/// them, if any.
pub(super) fn read(parameters: &Parameters, name: &str, object: &str) -> Result<Option<Callback>, GraphError> {
    let path = |name: &str| if object.is_empty() { name.to_owned() } else { format!("{object}['{name}']") };
    let Some(url) = parameters.string(name)? else { return Ok(None) };
    if name == "override_callback_uri" && url.chars().count() > MAX_OVERRIDE_CHARACTERS {
        return Err(GraphError::too_long(&path(name), MAX_OVERRIDE_CHARACTERS));
    }
    let parsed = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(parsed) = parsed else {
        return Err(GraphError::parameter(&format!("Param {} must be a valid URL.", path(name))));
    };
    if parsed.scheme() == "https" {
        let sentence = format!(
            "Param {} must be an http URL: the simulated WhatsApp can't verify certificates. Use http here, and https at \
             Meta.",
            path(name)
        );
        return Err(GraphError::parameter(&sentence));
    }
    let verify_token = parameters.string("verify_token")?;
    let verify_token = verify_token.ok_or_else(|| GraphError::missing(&path("verify_token")))?;
    Ok(Some(Callback { url, verify_token }))
}

/// Checks that an app is subscribed to an account, which Meta requires before an override.
pub(super) fn check_subscribed(simulator: &Simulator, app: &App, waba_id: &str) -> Result<(), GraphError> {
    let is_subscribed =
        simulator.apps.read(|apps| apps.subscriptions(waba_id).any(|subscription| subscription.app_id == app.id));
    if !is_subscribed {
        return Err(GraphError::parameter(
            "Before override the current callback uri, your app must be subscribed to receive messages for WhatsApp \
             Business Account",
        ));
    }
    Ok(())
}

/// Verifies a callback: its server must respond with status 200 and the challenge.
pub(super) async fn verify(simulator: &Simulator, callback: &Callback) -> Result<(), GraphError> {
    let failed = |errors: &str| {
        GraphError::titled(2200, &format!("Callback verification failed with the following errors: {errors}"))
    };
    let mut url = Url::parse(&callback.url).map_err(|error| failed(&error.to_string()))?;
    let challenge = (random().as_u128() % 10_u128.pow(10)).to_string();
    let token = callback.verify_token.as_str();
    let pairs = [("hub.mode", "subscribe"), ("hub.challenge", &challenge), ("hub.verify_token", token)];
    url.query_pairs_mut().extend_pairs(pairs);
    let request = simulator.client.get(url).timeout(TIMEOUT);
    let request = request.header(USER_AGENT, "facebookplatform/1.0 (+http://developers.facebook.com)");
    let unreachable = |error: reqwest::Error| failed(&format!("{}; HTTP Status Code = 0", error_chain(&error)));
    let mut response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    if status != 200 {
        let reason = status.canonical_reason().unwrap_or_default();
        return Err(failed(&format!("HTTP Status Code = {}; HTTP Message = {reason}", status.as_u16())));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_RESPONSE_BYTES {
            break;
        }
    }
    if body != challenge.as_bytes() {
        let received: String = String::from_utf8_lossy(&body).chars().take(MAX_QUOTED_CHARACTERS).collect();
        let sentence =
            format!(r#"response does not match challenge, expected value="{challenge}", received="{received}""#);
        return Err(GraphError::titled(2201, &sentence));
    }
    Ok(())
}
