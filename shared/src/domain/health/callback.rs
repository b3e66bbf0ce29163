//! The checks of WhatsApp's webhooks: that they are sent, and that they are sent here.

use url::Url;

use super::{AppSubscription, Check, NumberInfo};
use crate::domain::whatsapp_error::ReadError;

const CALLBACK: &str = "callback";
const SUBSCRIPTION: &str = "subscription";

/// The Graph API, in sentences.
const GRAPH: &str = "https://graph.facebook.com/v26.0";

/// The path of the webhook. A slash may follow.
const PATH: &str = "/api/webhook";

/// The webhook field with messages and their statuses.
const MESSAGES: &str = "messages";

/// The callback URLs for a number (Meta, *Override webhooks*). Messages go to the first that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Callbacks {
    /// The override for the number.
    pub number: Option<String>,
    /// The override for the WhatsApp Business Account.
    pub account: Option<String>,
    /// The app's own.
    pub app: Option<String>,
}

/// Where a callback URL is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Number,
    Account,
    App,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Account => "account",
            Self::App => "app",
        }
    }

    /// Returns how to set the callback to this deployment.
    fn fix(self, phone_number_id: &str, account_id: Option<&str>) -> String {
        match self {
            Self::Number => format!(
                "The number has its own callback URL, which replaces that of the app. Remove it: POST \
                 {GRAPH}/{phone_number_id} with an empty override_callback_uri in webhook_configuration. Or set it to the \
                 stack output WebhookUrl."
            ),
            Self::Account => format!(
                "The WhatsApp Business Account has its own callback URL, which replaces that of the app. Remove it: POST \
                 {GRAPH}/{}/subscribed_apps without parameters. Or set it to the stack output WebhookUrl.",
                or_placeholder(account_id)
            ),
            Self::App => {
                "In the App Dashboard, open WhatsApp, Configuration, and set the callback URL to the stack output \
                          WebhookUrl, with the verify token of the deployment's secret."
                    .to_owned()
            }
        }
    }
}

fn or_placeholder(account_id: Option<&str>) -> &str {
    account_id.unwrap_or("{account id}")
}

impl Callbacks {
    fn effective(&self) -> Option<(Level, &str)> {
        let urls = [(Level::Number, &self.number), (Level::Account, &self.account), (Level::App, &self.app)];
        urls.into_iter().find_map(|(level, url)| Some((level, url.as_deref().filter(|url| !url.is_empty())?)))
    }
}

/// Where API Gateway received a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gateway {
    /// The domain name that the request was sent to, with a port if it has one. Behind CloudFront, that of API Gateway.
    pub host: Option<String>,
    /// The API's ID, the first part of the domain name that API Gateway assigns.
    pub api_id: Option<String>,
}

impl Gateway {
    /// Returns whether requests to `host` are received here.
    fn is_at(&self, host: &str) -> bool {
        let is_assigned = |id: &String| {
            let rest = host.strip_prefix(id.as_str());
            rest.is_some_and(|rest| rest.starts_with(".execute-api."))
        };
        self.host.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(host))
            || self.api_id.as_ref().is_some_and(is_assigned)
    }
}

/// What is known about this deployment's own address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deployment {
    /// Where the request was received.
    pub gateway: Gateway,
    /// The deployment's own domain name, if it has one.
    pub domain_name: Option<String>,
    /// Whether all requests must come through CloudFront, which passes them to another domain name.
    pub has_firewall: bool,
    /// Whether WhatsApp delivered something for the session within the last day.
    pub receives_webhooks: bool,
}

/// Whether a host leads to this deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Here,
    /// API Gateway itself, which refuses requests that don't come through CloudFront.
    BehindFirewall,
    /// Unknown, but possible.
    Perhaps,
    Elsewhere,
}

impl Deployment {
    fn place(&self, host: &str) -> Place {
        if self.domain_name.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(host)) {
            Place::Here
        } else if self.gateway.is_at(host) {
            if self.has_firewall { Place::BehindFirewall } else { Place::Here }
        } else if self.receives_webhooks || (self.has_firewall && self.domain_name.is_none()) {
            // A proxy, or the domain name of the CloudFront distribution, which no function knows.
            Place::Perhaps
        } else {
            Place::Elsewhere
        }
    }
}

/// Checks that WhatsApp sends the number's messages to this deployment.
pub fn callback(
    info: &Result<NumberInfo, ReadError>,
    deployment: &Deployment,
    phone_number_id: &str,
    account_id: Option<&str>,
) -> Check {
    let callbacks = match info {
        Ok(info) => &info.callbacks,
        Err(error) => return Check::unread(CALLBACK, error),
    };
    let Some((level, url)) = callbacks.effective() else {
        let problem = "The Meta app has no callback URL, so WhatsApp sends no webhooks.";
        return Check::bad(CALLBACK, problem, Level::App.fix(phone_number_id, account_id));
    };
    let parsed = Url::parse(url).ok();
    let host = parsed.as_ref().and_then(|url| {
        let host = url.host_str()?;
        Some(url.port().map_or(host.to_owned(), |port| format!("{host}:{port}")))
    });
    let has_path = parsed.as_ref().is_some_and(|url| url.path().trim_end_matches('/') == PATH);
    // Without a user name, a password, a query, and another path than Qasid's, all of which can be secrets of the account's
    // or app's owner.
    let shown = match (&parsed, &host) {
        (Some(url), Some(host)) => format!("{}://{host}{}", url.scheme(), if has_path { PATH } else { "/…" }),
        _ => "an invalid URL".to_owned(),
    };
    let place = host.as_deref().map_or(Place::Elsewhere, |host| deployment.place(host));
    let fix = || level.fix(phone_number_id, account_id);
    let check = match place {
        _ if !has_path => Check::bad(
            CALLBACK,
            format!("WhatsApp sends the number's messages to {shown}, whose path is not {PATH}."),
            fix(),
        ),
        Place::Here => Check::good(CALLBACK),
        Place::BehindFirewall => Check::bad(
            CALLBACK,
            format!("WhatsApp sends the number's messages to {shown}, which the firewall refuses."),
            fix(),
        ),
        Place::Elsewhere => Check::bad(
            CALLBACK,
            format!("WhatsApp sends the number's messages to {shown}, not to this deployment."),
            fix(),
        ),
        Place::Perhaps => Check::unknown(
            CALLBACK,
            format!(
                "WhatsApp sends the number's messages to {shown}. This function can't tell whether that leads here."
            ),
        )
        .fixed_by("Compare the URL with the stack output WebhookUrl."),
    };
    check.with("url", shown).with("set_for", level.as_str())
}

/// Checks that WhatsApp sends webhooks of the number's account to the token's app. `account_id` is the account, and
/// `subscribed` are the IDs of its apps. `app` is the app's own subscription: `None` if it wasn't read.
pub fn subscription(
    account_id: Option<&str>,
    subscribed: Option<&Result<Vec<String>, ReadError>>,
    app_id: Option<&str>,
    app: Option<&Result<Option<AppSubscription>, ReadError>>,
) -> Check {
    let check = match (subscribed, app_id) {
        (None, _) => Check::unknown(SUBSCRIPTION, "WhatsApp did not return the account of the number."),
        (Some(Err(error)), _) => Check::unread(SUBSCRIPTION, error),
        (Some(Ok(_)), None) => Check::unknown(SUBSCRIPTION, "The app of the access token is not known."),
        (Some(Ok(apps)), Some(app_id)) if !apps.iter().any(|app| app == app_id) => Check::bad(
            SUBSCRIPTION,
            "The Meta app is not subscribed to the WhatsApp Business Account, so WhatsApp sends no webhooks.",
            format!("Subscribe it: POST {GRAPH}/{}/subscribed_apps with the access token.", or_placeholder(account_id)),
        ),
        (Some(Ok(_)), Some(_)) => match app {
            Some(Ok(Some(app))) if app.is_active && app.fields.iter().any(|field| field == MESSAGES) => {
                Check::good(SUBSCRIPTION)
            }
            Some(Ok(_)) => Check::bad(
                SUBSCRIPTION,
                "The Meta app is not subscribed to the webhook field messages, so WhatsApp sends no messages and statuses.",
                "In the App Dashboard, open WhatsApp, Configuration, Webhook fields, and subscribe to messages.",
            ),
            Some(Err(error)) => Check::unread(SUBSCRIPTION, error),
            // The account's part is in order. Only the app secret gives access to the app's, and it has its own check.
            None => Check::good(SUBSCRIPTION),
        },
    };
    let fields = app.and_then(|app| app.as_ref().ok()?.as_ref()).map(|app| app.fields.clone());
    check.with("account_id", account_id).with("app_id", app_id).with("fields", fields)
}
