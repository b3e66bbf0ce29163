//! Message templates: messages that WhatsApp has reviewed, and that can be sent at any time.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::{cursor::ExternalPosition, id::SessionId};

macro_rules! template_statuses {
    ($($(#[$doc:meta])* $name:ident $word:literal,)+) => {
        /// The status of a template, as a filter of the list. Templates themselves have it as text, because Meta adds
        /// statuses.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum TemplateStatus {
            $($(#[$doc])* $name,)+
        }

        impl TemplateStatus {
            /// Every status, with its name in requests.
            pub const CHOICES: &[(&str, Self)] = &[$(($word, Self::$name)),+];

            /// Returns Meta's name.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }
    };
}

template_statuses! {
    /// WhatsApp has approved the template. Only these can be sent.
    Approved "APPROVED",
    /// WhatsApp reviews the template.
    Pending "PENDING",
    /// WhatsApp has rejected the template.
    Rejected "REJECTED",
    /// Contacts block or report the template. It is approved again after some hours.
    Paused "PAUSED",
    /// The template was paused too often.
    Disabled "DISABLED",
    /// The business has appealed against a rejection.
    InAppeal "IN_APPEAL",
    /// The template was archived.
    Archived "ARCHIVED",
    /// The account has too many templates.
    LimitExceeded "LIMIT_EXCEEDED",
    /// The template is about to be deleted.
    PendingDeletion "PENDING_DELETION",
    /// The template was deleted.
    Deleted "DELETED",
}

/// A template, as Meta describes it (Meta, *Template API*).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MessageTemplate {
    /// Meta's ID.
    pub id: String,
    /// The name, which a message refers to together with the language.
    pub name: String,
    /// The language and locale code.
    pub language: String,
    /// The category: `MARKETING`, `UTILITY`, or `AUTHENTICATION`.
    pub category: String,
    /// The status. Only `APPROVED` templates can be sent.
    pub status: String,
    /// How messages name the parameters: `POSITIONAL` or `NAMED`. `None` if Meta doesn't say.
    #[serde(default)]
    pub parameter_format: Option<String>,
    /// The header, body, footer, and buttons, with example values of their parameters.
    pub components: Box<RawValue>,
}

/// A request for templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateList {
    /// The session.
    pub session_id: SessionId,
    /// The status of the templates. All if it is `None`.
    pub status: Option<TemplateStatus>,
    /// The maximum number of templates.
    pub limit: u32,
    /// The position after which the templates are.
    pub after: Option<ExternalPosition>,
}

impl TemplateList {
    /// Identifies the list in its cursors.
    pub fn name(&self) -> String {
        format!("templates {} {}", self.session_id, self.status.map_or("", TemplateStatus::as_str))
    }

    /// Returns the cursor of a position.
    pub fn cursor(&self, position: &ExternalPosition) -> String {
        position.cursor(&self.name())
    }
}

/// A page of templates.
#[derive(Debug)]
pub struct TemplatePage {
    /// The templates, in Meta's order.
    pub templates: Vec<MessageTemplate>,
    /// The position after which the next page starts. `None` if this is the last page.
    pub next: Option<ExternalPosition>,
}
