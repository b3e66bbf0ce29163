//! What a function is told by its environment. `template.yaml` sets every variable.

use std::{fmt, time::Duration};

use crate::{domain::auto_reply::Limits, services::deliver::Settings};

/// The environment of a function: a way to look up a variable, given by `main`.
#[derive(Clone, Copy)]
pub struct Environment {
    lookup: fn(&str) -> Option<String>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

/// A variable that a function cannot work without is unset or empty.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {0} is not set")]
pub struct MissingVariable(&'static str);

/// A variable that has to be a number is not.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {0} is not a number")]
pub struct InvalidVariable(&'static str);

/// The Cloud API is nowhere that an access token may be sent to.
#[derive(Debug, thiserror::Error)]
pub enum GraphApiUrlError {
    /// A variable is not set.
    #[error(transparent)]
    Missing(#[from] MissingVariable),
    /// It is not Meta's.
    #[error("GRAPH_API_BASE_URL must be https://graph.facebook.com, or http://127.0.0.1 with a port")]
    Foreign,
}

impl Environment {
    /// An environment that `lookup` answers for.
    pub fn new(lookup: fn(&str) -> Option<String>) -> Self {
        Self { lookup }
    }

    fn required(self, name: &'static str) -> Result<String, MissingVariable> {
        self.optional(name).ok_or(MissingVariable(name))
    }

    fn optional(self, name: &'static str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    /// `TABLE_NAME`: the table.
    pub fn table_name(self) -> Result<String, MissingVariable> {
        self.required("TABLE_NAME")
    }

    /// `AWS_LAMBDA_FUNCTION_NAME`: the function itself. Lambda sets it.
    pub fn function_name(self) -> Result<String, MissingVariable> {
        self.required("AWS_LAMBDA_FUNCTION_NAME")
    }

    /// `WHATSAPP_SECRET_ID`: name or ARN of the secret; see [`crate::secrets`].
    pub fn secret_id(self) -> Result<String, MissingVariable> {
        self.required("WHATSAPP_SECRET_ID")
    }

    /// `OPERATOR_SECRET_ID`: name or ARN of the secret with the operator's key; see [`crate::secrets`].
    pub fn operator_secret_id(self) -> Result<String, MissingVariable> {
        self.required("OPERATOR_SECRET_ID")
    }

    /// `ORIGIN_SECRET_ID`: name or ARN of the secret that CloudFront shows; see [`crate::secrets`]. `None` when the
    /// deployment has no firewall.
    pub fn origin_secret_id(self) -> Option<String> {
        self.optional("ORIGIN_SECRET_ID")
    }

    /// `NUMBERS_KEY_ID`: ARN of the KMS key over the credentials of numbers; `None` when the deployment has none.
    pub fn numbers_key_id(self) -> Option<String> {
        self.optional("NUMBERS_KEY_ID")
    }

    /// `TOKEN_ISSUER`, `TOKEN_AUDIENCE` and `TOKEN_KEYS_URL`: whose tokens are taken beside API keys. `None` without an
    /// issuer. With one, the audience must be there too: a token that was made for somebody else's product is no proof.
    pub fn token_issuer(self) -> Result<Option<TokenIssuer>, MissingVariable> {
        let Some(issuer) = self.optional("TOKEN_ISSUER") else { return Ok(None) };
        let audience = self.required("TOKEN_AUDIENCE")?;
        let keys_url = self
            .optional("TOKEN_KEYS_URL")
            .unwrap_or_else(|| format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/')));
        Ok(Some(TokenIssuer { issuer, audience, keys_url }))
    }

    /// `PHONE_NUMBER_ID`: Meta's id of this deployment's number.
    pub fn phone_number_id(self) -> Option<String> {
        self.optional("PHONE_NUMBER_ID")
    }

    /// `PHONE_NUMBER_ID` and `DISPLAY_PHONE_NUMBER`: the number of this deployment. `None` when it has none, and
    /// sessions are paired by linked-device workers only.
    pub fn business_number(self) -> Option<BusinessNumber> {
        Some(BusinessNumber {
            phone_number_id: self.phone_number_id()?,
            display_phone_number: self.optional("DISPLAY_PHONE_NUMBER")?,
        })
    }

    /// `MESSAGES_PER_SECOND` and `UNKNOWN_DEADLINE_SECONDS`: how `deliver` sends.
    pub fn delivery_settings(self) -> Result<Settings, InvalidVariable> {
        Ok(Settings {
            rate: self.number("MESSAGES_PER_SECOND")?,
            unknown_deadline: Duration::from_secs(self.number("UNKNOWN_DEADLINE_SECONDS")?),
        })
    }

    /// `INBOX_SHARDS`: into how many partitions the inbox index is spread.
    pub fn inbox_shards(self) -> Result<u8, InvalidVariable> {
        self.number("INBOX_SHARDS")
    }

    /// `AUTO_REPLY_QUIET_MINUTES` and `AUTO_REPLIES_PER_HOUR`: what keeps automatic replies back.
    pub fn auto_reply_limits(self) -> Result<Limits, InvalidVariable> {
        let minutes: u32 = self.number("AUTO_REPLY_QUIET_MINUTES")?;
        Ok(Limits {
            quiet: Duration::from_secs(u64::from(minutes) * 60),
            per_hour: self.number("AUTO_REPLIES_PER_HOUR")?,
        })
    }

    /// `RETENTION_DAYS`: how long messages are kept; `None` for ever, which is written as 0.
    pub fn retention(self) -> Result<Option<Duration>, InvalidVariable> {
        let days: u32 = self.number("RETENTION_DAYS")?;
        Ok((days > 0).then(|| Duration::from_secs(u64::from(days) * 24 * 60 * 60)))
    }

    fn number<N: std::str::FromStr>(self, name: &'static str) -> Result<N, InvalidVariable> {
        self.optional(name).and_then(|value| value.parse().ok()).ok_or(InvalidVariable(name))
    }

    /// `GRAPH_API_BASE_URL` and `GRAPH_API_VERSION`, joined: `https://graph.facebook.com/v26.0`. Access tokens go there, and
    /// so it is Meta's host or, in a local run, this machine.
    pub fn graph_api_url(self) -> Result<String, GraphApiUrlError> {
        let base = self.required("GRAPH_API_BASE_URL")?;
        let local_port = base.strip_prefix("http://127.0.0.1:").map(str::parse::<u16>);
        if base != "https://graph.facebook.com" && !matches!(local_port, Some(Ok(_))) {
            return Err(GraphApiUrlError::Foreign);
        }
        Ok(format!("{base}/{}", self.required("GRAPH_API_VERSION")?))
    }
}

/// An identity provider whose tokens name owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenIssuer {
    /// The claim `iss`, letter by letter.
    pub issuer: String,
    /// What the claim `aud` must be, or have among others.
    pub audience: String,
    /// Where its public keys are (JWKS).
    pub keys_url: String,
}

/// A WhatsApp business number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusinessNumber {
    /// Meta's id of the number; what webhooks and sends name it by.
    pub phone_number_id: String,
    /// The number itself, digits only, as `wa.me` links need it.
    pub display_phone_number: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An environment in which the base URL is `$base`.
    macro_rules! with_base {
        ($base:literal) => {
            Environment::new(|name| match name {
                "GRAPH_API_BASE_URL" => Some($base.to_owned()),
                _ => Some("v26.0".to_owned()),
            })
        };
    }

    #[test]
    fn access_tokens_go_to_meta_and_to_this_machine_only() {
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
