//! The environment variables of the functions. `template.yaml` sets them.

use std::{fmt, time::Duration};

use crate::{
    domain::{
        api_key::KeyHash,
        auto_reply::Limits,
        number::{BusinessNumber, is_phone_number_id},
        pairing_decision::PairingPolicy,
    },
    services::{authentication::TokenIssuer, deliver::Settings, health::HealthSettings},
};

/// The environment of a function, with a lookup function that tests can replace.
#[derive(Clone, Copy)]
pub struct Environment {
    lookup: fn(&str) -> Option<String>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

/// A required variable is unset or empty.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {0} isn't set")]
pub struct MissingVariable(&'static str);

/// A variable isn't the number that it must be.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {0} isn't a number")]
pub struct InvalidVariable(&'static str);

/// The Cloud API's URL isn't one that access tokens may be sent to.
#[derive(Debug, thiserror::Error)]
pub enum GraphApiUrlError {
    /// A variable is not set.
    #[error(transparent)]
    Missing(#[from] MissingVariable),
    /// The host is neither Meta's nor this machine.
    #[error("GRAPH_API_BASE_URL must be https://graph.facebook.com, or http://127.0.0.1 with a port")]
    Foreign,
}

impl Environment {
    /// Creates an environment with the variables that `lookup` returns.
    pub fn new(lookup: fn(&str) -> Option<String>) -> Self {
        Self { lookup }
    }

    fn required(self, name: &'static str) -> Result<String, MissingVariable> {
        self.optional(name).ok_or(MissingVariable(name))
    }

    fn optional(self, name: &'static str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    /// `TABLE_NAME`: the name of the table.
    pub fn table_name(self) -> Result<String, MissingVariable> {
        self.required("TABLE_NAME")
    }

    /// `AWS_LAMBDA_FUNCTION_NAME`: the function's name, which Lambda sets.
    pub fn function_name(self) -> Result<String, MissingVariable> {
        self.required("AWS_LAMBDA_FUNCTION_NAME")
    }

    /// `NOTIFY_FUNCTION`: the name of the function that delivers changes to webhooks.
    pub fn notify_function(self) -> Result<String, MissingVariable> {
        self.required("NOTIFY_FUNCTION")
    }

    /// `MEDIA_FETCH_FUNCTION`: the name of the function that fetches files.
    pub fn media_fetch_function(self) -> Result<String, MissingVariable> {
        self.required("MEDIA_FETCH_FUNCTION")
    }

    /// `AWS_LAMBDA_LOG_LEVEL`: the minimum level that Lambda sends to CloudWatch Logs, from `ApplicationLogLevel` in the
    /// template.
    pub fn log_level(self) -> String {
        self.optional("AWS_LAMBDA_LOG_LEVEL").unwrap_or_else(|| "INFO".to_owned())
    }

    /// `WHATSAPP_SECRET_ID`: name or ARN of the Meta app's secret; see [`crate::secrets`].
    pub fn secret_id(self) -> Result<String, MissingVariable> {
        self.required("WHATSAPP_SECRET_ID")
    }

    /// `OPERATOR_KEY_HASHES`: hashes of the operator keys, separated by commas. Empty without one.
    pub fn operator_key_hashes(self) -> Vec<KeyHash> {
        self.optional("OPERATOR_KEY_HASHES")
            .iter()
            .flat_map(|hashes| hashes.split(','))
            .map(KeyHash::from_hex)
            .collect()
    }

    /// `ORIGIN_SECRET_ID`: name or ARN of CloudFront's secret; see [`crate::secrets`]. `None` without a firewall.
    pub fn origin_secret_id(self) -> Option<String> {
        self.optional("ORIGIN_SECRET_ID")
    }

    /// `NUMBERS_KEY_ID`: ARN of the KMS key that encrypts the credentials of numbers; `None` without one.
    pub fn numbers_key_id(self) -> Option<String> {
        self.optional("NUMBERS_KEY_ID")
    }

    /// `SIGNING_KEY_PARAMETER`: name of the Parameter Store parameter with the key of outgoing webhooks; see
    /// [`crate::secrets::signing_key`].
    pub fn signing_key_parameter(self) -> Result<String, MissingVariable> {
        self.required("SIGNING_KEY_PARAMETER")
    }

    /// `TOKEN_ISSUER`, `TOKEN_AUDIENCE`, and `TOKEN_KEYS_URL`: the identity provider whose tokens are accepted besides API
    /// keys; `None` without one. The audience is required, because a token for another application proves nothing.
    pub fn token_issuer(self) -> Result<Option<TokenIssuer>, MissingVariable> {
        let Some(issuer) = self.optional("TOKEN_ISSUER") else { return Ok(None) };
        let audience = self.required("TOKEN_AUDIENCE")?;
        let keys_url = self
            .optional("TOKEN_KEYS_URL")
            .unwrap_or_else(|| format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/')));
        Ok(Some(TokenIssuer { issuer, audience, keys_url }))
    }

    /// `PHONE_NUMBER_ID`: Meta's ID of the deployment's own number. `None` if it isn't one: URLs contain it, so it must
    /// consist of digits. `template.yaml` refuses other values.
    pub fn phone_number_id(self) -> Option<String> {
        self.optional("PHONE_NUMBER_ID").filter(|id| is_phone_number_id(id))
    }

    /// `PHONE_NUMBER_ID` and `DISPLAY_PHONE_NUMBER`: the deployment's own number. Without one (`None`), only linked-device
    /// workers pair sessions.
    pub fn business_number(self) -> Option<BusinessNumber> {
        Some(BusinessNumber {
            phone_number_id: self.phone_number_id()?,
            display_phone_number: self.optional("DISPLAY_PHONE_NUMBER")?,
        })
    }

    /// `OPEN_PAIRING`: `Yes` if any session can be linked to a number without an owner.
    pub fn pairing_policy(self) -> PairingPolicy {
        PairingPolicy { is_open: self.optional("OPEN_PAIRING").as_deref() == Some("Yes") }
    }

    /// `MESSAGES_PER_SECOND` and `UNKNOWN_DEADLINE_SECONDS`: the settings of `deliver`.
    pub fn delivery_settings(self) -> Result<Settings, InvalidVariable> {
        Ok(Settings {
            rate: self.number("MESSAGES_PER_SECOND")?,
            unknown_deadline: Duration::from_secs(self.number("UNKNOWN_DEADLINE_SECONDS")?),
        })
    }

    /// `DOMAIN_NAME`, `FIREWALL`, and `MESSAGES_PER_SECOND`: what the health checks compare with WhatsApp's answers.
    pub fn health_settings(self) -> Result<HealthSettings, InvalidVariable> {
        Ok(HealthSettings {
            domain_name: self.optional("DOMAIN_NAME"),
            has_firewall: self.optional("FIREWALL").as_deref() == Some("Yes"),
            messages_per_second: self.number("MESSAGES_PER_SECOND")?,
        })
    }

    /// `LOCAL_WEBHOOKS`: whether webhooks may be sent to `http://127.0.0.1`, in a local run.
    pub fn allows_local_webhooks(self) -> bool {
        self.optional("LOCAL_WEBHOOKS").as_deref() == Some("Yes")
    }

    /// `MEDIA_BUCKET`: the name of the bucket with the files of messages. `None` if they stay at WhatsApp.
    pub fn media_bucket(self) -> Option<String> {
        self.optional("MEDIA_BUCKET")
    }

    /// `AWS_REGION`: the region, which Lambda sets.
    pub fn region(self) -> Option<String> {
        self.optional("AWS_REGION")
    }

    /// `AWS_ENDPOINT_URL_S3`: the URL of S3 in a local run.
    pub fn s3_endpoint(self) -> Option<String> {
        self.optional("AWS_ENDPOINT_URL_S3")
    }

    /// `INBOX_SHARDS`: the number of partitions of a session's inbox index.
    pub fn inbox_shards(self) -> Result<u8, InvalidVariable> {
        self.number("INBOX_SHARDS")
    }

    /// `AUTO_REPLY_QUIET_MINUTES` and `AUTO_REPLIES_PER_HOUR`: the limits of auto-replies.
    pub fn auto_reply_limits(self) -> Result<Limits, InvalidVariable> {
        let minutes: u32 = self.number("AUTO_REPLY_QUIET_MINUTES")?;
        Ok(Limits {
            quiet: Duration::from_secs(u64::from(minutes) * 60),
            per_hour: self.number("AUTO_REPLIES_PER_HOUR")?,
        })
    }

    /// `RETENTION_DAYS`: how long messages are kept; `None` (0 in the environment) for no limit.
    pub fn retention(self) -> Result<Option<Duration>, InvalidVariable> {
        let days: u32 = self.number("RETENTION_DAYS")?;
        Ok((days > 0).then(|| Duration::from_secs(u64::from(days) * 24 * 60 * 60)))
    }

    /// `CHANGE_RETENTION_DAYS`: how long change logs keep their entries.
    pub fn change_retention(self) -> Result<Duration, InvalidVariable> {
        let days: u32 = self.number("CHANGE_RETENTION_DAYS")?;
        Ok(Duration::from_secs(u64::from(days) * 24 * 60 * 60))
    }

    fn number<N: std::str::FromStr>(self, name: &'static str) -> Result<N, InvalidVariable> {
        self.optional(name).and_then(|value| value.parse().ok()).ok_or(InvalidVariable(name))
    }

    /// `GRAPH_API_BASE_URL` and `GRAPH_API_VERSION`, joined: `https://graph.facebook.com/v26.0`. Access tokens are sent
    /// there, so the host must be Meta's or, in a local run, this machine.
    pub fn graph_api_url(self) -> Result<String, GraphApiUrlError> {
        let base = self.required("GRAPH_API_BASE_URL")?;
        let local_port = base.strip_prefix("http://127.0.0.1:").map(str::parse::<u16>);
        if base != "https://graph.facebook.com" && !matches!(local_port, Some(Ok(_))) {
            return Err(GraphApiUrlError::Foreign);
        }
        Ok(format!("{base}/{}", self.required("GRAPH_API_VERSION")?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates an environment with the base URL `$base`.
    macro_rules! with_base {
        ($base:literal) => {
            Environment::new(|name| match name {
                "GRAPH_API_BASE_URL" => Some($base.to_owned()),
                _ => Some("v26.0".to_owned()),
            })
        };
    }

    #[test]
    fn the_own_number_has_a_phone_number_id_of_digits() {
        let environment = |id: fn(&str) -> Option<String>| Environment::new(id);
        let with_digits = environment(|_| Some("106540352242922".to_owned()));
        assert_eq!(with_digits.phone_number_id().as_deref(), Some("106540352242922"));
        assert!(with_digits.business_number().is_some());
        for other in [
            environment(|_| Some("../me".to_owned())),
            environment(|_| Some("1".repeat(21))),
            environment(|_| Some("１２".to_owned())),
            environment(|_| None),
        ] {
            assert!(other.phone_number_id().is_none() && other.business_number().is_none());
        }
    }

    #[test]
    fn only_metas_host_and_this_machine_are_accepted() {
        let url = |environment: Environment| environment.graph_api_url().ok();
        assert_eq!(url(with_base!("https://graph.facebook.com")).as_deref(), Some("https://graph.facebook.com/v26.0"));
        assert_eq!(url(with_base!("http://127.0.0.1:8788")).as_deref(), Some("http://127.0.0.1:8788/v26.0"));
        for elsewhere in [
            with_base!("http://graph.facebook.com"),
            with_base!("https://graph.facebook.com.example.org"),
            with_base!("https://graph.facebook.com@example.org"),
            with_base!("https://example.org"),
            with_base!("http://127.0.0.1"),
            with_base!("http://127.0.0.1:80@example.org"),
            with_base!("http://127.0.0.1:80/../x"),
            with_base!(""),
        ] {
            assert_eq!(url(elsewhere), None);
        }
    }
}
