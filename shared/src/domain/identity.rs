//! Addresses of contacts and groups as WhatsApp and API callers write them, and the identity that the different
//! spellings of one phone number share.

use std::fmt;

/// The address of a contact or group, as given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A phone number with its country code, digits only.
    Phone(String),
    /// A business-scoped user ID such as `US.13491208655302741918`: opaque and case-sensitive (Meta, *Business-scoped
    /// user IDs*).
    Bsuid(String),
    /// A group ID, without `@g.us`.
    Group(String),
}

/// The identity that makes a chat unique within a session. It is compared, stored, and hashed into IDs, but never used
/// as a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// A phone number in its canonical form. See [`Address::identity`].
    Phone(String),
    /// A business-scoped user ID.
    Bsuid(String),
    /// A group ID.
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
    /// Parses an address from an API caller: a phone number in any common spelling (`+20 100 123 4567`,
    /// `00201001234567`, Arabic-Indic digits), a jid (`201001234567@s.whatsapp.net`, `…@g.us`), or a BSUID.
    ///
    /// Returns `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
        if let Some((user, server)) = text.split_once('@') {
            return match server {
                "g.us" => is_group_id(user).then(|| Self::Group(user.to_owned())),
                // A jid can name one device of the user: `201001234567:12@s.whatsapp.net`.
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
        // 00 is the international call prefix in most countries, and no country code starts with a zero.
        Self::from_digits(digits.strip_prefix("00").unwrap_or(&digits))
    }

    /// Parses a phone number from WhatsApp (`wa_id`, `from`): digits, sometimes with a leading `+`.
    pub fn from_wa_id(wa_id: &str) -> Option<Self> {
        Self::from_digits(wa_id.strip_prefix('+').unwrap_or(wa_id))
    }

    /// Parses a business-scoped user ID from WhatsApp.
    pub fn from_user_id(user_id: &str) -> Option<Self> {
        is_bsuid(user_id).then(|| Self::Bsuid(user_id.to_owned()))
    }

    /// Parses a group ID from WhatsApp, with or without `@g.us`.
    pub fn from_group_id(group_id: &str) -> Option<Self> {
        let id = group_id.strip_suffix("@g.us").unwrap_or(group_id);
        is_group_id(id).then(|| Self::Group(id.to_owned()))
    }

    /// E.164 allows up to 15 digits, including the country code. The shortest international numbers in use have 7.
    fn from_digits(digits: &str) -> Option<Self> {
        let valid =
            (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        valid.then(|| Self::Phone(digits.to_owned()))
    }

    /// Returns the identity of this address. Phone numbers have one identity across the spellings that WhatsApp and
    /// users mix:
    ///
    /// - Brazil: a mobile number with and without the ninth digit. Landlines (subscriber numbers that start with 2 to
    ///   5) never had a ninth digit and don't change.
    /// - Mexico: `52` and the older `521`.
    /// - Argentina: `54` and the mobile form `549`.
    pub fn identity(&self) -> Identity {
        match self {
            Self::Phone(digits) => Identity::Phone(canonical(digits)),
            Self::Bsuid(id) => Identity::Bsuid(id.clone()),
            Self::Group(id) => Identity::Group(id.clone()),
        }
    }

    /// Returns whether this is a parent business-scoped user ID (`US.ENT.…`), which linked businesses share. It
    /// identifies a contact and can receive messages, but only some businesses have it.
    pub fn is_parent(&self) -> bool {
        matches!(self, Self::Bsuid(id) if id.get(2..).is_some_and(|rest| rest.starts_with(".ENT.")))
    }

    /// Returns the business-scoped user ID that only this business has for a contact. `None` for any other address.
    pub fn own_user_id(&self) -> Option<&str> {
        match self {
            Self::Bsuid(id) if !self.is_parent() => Some(id),
            _ => None,
        }
    }

    /// Returns the address as a name, for a contact without another one: a phone number in international form.
    pub fn display_name(&self) -> String {
        match self {
            Self::Phone(digits) => format!("+{digits}"),
            Self::Bsuid(id) | Self::Group(id) => id.clone(),
        }
    }

    /// Returns the jid form for API responses: `201001234567@s.whatsapp.net`, `…@g.us`. A BSUID has no jid form and is
    /// returned as is.
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

/// A BSUID is a country code of two upper-case letters, a dot, optionally `ENT.`, and up to 128 letters and digits.
fn is_bsuid(text: &str) -> bool {
    let Some((country, rest)) = text.split_once('.') else { return false };
    let id = rest.strip_prefix("ENT.").unwrap_or(rest);
    country.len() == 2
        && country.bytes().all(|b| b.is_ascii_uppercase())
        && (1..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Old group IDs are `<creator>-<time>`. Groups API IDs are opaque.
fn is_group_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=.".contains(&b))
}

/// Text copied from a web page or an address book can contain direction marks and joiners.
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
