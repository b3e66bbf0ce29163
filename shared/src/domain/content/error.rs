//! Why a message is not one that WhatsApp takes.

/// What a caller has to change. The sentence starts with the field, as a path:
/// `interactive.action.buttons[0].reply.title has 25 characters: WhatsApp takes up to 20`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// A field that must be there is not, is `null`, or is blank.
    #[error("{field} is required")]
    Missing {
        /// The field, or the fields of which one has to be there.
        field: String,
    },
    /// A value of another JSON type, or outside of what WhatsApp takes.
    #[error("{field} must be {expected}")]
    Invalid {
        /// The field.
        field: String,
        /// What it has to be.
        expected: String,
    },
    /// A text over its limit.
    #[error("{field} has {length} characters: WhatsApp takes up to {limit}")]
    TooLong {
        /// The field.
        field: String,
        /// Its length, in Unicode scalar values.
        length: usize,
        /// The limit, in the same unit.
        limit: usize,
    },
    /// Too few or too many of something.
    #[error("{field} has {count} {things}: WhatsApp takes {min} to {max}")]
    Count {
        /// The array.
        field: String,
        /// How many there are.
        count: usize,
        /// Of what.
        things: &'static str,
        /// The fewest.
        min: usize,
        /// The most.
        max: usize,
    },
    /// A value that must differ from those before it and does not.
    #[error("{field} is the same as one before it: WhatsApp takes each only once")]
    Repeated {
        /// The field.
        field: String,
    },
    /// Fields that exclude each other.
    #[error("{field} and {other} exclude each other: give one of them")]
    Excluded {
        /// The first.
        field: String,
        /// The second.
        other: String,
    },
    /// A field that WhatsApp does not document at this place: most often a typing error.
    #[error("{field} is not a field of this message: WhatsApp documents {known}")]
    Unknown {
        /// The field.
        field: String,
        /// The fields that could be meant.
        known: String,
    },
}

impl ContentError {
    /// The word for `code` in an answer.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing_field",
            Self::TooLong { .. } => "text_too_long",
            _ => "invalid_field",
        }
    }
}
