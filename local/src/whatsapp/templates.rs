//! Message templates: what creates, edits, reviews, and deletes them, and the check of a message against its template
//! (Meta, *Template management* and *Template components*).

mod authentication;
mod buttons;
mod components;
mod message;
mod rendering;
mod review;
mod status;
mod text;
mod webhook;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use self::{
    components::one_of,
    review::{Rejection, review},
};
pub(super) use self::{status::TemplateStatus, webhook::AccountUpdate};
use super::{clock::unix_now, graph_error::GraphError, parameters::Parameters};

/// Maximum length of a template's name.
const MAX_NAME_CHARS: usize = 512;
/// Maximum number of templates of an account that isn't verified.
pub(super) const MAX_TEMPLATES: usize = 250;
/// Maximum number of IDs in one deletion.
const MAX_DELETED_IDS: usize = 100;
/// How long the name of a deleted template can't be used again: 30 days.
const NAME_HOLD_SECONDS: i64 = 30 * DAY_SECONDS;
const DAY_SECONDS: i64 = 24 * 60 * 60;
/// How often an approved template can be edited in 30 days.
const MAX_EDITS: usize = 10;
/// The first ID. Meta's IDs have up to 16 digits.
const FIRST_ID: u64 = 1_387_372_356_726_668;

/// The codes of Meta's *Supported languages*.
#[rustfmt::skip]
const LANGUAGES: [&str; 113] = [
    "af", "sq", "ar", "ar_AE", "ar_EG", "ar_LB", "ar_MA", "ar_QA", "ar_SA", "az", "be_BY", "bn", "bn_IN", "bg", "ca",
    "zh_CN", "zh_HK", "zh_TW", "hr", "cs", "da", "prs_AF", "nl", "nl_BE", "en", "en_AE", "en_AU", "en_CA", "en_GB",
    "en_GH", "en_IE", "en_IN", "en_JM", "en_MY", "en_NZ", "en_QA", "en_SG", "en_UG", "en_US", "en_ZA", "et", "fil",
    "fi", "fr", "fr_BE", "fr_CA", "fr_CH", "fr_CI", "fr_MA", "ka", "de", "de_AT", "de_CH", "el", "gu", "ha", "he",
    "hi", "hu", "id", "ga", "it", "ja", "kn", "kk", "rw_RW", "ko", "ky_KG", "lo", "lv", "lt", "mk", "ms", "ml", "mr",
    "nb", "ps_AF", "fa", "pl", "pt_BR", "pt_PT", "pa", "ro", "ru", "sr", "si_LK", "sk", "sl", "es", "es_AR", "es_CL",
    "es_CO", "es_CR", "es_DO", "es_EC", "es_ES", "es_HN", "es_MX", "es_PA", "es_PE", "es_UY", "es_VE", "sw", "sv",
    "ta", "te", "th", "tr", "uk", "ur", "uz", "vi", "zu",
];

/// What a template is for (Meta, *Template categorization*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Category {
    Authentication,
    Marketing,
    Utility,
}

/// How the parameters of a template are identified (Meta, *Templates*, parameter formats).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum ParameterFormat {
    Named,
    Positional,
}

/// The `message_status` of messages with a template (Meta, *Template pacing*).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum MessageStatus {
    #[default]
    Accepted,
    HeldForQualityAssessment,
    Paused,
}

impl MessageStatus {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            MessageStatus::Accepted => "accepted",
            MessageStatus::HeldForQualityAssessment => "held_for_quality_assessment",
            MessageStatus::Paused => "paused",
        }
    }
}

/// The quality of a template (Meta, *Template quality*).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Quality {
    Green,
    Yellow,
    Red,
    #[default]
    Unknown,
}

/// A message template of a WhatsApp Business Account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Template {
    pub(super) id: String,
    pub(super) waba_id: String,
    pub(super) name: String,
    pub(super) language: String,
    pub(super) category: Category,
    pub(super) status: TemplateStatus,
    parameter_format: ParameterFormat,
    components: Vec<Value>,
    /// Members of the request that Meta returns unchanged, such as `sub_category`.
    other: Map<String, Value>,
    /// Why the template was rejected, or `NONE`.
    rejected_reason: String,
    pub(super) message_status: MessageStatus,
    quality: Quality,
    /// When the template got its quality, in Unix seconds.
    rated_at: i64,
    /// How often the template was paused.
    pauses: u32,
    /// When the approved template was edited, in Unix seconds.
    edited_at: Vec<i64>,
}

/// The members of a request that Meta stores with a template and returns unchanged.
const OTHER_MEMBERS: [&str; 4] =
    ["sub_category", "message_send_ttl_seconds", "cta_url_link_tracking_opted_out", "degrees_of_freedom_spec"];

/// The fields that are returned without `fields`.
const DEFAULT_FIELDS: [&str; 8] =
    ["name", "parameter_format", "components", "language", "status", "category", "sub_category", "id"];

/// The fields that exist, though a template may not have a value.
const FIELDS: [&str; 17] = [
    "name",
    "parameter_format",
    "components",
    "language",
    "status",
    "category",
    "sub_category",
    "id",
    "message_send_ttl_seconds",
    "cta_url_link_tracking_opted_out",
    "degrees_of_freedom_spec",
    "rejected_reason",
    "quality_score",
    "correct_category",
    "previous_category",
    "library_template_name",
    "message_template_namespace",
];

impl Template {
    /// Returns the template as the Graph API does, with all or with the given fields.
    ///
    /// # Errors
    /// Returns Meta's error for an unknown field.
    pub(super) fn fields(&self, fields: Option<&[String]>) -> Result<Value, GraphError> {
        let mut all = self.other.clone();
        all.insert("name".to_owned(), json!(self.name));
        all.insert("parameter_format".to_owned(), json!(self.parameter_format));
        all.insert("components".to_owned(), json!(self.components));
        all.insert("language".to_owned(), json!(self.language));
        all.insert("status".to_owned(), json!(self.status));
        all.insert("category".to_owned(), json!(self.category));
        all.insert("rejected_reason".to_owned(), json!(self.rejected_reason));
        all.insert("quality_score".to_owned(), json!({"score": self.quality, "date": self.rated_at}));
        all.insert("id".to_owned(), json!(self.id));
        let mut chosen = Map::from_iter([("id".to_owned(), json!(self.id))]);
        let fields =
            fields.map_or_else(|| DEFAULT_FIELDS.to_vec(), |fields| fields.iter().map(String::as_str).collect());
        for field in fields {
            if !FIELDS.contains(&field) {
                return Err(GraphError::parameter(&format!(
                    "Tried accessing nonexisting field ({field}) on node type (WhatsAppMessageTemplate)"
                )));
            }
            if let Some(value) = all.get(field) {
                chosen.insert(field.to_owned(), value.clone());
            }
        }
        Ok(Value::Object(chosen))
    }

    /// Returns whether the `template` of a message names this template.
    pub(super) fn is_of(&self, sent: &Value) -> bool {
        sent["name"] == self.name.as_str() && sent["language"]["code"] == self.language.as_str()
    }

    /// Returns whether the name or a text contains `text`, which is in lower case.
    pub(super) fn contains(&self, text: &str) -> bool {
        let texts = ["HEADER", "BODY", "FOOTER"].into_iter().filter_map(|kind| self.text_of(kind));
        texts.chain([self.name.as_str()]).any(|other| other.to_lowercase().contains(text))
    }

    fn component(&self, kind: &str) -> Option<&Value> {
        self.components.iter().find(|component| component["type"] == kind)
    }

    fn text_of(&self, kind: &str) -> Option<&str> {
        self.component(kind)?["text"].as_str()
    }

    /// Replaces the components by those of `parameters`, if it has any.
    fn apply(&mut self, parameters: &Parameters) -> Result<(), GraphError> {
        if let Some(components) = parameters.array("components")? {
            self.components = components::parse(&components, self.category, self.parameter_format)?;
        }
        if let Some(seconds) = parameters.integer("message_send_ttl_seconds")? {
            let (min, max) = match self.category {
                Category::Authentication => (30, 900),
                Category::Utility => (30, 43_200),
                Category::Marketing => (43_200, 2_592_000),
            };
            let is_month = seconds == -1 && self.category != Category::Marketing;
            if !is_month && !(min..=max).contains(&seconds) {
                let sentence = format!("Param message_send_ttl_seconds must be from {min} to {max}.");
                return Err(GraphError::parameter(&sentence));
            }
        }
        for member in OTHER_MEMBERS {
            if let Some(value) = parameters.get(member) {
                self.other.insert(member.to_owned(), value.clone());
            }
        }
        Ok(())
    }
}

/// The name of a template that was approved and deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct DeletedName {
    waba_id: String,
    name: String,
    /// Unix seconds.
    at: i64,
}

/// The templates of all accounts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Templates {
    templates: Vec<Template>,
    deleted: Vec<DeletedName>,
    next_id: u64,
    /// Whether templates stay in review until `/simulator/templates` sets their status.
    pub(super) manual_review: bool,
}

impl Templates {
    /// The templates of a new account: `hello_world`, which Meta creates (Meta, *Template API*).
    pub(super) fn new(waba_id: &str) -> Templates {
        let hello_world = Template {
            id: FIRST_ID.to_string(),
            waba_id: waba_id.to_owned(),
            name: "hello_world".to_owned(),
            language: "en_US".to_owned(),
            category: Category::Marketing,
            status: TemplateStatus::Approved,
            parameter_format: ParameterFormat::Positional,
            components: vec![
                json!({"type": "HEADER", "format": "TEXT", "text": "Hello World"}),
                json!({"type": "BODY", "text": "Welcome and congratulations!! This message demonstrates your ability to \
                    send a WhatsApp message notification from the Cloud API, hosted by Meta. Thank you for taking the \
                    time to test with us."}),
                json!({"type": "FOOTER", "text": "WhatsApp Business Platform sample message"}),
            ],
            other: Map::new(),
            rejected_reason: "NONE".to_owned(),
            message_status: MessageStatus::Accepted,
            quality: Quality::Unknown,
            rated_at: unix_now(),
            pauses: 0,
            edited_at: Vec::new(),
        };
        Templates { templates: vec![hello_world], deleted: Vec::new(), next_id: FIRST_ID + 1, manual_review: false }
    }

    pub(super) fn get(&self, id: &str) -> Option<&Template> {
        self.templates.iter().find(|template| template.id == id)
    }

    /// Returns the template of an account with this name and language.
    pub(super) fn find(&self, waba_id: &str, name: &str, language: &str) -> Option<&Template> {
        self.templates
            .iter()
            .find(|template| template.waba_id == waba_id && template.name == name && template.language == language)
    }

    /// Returns the templates of an account.
    pub(super) fn of<'a>(&'a self, waba_id: &'a str) -> impl Iterator<Item = &'a Template> {
        self.templates.iter().filter(move |template| template.waba_id == waba_id)
    }

    /// Returns all templates.
    pub(super) fn all(&self) -> &[Template] {
        &self.templates
    }

    /// Creates a template, and reviews it unless reviews are manual. Returns it as it was before the review, and the
    /// webhook about the review.
    pub(super) fn create(
        &mut self,
        waba_id: &str,
        parameters: &Parameters,
        now: i64,
    ) -> Result<(Template, Option<AccountUpdate>), GraphError> {
        let name = parameters.required_string("name")?;
        check_name(&name)?;
        let language = parameters.required_string("language")?;
        check_language(&language)?;
        let category = category(parameters)?.ok_or_else(|| GraphError::missing("category"))?;
        let parameter_format = match parameters.get("parameter_format") {
            None => ParameterFormat::Positional,
            format => match one_of(format, "parameter_format", &["NAMED", "POSITIONAL"])?.as_str() {
                "NAMED" => ParameterFormat::Named,
                _ => ParameterFormat::Positional,
            },
        };
        if parameters.array("components")?.is_none() {
            return Err(GraphError::missing("components"));
        }
        let mut template = Template {
            id: self.next_id.to_string(),
            waba_id: waba_id.to_owned(),
            name,
            language,
            category,
            status: TemplateStatus::Pending,
            parameter_format,
            components: Vec::new(),
            other: Map::new(),
            rejected_reason: "NONE".to_owned(),
            message_status: MessageStatus::Accepted,
            quality: Quality::Unknown,
            rated_at: now,
            pauses: 0,
            edited_at: Vec::new(),
        };
        template.apply(parameters)?;
        self.check_new(&template, now)?;
        self.next_id += 1;
        self.templates.push(template.clone());
        let update = self.review(&template.id, now);
        Ok((template, update))
    }

    /// Checks that the account can have this template.
    fn check_new(&self, template: &Template, now: i64) -> Result<(), GraphError> {
        let Template { waba_id, name, language, .. } = template;
        if self.of(waba_id).count() >= MAX_TEMPLATES {
            return Err(GraphError::for_user(
                2_388_019,
                "Message Template Limit Exceeded",
                "You have exceeded the maximum number of message templates you can have for this WhatsApp business \
                 account.",
            ));
        }
        if self.find(waba_id, name, language).is_some() {
            let sentence = format!(
                "There is already {language} content for this template. You can create a new template and try again."
            );
            return Err(GraphError::for_user(2_388_024, "Content in This Language Already Exists", &sentence));
        }
        let is_held = |deleted: &DeletedName| {
            deleted.waba_id == *waba_id && deleted.name == *name && now - deleted.at < NAME_HOLD_SECONDS
        };
        if self.deleted.iter().any(is_held) {
            let sentence = format!(
                "New {language} content can't be added while the existing {language} content is being deleted. Try \
                 again in 4 weeks or consider creating a new message template."
            );
            return Err(GraphError::for_user(2_388_023, "Message template language is being deleted", &sentence));
        }
        Ok(())
    }

    /// Edits a template, and reviews it again. Returns the webhooks about it.
    pub(super) fn edit(
        &mut self,
        id: &str,
        parameters: &Parameters,
        now: i64,
    ) -> Result<Vec<AccountUpdate>, GraphError> {
        let category = category(parameters)?;
        let template = self.templates.iter_mut().find(|template| template.id == id);
        let template = template.ok_or_else(|| GraphError::unsupported("POST", id))?;
        let unchangeable = || {
            GraphError::for_user(
                2_388_039,
                "Message template status can't be changed",
                "The status for this message template can't be changed. You can only delete or add templates.",
            )
        };
        if !template.status.is_editable() {
            return Err(unchangeable());
        }
        let is_approved = template.status == TemplateStatus::Approved;
        if is_approved {
            template.edited_at.retain(|at| now - at < 30 * DAY_SECONDS);
            let is_recent = template.edited_at.last().is_some_and(|at| now - at < DAY_SECONDS);
            if is_recent || template.edited_at.len() >= MAX_EDITS {
                return Err(unchangeable());
            }
            if category.is_some_and(|category| category != template.category) {
                let sentence = "The category of an approved template can't be changed.";
                return Err(GraphError::for_user(2_388_039, "Message template category can't be changed", sentence));
            }
        }
        template.category = category.unwrap_or(template.category);
        template.apply(parameters)?;
        if is_approved {
            template.edited_at.push(now);
        }
        template.status = TemplateStatus::Pending;
        let mut updates = vec![webhook::components_update(template)];
        updates.extend(self.review(id, now));
        Ok(updates)
    }

    /// Reviews a pending template unless reviews are manual.
    fn review(&mut self, id: &str, now: i64) -> Option<AccountUpdate> {
        if self.manual_review {
            return None;
        }
        let template = self.get(id)?;
        let others: Vec<&Template> = self.of(&template.waba_id).filter(|other| other.id != id).collect();
        let rejection = review(template, &others).err();
        let status = if rejection.is_some() { TemplateStatus::Rejected } else { TemplateStatus::Approved };
        self.set_status(id, status, rejection, now).ok()
    }

    /// Sets the status of a template as Meta's reviews and quality rating do. Returns the webhook about it.
    ///
    /// # Errors
    /// Returns a sentence if a template with its status can't get this one.
    pub(super) fn change_status(
        &mut self,
        id: &str,
        status: TemplateStatus,
        reason: Option<&str>,
        now: i64,
    ) -> Result<AccountUpdate, String> {
        let rejection = reason.map(Rejection::with_reason).transpose()?;
        if rejection.is_some() && status != TemplateStatus::Rejected {
            return Err("reason requires the status REJECTED".to_owned());
        }
        self.set_status(id, status, rejection, now)
    }

    fn set_status(
        &mut self,
        id: &str,
        status: TemplateStatus,
        rejection: Option<Rejection>,
        now: i64,
    ) -> Result<AccountUpdate, String> {
        let template = self.templates.iter_mut().find(|template| template.id == id);
        let template = template.ok_or("This template doesn't exist")?;
        let previous = template.status;
        if !previous.can_become(status) {
            let (name, previous, status) = (&template.name, previous.as_str(), status.as_str());
            return Err(format!("{name} is {previous}: a template with this status can't become {status}"));
        }
        template.status = status;
        template.pauses += u32::from(status == TemplateStatus::Paused);
        template.rejected_reason = rejection.as_ref().map_or("NONE", |rejection| rejection.reason).to_owned();
        Ok(webhook::status_update(template, previous, rejection.as_ref(), now))
    }

    /// Sets the `message_status` that messages with a template have.
    pub(super) fn set_message_status(&mut self, id: &str, message_status: MessageStatus) {
        if let Some(template) = self.templates.iter_mut().find(|template| template.id == id) {
            template.message_status = message_status;
        }
    }

    /// Sets the quality of a template. Returns the webhook about it.
    pub(super) fn set_quality(&mut self, id: &str, quality: Quality, now: i64) -> Option<AccountUpdate> {
        let template = self.templates.iter_mut().find(|template| template.id == id)?;
        let previous = std::mem::replace(&mut template.quality, quality);
        template.rated_at = now;
        Some(webhook::quality_update(template, previous))
    }

    /// Deletes the templates with a name, one of them, or those with the given IDs.
    pub(super) fn delete(&mut self, waba_id: &str, parameters: &Parameters, now: i64) -> Result<(), GraphError> {
        let name = parameters.string("name")?;
        let id = parameters.string("hsm_id")?;
        let ids: Vec<String> = match parameters.array("hsm_ids")? {
            Some(_) if name.is_some() || id.is_some() => {
                return Err(GraphError::parameter("Param hsm_ids can't be combined with name or hsm_id."));
            }
            Some(ids) if ids.len() > MAX_DELETED_IDS => {
                return Err(GraphError::parameter("Param hsm_ids can have up to 100 IDs."));
            }
            Some(ids) => ids.iter().map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned)).collect(),
            None => {
                let name = name.ok_or_else(|| GraphError::missing("name"))?;
                let of_name = self.of(waba_id).filter(|template| template.name == name);
                of_name
                    .map(|template| template.id.clone())
                    .filter(|other| id.as_ref().is_none_or(|id| id == other))
                    .collect()
            }
        };
        let deleted: Vec<&Template> = self.of(waba_id).filter(|template| ids.contains(&template.id)).collect();
        if deleted.is_empty() || deleted.len() < ids.len() {
            let sentence = "The message template doesn't exist in this WhatsApp Business Account.";
            return Err(GraphError::new(100, None).with_user_message("Message Template Not Found", sentence));
        }
        if deleted.iter().any(|template| template.status == TemplateStatus::Disabled) {
            let sentence = "A disabled message template can't be deleted.";
            return Err(GraphError::for_user(2_388_039, "Message template can't be deleted", sentence));
        }
        let approved = deleted.iter().filter(|template| template.status == TemplateStatus::Approved);
        let names: Vec<DeletedName> = approved
            .map(|template| DeletedName { waba_id: waba_id.to_owned(), name: template.name.clone(), at: now })
            .collect();
        self.deleted.extend(names);
        self.templates.retain(|template| !ids.contains(&template.id));
        Ok(())
    }

    /// Returns what a phone shows of a message with the template `content`; `None` without such a template.
    pub(super) fn render(&self, waba_id: &str, content: &Value) -> Option<Vec<Value>> {
        let (name, language) = (content["name"].as_str()?, content["language"]["code"].as_str()?);
        rendering::render(content, self.find(waba_id, name, language)?).ok()
    }

    /// Checks the `template` of a message, whose shape is valid. Returns the template.
    ///
    /// # Errors
    /// Returns Meta's error for a template that can't be sent, or for parameters that don't match it.
    pub(super) fn check_message(
        &self,
        waba_id: &str,
        content: &Value,
        to_user_id: bool,
    ) -> Result<&Template, GraphError> {
        let name = content["name"].as_str().unwrap_or_default();
        let language = content["language"]["code"].as_str().unwrap_or_default();
        match self.find(waba_id, name, language).map(|template| (template, template.status)) {
            Some((template, TemplateStatus::Approved))
                if to_user_id && template.category == Category::Authentication =>
            {
                // Meta, *Business-scoped user IDs*.
                Err(GraphError::new(131_062, None))
            }
            Some((template, TemplateStatus::Approved)) => {
                message::check(content, template)?;
                Ok(template)
            }
            Some((_, TemplateStatus::Paused)) => Err(GraphError::new(132_015, None)),
            Some((_, TemplateStatus::Disabled)) => Err(GraphError::new(132_016, None)),
            Some((_, TemplateStatus::Pending | TemplateStatus::Rejected)) | None => {
                let details = format!("template name ({name}) does not exist in {language}");
                Err(GraphError::new(132_001, Some(details)))
            }
        }
    }
}

fn check_name(name: &str) -> Result<(), GraphError> {
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(components::too_long("template", "name", MAX_NAME_CHARS));
    }
    if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
        let sentence = "The message template name can only have lowercase letters and underscores.";
        return Err(GraphError::for_user(2_388_046, "Name Format is Incorrect", sentence));
    }
    if name == "hello_world" {
        let sentence =
            "This template is named after a sample template created by default. Please use a different name.";
        return Err(GraphError::for_user(2_388_155, "Template name is already used as a sample template", sentence));
    }
    Ok(())
}

fn check_language(language: &str) -> Result<(), GraphError> {
    if LANGUAGES.contains(&language) {
        return Ok(());
    }
    let listed = LANGUAGES.join(", ");
    Err(GraphError::parameter(&format!("Param language must be one of {{{listed}}} - got \"{language}\".")))
}

fn category(parameters: &Parameters) -> Result<Option<Category>, GraphError> {
    let Some(category) = parameters.get("category") else { return Ok(None) };
    let category = one_of(Some(category), "category", &["UTILITY", "MARKETING", "AUTHENTICATION"])?;
    Ok(Some(match category.as_str() {
        "UTILITY" => Category::Utility,
        "MARKETING" => Category::Marketing,
        _ => Category::Authentication,
    }))
}

#[cfg(test)]
mod tests;
