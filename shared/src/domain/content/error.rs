//! Errors of content that WhatsApp would reject.

/// Content that WhatsApp would reject. The error message starts with the path of the field, such as
/// `interactive.action.buttons[0].reply.title has 25 characters: WhatsApp allows up to 20`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// A required field is missing, `null`, or blank.
    #[error("{field} is required")]
    Missing {
        /// The path of the field, or of the fields of which one is required.
        field: String,
    },
    /// A value has the wrong JSON type or is outside the allowed range.
    #[error("{field} must be {expected}")]
    Invalid {
        /// The path of the field.
        field: String,
        /// The expected value, such as `a string`.
        expected: String,
    },
    /// A text exceeds its limit.
    #[error("{field} has {length} characters: WhatsApp allows up to {limit}")]
    TooLong {
        /// The path of the field.
        field: String,
        /// The length of the text, in Unicode scalar values.
        length: usize,
        /// The limit, in Unicode scalar values.
        limit: usize,
    },
    /// An array has too few or too many entries.
    #[error("{field} has {count} {unit}: WhatsApp {}", allowed(*min, *max))]
    Count {
        /// The path of the array.
        field: String,
        /// The number of entries.
        count: usize,
        /// The name of the entries, such as `entries`.
        unit: &'static str,
        /// The minimum.
        min: usize,
        /// The maximum.
        max: usize,
    },
    /// A value that must be unique repeats an earlier one.
    #[error("{field} repeats an earlier value: WhatsApp requires unique values")]
    Repeated {
        /// The path of the field.
        field: String,
    },
    /// Two fields exclude each other.
    #[error("{field} and {other} can't be combined: use one of them")]
    Excluded {
        /// The path of the first field.
        field: String,
        /// The path of the second field.
        other: String,
    },
    /// WhatsApp doesn't document the field at this place. Most often, its name is misspelled.
    #[error("{field} is not a field of this message: {hint}")]
    Unknown {
        /// The path of the field.
        field: String,
        /// The most similar documented field, or all of them.
        hint: String,
    },
}

fn allowed(min: usize, max: usize) -> String {
    if max == usize::MAX { format!("requires at least {min}") } else { format!("allows {min} to {max}") }
}
