//! The statuses of templates.

use serde::{Deserialize, Serialize};

/// The status of a template (Meta, *message_template_status_update webhook reference*). Only an approved template can be
/// sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::whatsapp) enum TemplateStatus {
    /// In review.
    Pending,
    Approved,
    Rejected,
    /// Has a low quality (Meta, *Template pausing*).
    Paused,
    /// Was paused three times (Meta, *Template pausing*).
    Disabled,
}

impl TemplateStatus {
    /// Returns whether a template with this status can get the status `next`. Only this function decides it.
    ///
    /// An edited template is in review again. An appeal or a better quality approves it again. Only an approved template
    /// can be paused (Meta, *Template review* and *Template pausing*).
    pub(super) fn can_become(self, next: TemplateStatus) -> bool {
        use TemplateStatus::{Approved, Disabled, Paused, Pending, Rejected};
        match (self, next) {
            (Pending, Approved | Rejected)
            | (Approved, Pending | Rejected | Paused | Disabled)
            | (Rejected | Disabled, Pending | Approved)
            | (Paused, Pending | Approved | Disabled) => true,
            (Pending | Rejected | Disabled, Paused | Disabled | Rejected)
            | (Pending, Pending)
            | (Approved, Approved)
            | (Paused, Paused | Rejected) => false,
        }
    }

    /// Returns the `event` of the webhook about this change.
    pub(super) fn event_after(self, previous: TemplateStatus) -> &'static str {
        match (previous, self) {
            (TemplateStatus::Disabled, TemplateStatus::Approved) => "REINSTATED",
            _ => self.as_str(),
        }
    }

    /// Returns whether a template with this status can be edited (Meta, *Template management*).
    pub(super) fn is_editable(self) -> bool {
        matches!(self, TemplateStatus::Approved | TemplateStatus::Rejected | TemplateStatus::Paused)
    }

    pub(in crate::whatsapp) fn as_str(self) -> &'static str {
        match self {
            TemplateStatus::Pending => "PENDING",
            TemplateStatus::Approved => "APPROVED",
            TemplateStatus::Rejected => "REJECTED",
            TemplateStatus::Paused => "PAUSED",
            TemplateStatus::Disabled => "DISABLED",
        }
    }
}

#[cfg(test)]
mod tests;
