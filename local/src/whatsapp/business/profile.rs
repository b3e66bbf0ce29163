//! The business profile of a number (Meta, *Business profiles*).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::whatsapp::{fields, graph_error::GraphError, parameters::Parameters};

/// The accepted values of `vertical` (Meta, *Business profiles*). An empty value clears it.
const VERTICALS: [&str; 23] = [
    "ALCOHOL",
    "APPAREL",
    "AUTO",
    "BEAUTY",
    "EDU",
    "ENTERTAIN",
    "EVENT_PLAN",
    "FINANCE",
    "GOVT",
    "GROCERY",
    "HEALTH",
    "HOTEL",
    "NONPROFIT",
    "NOT_A_BIZ",
    "ONLINE_GAMBLING",
    "OTC_DRUGS",
    "OTHER",
    "PHYSICAL_GAMBLING",
    "PROF_SERVICES",
    "RESTAURANT",
    "RETAIL",
    "TRAVEL",
    "UNDEFINED",
];
/// The members that contain text, with their maximum numbers of characters.
const TEXTS: [(&str, usize); 4] = [("about", 139), ("address", 256), ("description", 512), ("email", 128)];
const MAX_WEBSITES: usize = 2;
const MAX_WEBSITE_CHARACTERS: usize = 256;

/// A business profile: the members that have a value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::whatsapp) struct Profile(Map<String, Value>);

impl Profile {
    /// Changes the members in `parameters`. Empty values clear a member, except for `about`, which can't be empty.
    /// Accepts the handle of a picture and doesn't show the picture, as uploads aren't stored.
    pub(in crate::whatsapp) fn update(&mut self, parameters: &Parameters) -> Result<(), GraphError> {
        parameters.require_messaging_product()?;
        let mut changes = Map::new();
        for (name, maximum) in TEXTS {
            if !parameters.0.contains_key(name) {
                continue;
            }
            let text = parameters.string(name)?.unwrap_or_default();
            if text.chars().count() > maximum {
                return Err(GraphError::too_long(name, maximum));
            }
            if name == "about" && text.is_empty() {
                return Err(GraphError::parameter("Param about must be a non-empty string."));
            }
            if name == "email" && !text.is_empty() && !is_email(&text) {
                return Err(GraphError::parameter("Param email must be a valid email address."));
            }
            changes.insert(name.to_owned(), json!(text));
        }
        if parameters.0.contains_key("vertical") {
            let vertical = parameters.string("vertical")?.unwrap_or_default();
            if !vertical.is_empty() && !VERTICALS.contains(&vertical.as_str()) {
                return Err(GraphError::not_one_of("vertical", &VERTICALS));
            }
            changes.insert("vertical".to_owned(), json!(vertical));
        }
        if parameters.0.contains_key("websites") {
            let websites = parameters.array("websites")?.unwrap_or_default();
            check_websites(&websites)?;
            changes.insert("websites".to_owned(), json!(websites));
        }
        let handle = parameters.string("profile_picture_handle")?;
        if handle.is_some_and(|handle| !handle.starts_with("4:")) {
            return Err(GraphError::parameter("Param profile_picture_handle must be the handle of an uploaded file."));
        }
        for (name, value) in changes {
            match value {
                Value::String(text) if text.is_empty() => self.0.remove(&name),
                Value::Array(values) if values.is_empty() => self.0.remove(&name),
                value => self.0.insert(name, value),
            };
        }
        Ok(())
    }

    /// Returns the chosen members, or all of them. Members without a value are absent, as at Meta.
    pub(in crate::whatsapp) fn fields(&self, fields: Option<&[String]>) -> Result<Value, GraphError> {
        let mut all = json!({
            "messaging_product": "whatsapp",
            "about": null, "address": null, "description": null, "email": null, "profile_picture_url": null,
            "vertical": "UNDEFINED", "websites": null,
        });
        for (name, value) in &self.0 {
            all[name] = value.clone();
        }
        fields::choose(&all, fields, &["messaging_product"], "WhatsAppBusinessProfile")
    }
}

fn check_websites(websites: &[Value]) -> Result<(), GraphError> {
    if websites.len() > MAX_WEBSITES {
        return Err(GraphError::parameter(&format!("Param websites must have at most {MAX_WEBSITES} elements.")));
    }
    for (index, website) in websites.iter().enumerate() {
        let name = format!("websites[{index}]");
        let url = website.as_str().unwrap_or_default();
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(GraphError::parameter(&format!("Param {name} must be a URL with http:// or https://.")));
        }
        if url.chars().count() > MAX_WEBSITE_CHARACTERS {
            return Err(GraphError::too_long(&name, MAX_WEBSITE_CHARACTERS));
        }
    }
    Ok(())
}

fn is_email(text: &str) -> bool {
    let has_space = text.contains(char::is_whitespace);
    !has_space && text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
}

#[cfg(test)]
mod tests;
