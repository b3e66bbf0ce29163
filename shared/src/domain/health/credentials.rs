//! The checks of an access token and of the app secrets.

use std::time::Duration;

use super::{Check, TokenInfo, is_invalid_token, reason};
use crate::domain::{
    time::Timestamp,
    whatsapp_error::{ReadError, Refusal},
};

const ACCESS_TOKEN: &str = "access_token";
const APP_SECRET: &str = "app_secret";

/// The permissions that a token needs (Meta, *Permissions*).
const SCOPES: [&str; 2] = ["whatsapp_business_messaging", "whatsapp_business_management"];

/// How long before its end a token must be replaced.
const EXPIRY_WARNING: Duration = Duration::from_secs(7 * 24 * 60 * 60);

const NEW_TOKEN: &str = "In Meta Business Suite, open Settings, Users, System users, select the system user, and generate \
     a token for the app with the permissions whatsapp_business_messaging and whatsapp_business_management.";

/// Where a number's credentials are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// With the number itself.
    Number,
    /// In the deployment's secret, for all numbers without their own.
    Deployment,
}

impl CredentialSource {
    fn as_str(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Deployment => "deployment",
        }
    }

    /// Returns how to store a credential.
    fn store(self, field: &str) -> String {
        match self {
            Self::Number => format!("An admin stores it with PUT /api/numbers/{{phoneNumberId}} and {field}."),
            Self::Deployment => format!(
                "The operator stores it as {field} in the deployment's secret, which the stack output SecretArn names."
            ),
        }
    }
}

/// Checks the token: whether WhatsApp accepts it, until when, and what it permits. `info` is `None` if no token is
/// stored.
pub fn access_token(
    info: Option<&Result<TokenInfo, ReadError>>,
    source: CredentialSource,
    account_id: Option<&str>,
    now: Timestamp,
) -> Check {
    let replace = || format!("{NEW_TOKEN} {}", source.store("accessToken"));
    let bad = |problem: String| Check::bad(ACCESS_TOKEN, problem, replace());
    let soon = |problem: String| Check::warning(ACCESS_TOKEN, problem, replace());
    let check = match info {
        None => bad("No access token is stored, so nothing can be sent.".to_owned()),
        Some(Err(ReadError::Refused(refusal))) if is_invalid_token(refusal) => {
            bad(format!("WhatsApp refuses the access token: {}.", refusal.error))
        }
        Some(Err(ReadError::Refused(Refusal { error, .. }))) if error.contains("appsecret_proof") => Check::bad(
            ACCESS_TOKEN,
            "The Meta app requires a proof of the app secret with each request, which Qasid does not send.",
            "In the App Dashboard, open App settings, Advanced, Security, and switch off Require App Secret.",
        ),
        Some(Err(error)) => Check::unread(ACCESS_TOKEN, error),
        Some(Ok(info)) => of_token(info, account_id, now, &bad, &soon),
    };
    check.with("source", source.as_str())
}

/// `bad` and `soon` return a check of a token to replace: now, or before it expires.
fn of_token(
    info: &TokenInfo,
    account_id: Option<&str>,
    now: Timestamp,
    bad: &dyn Fn(String) -> Check,
    soon: &dyn Fn(String) -> Check,
) -> Check {
    let missing: Vec<&str> = SCOPES.into_iter().filter(|scope| !info.scopes.iter().any(|own| own == scope)).collect();
    let is_elsewhere = |(scope, accounts): &(String, Vec<String>)| {
        let is_granted = account_id.is_none_or(|id| accounts.iter().any(|account| account == id));
        SCOPES.contains(&scope.as_str()) && !accounts.is_empty() && !is_granted
    };
    let check = if !info.is_valid {
        let error = info.error.as_deref().map_or(String::new(), |error| format!(": {error}"));
        bad(format!("The access token is not valid{error}."))
    } else if let Some(at) = info.expires_at.filter(|at| *at <= now.after(EXPIRY_WARNING)) {
        let time = at.to_string();
        let date = time.split('T').next().unwrap_or_default();
        if at <= now {
            bad(format!("The access token expired on {date}."))
        } else {
            soon(format!("The access token expires on {date}."))
        }
    } else if !missing.is_empty() {
        bad(format!("The access token lacks the permission {}.", missing.join(" and ")))
    } else if info.granted_accounts.iter().any(is_elsewhere) {
        Check::bad(
            ACCESS_TOKEN,
            "The access token was granted for other WhatsApp Business Accounts, not for that of the number.",
            "In Meta Business Suite, open Settings, Accounts, WhatsApp accounts, select the account, and assign it to the \
             system user with full control. Then generate a new token.",
        )
    } else {
        Check::good(ACCESS_TOKEN)
    };
    check
        .with("app_id", info.app_id.clone())
        .with("expires_at", info.expires_at.map(|at| at.to_string()))
        .with("scopes", info.scopes.clone())
}

/// What is known about the app secrets that webhooks for a number are verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppSecretMatch {
    /// No secret is stored.
    NoSecret,
    /// A secret is that of the token's app.
    Match(CredentialSource),
    /// The token belongs to another app than the secrets.
    Mismatch,
    /// WhatsApp didn't tell.
    Unknown(ReadError),
}

/// Checks that webhooks of the app can be verified. `app_id` is the app of the access token.
pub fn app_secret(found: &AppSecretMatch, source: CredentialSource, app_id: Option<&str>) -> Check {
    let fix = || {
        format!(
            "In the App Dashboard, open the app{}, App settings, Basic, and copy the app secret. {}",
            app_id.map_or(String::new(), |id| format!(" {id}")),
            source.store("appSecret")
        )
    };
    match found {
        AppSecretMatch::Match(source) => Check::good(APP_SECRET).with("source", source.as_str()),
        AppSecretMatch::NoSecret => Check::bad(
            APP_SECRET,
            "No app secret is stored, so every webhook of WhatsApp is refused: nothing is received.",
            fix(),
        ),
        AppSecretMatch::Mismatch => Check::bad(
            APP_SECRET,
            "The stored app secret is not that of the access token's app, so webhooks of this app are refused: nothing \
             is received.",
            fix(),
        ),
        AppSecretMatch::Unknown(error) => Check::unknown(APP_SECRET, reason(error)),
    }
}
