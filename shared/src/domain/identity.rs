//! Who a chat is with: the forms in which WhatsApp and API callers name a person or a group, and the one identity that
//! stands behind the different forms of one phone number.

use std::fmt;

/// How a person or group is addressed, as it was given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A phone number: country code and number, digits only.
    Phone(String),
    /// A business-scoped user id such as `US.13491208655302741918`: opaque and case-sensitive (Meta: "Business-scoped
    /// user IDs").
    Bsuid(String),
    /// A group id, without `@g.us`.
    Group(String),
}

/// What makes a chat unique within a session. Only ever compared, stored and derived from; never sent to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// A phone number in the one form that its variants share; see [`Address::identity`].
    Phone(String),
    /// A business-scoped user id.
    Bsuid(String),
    /// A group id.
    Group(String),
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone(digits) => write!(f, "phone:{digits}"),
            Self::Bsuid(id) => write!(f, "bsuid:{id}"),
            Self::Group(id) => write!(f, "group:{id}"),
        }
    }
}

impl Address {
    /// Reads an address as an API caller writes it: a phone number in any usual spelling (`+20 100 123 4567`,
    /// `00201001234567`, Arabic-Indic digits), a jid (`201001234567@s.whatsapp.net`, `…@g.us`) or a BSUID.
    ///
    /// `None` when it can be none of these.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
        if let Some((user, server)) = text.split_once('@') {
            return match server {
                "g.us" => is_group_id(user).then(|| Self::Group(user.to_owned())),
                // A jid may name one device of the person: `201001234567:12@s.whatsapp.net`.
                "s.whatsapp.net" | "c.us" => Self::from_digits(user.split_once(':').map_or(user, |(user, _)| user)),
                _ => None,
            };
        }
        if is_bsuid(text) {
            return Some(Self::Bsuid(text.to_owned()));
        }
        let mut digits = String::with_capacity(text.len());
        for (index, c) in text.chars().enumerate() {
            match c {
                '+' if index == 0 => {}
                ' ' | '-' | '(' | ')' | '.' | '/' | '\u{a0}' | '\u{2010}'..='\u{2013}' | '\u{202f}' => {}
                c if is_invisible(c) => {}
                c => digits.push(ascii_digit(c)?),
            }
        }
        // 00 is the international call prefix in most of the world, and no country code begins with a zero.
        Self::from_digits(digits.strip_prefix("00").unwrap_or(&digits))
    }

    /// A phone number as WhatsApp writes it (`wa_id`, `from`): digits, at times with a leading `+`.
    pub fn from_wa_id(wa_id: &str) -> Option<Self> {
        Self::from_digits(wa_id.strip_prefix('+').unwrap_or(wa_id))
    }

    /// A business-scoped user id as WhatsApp sends it.
    pub fn from_user_id(user_id: &str) -> Option<Self> {
        is_bsuid(user_id).then(|| Self::Bsuid(user_id.to_owned()))
    }

    /// A group id as WhatsApp sends it, with or without `@g.us`.
    pub fn from_group_id(group_id: &str) -> Option<Self> {
        let id = group_id.strip_suffix("@g.us").unwrap_or(group_id);
        is_group_id(id).then(|| Self::Group(id.to_owned()))
    }

    /// E.164 allows 15 digits, country code included. The shortest numbers in use abroad have 7.
    fn from_digits(digits: &str) -> Option<Self> {
        let valid =
            (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        valid.then(|| Self::Phone(digits.to_owned()))
    }

    /// The identity behind this address. Forms of one phone number that WhatsApp and people mix give one identity:
    ///
    /// - Brazil: a mobile number with and without the ninth digit. Landlines (subscriber numbers from 2 to 5) never
    ///   had one and are left alone.
    /// - Mexico: `52` and the older `521`.
    /// - Argentina: `54` and the mobile form `549`.
    pub fn identity(&self) -> Identity {
        match self {
            Self::Phone(digits) => Identity::Phone(canonical(digits)),
            Self::Bsuid(id) => Identity::Bsuid(id.clone()),
            Self::Group(id) => Identity::Group(id.clone()),
        }
    }

    /// Whether this is the user id that several linked businesses share (`US.ENT.…`). It names a person as well as his
    /// own one does, and can be sent to, but it is not there for every business.
    pub fn is_parent(&self) -> bool {
        matches!(self, Self::Bsuid(id) if id.get(2..).is_some_and(|rest| rest.starts_with(".ENT.")))
    }

    /// The jid form that answers keep: `201001234567@s.whatsapp.net`, `…@g.us`. A BSUID has none and stands for itself.
    pub fn remote_id(&self) -> String {
        match self {
            Self::Phone(digits) => format!("{digits}@s.whatsapp.net"),
            Self::Bsuid(id) => id.clone(),
            Self::Group(id) => format!("{id}@g.us"),
        }
    }
}

fn canonical(digits: &str) -> String {
    match (digits.get(..2), digits.len()) {
        (Some("55"), 12) if matches!(digits.as_bytes()[4], b'6'..=b'9') => format!("{}9{}", &digits[..4], &digits[4..]),
        (Some("52"), 13) if digits.as_bytes()[2] == b'1' => format!("52{}", &digits[3..]),
        (Some("54"), 13) if digits.as_bytes()[2] == b'9' => format!("54{}", &digits[3..]),
        _ => digits.to_owned(),
    }
}

/// Two upper-case letters of a country, a dot, at times `ENT.`, and up to 128 letters and digits.
fn is_bsuid(text: &str) -> bool {
    let Some((country, rest)) = text.split_once('.') else { return false };
    let id = rest.strip_prefix("ENT.").unwrap_or(rest);
    country.len() == 2
        && country.bytes().all(|b| b.is_ascii_uppercase())
        && (1..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Old group ids are `<creator>-<time>`; Groups API ids are opaque. Both are short and plain.
fn is_group_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=.".contains(&b))
}

/// Marks for the writing direction and joiners come along when a number is copied from a web page or a phone book.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn ascii_digit(c: char) -> Option<char> {
    let value = match c {
        '0'..='9' => return Some(c),
        '\u{660}'..='\u{669}' => u32::from(c) - 0x660,
        '\u{6f0}'..='\u{6f9}' => u32::from(c) - 0x6f0,
        _ => return None,
    };
    char::from_digit(value, 10)
}

#[cfg(test)]
mod tests;
