//! Addresses of contacts and groups as WhatsApp and API callers write them, and the identity that the different
//! spellings of one phone number share.

mod link;

use std::fmt;

use crate::domain::{
    contact_name::clean_name,
    country::Country,
    phone_number::{self, PhoneNumberError, Written, canonical, is_invisible},
};

/// The address of a contact or group, as given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A phone number with its country code, digits only.
    Phone(String),
    /// A business-scoped user ID such as `US.13491208655302741918`: opaque and case-sensitive (Meta, *Business-scoped
    /// user IDs*).
    Bsuid(String),
    /// The digits of a LID, by which linked devices know a contact whose phone number is hidden.
    Lid(String),
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
    /// A LID.
    Lid(String),
    /// A group ID.
    Group(String),
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone(digits) => write!(f, "phone:{digits}"),
            Self::Bsuid(id) => write!(f, "bsuid:{id}"),
            Self::Lid(id) => write!(f, "lid:{id}"),
            Self::Group(id) => write!(f, "group:{id}"),
        }
    }
}

/// Why a text isn't an address that messages can be sent to. The texts follow the name of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The text isn't an address of any form.
    #[error(
        "is not a WhatsApp address: \
         give a phone number with its country code, a business-scoped user id or a jid"
    )]
    NotAnAddress,
    /// The jid is of a status, a broadcast list, or a channel.
    #[error(
        "is a status, broadcast list, or channel: give a phone number, a business-scoped user id, or a group's jid"
    )]
    Broadcast,
    /// The link names no phone number.
    #[error("is a link without a phone number: give the phone number with its country code")]
    Link,
    /// The text isn't a phone number, although it looks like one.
    #[error(transparent)]
    PhoneNumber(PhoneNumberError),
}

impl From<PhoneNumberError> for AddressError {
    fn from(error: PhoneNumberError) -> Self {
        match error {
            PhoneNumberError::NotANumber => Self::NotAnAddress,
            error => Self::PhoneNumber(error),
        }
    }
}

/// An address as an API caller wrote it. A phone number without `+` can depend on the session's default country.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// An address that is the same in every session.
    Address(Address),
    /// A phone number without `+`.
    Number(Written),
}

impl Recipient {
    /// Parses an address: a phone number in any common spelling (`+20 100 123 4567`, `00201001234567`, digits of any
    /// script), a link with one (`tel:`, `whatsapp:`, `https://wa.me/…`), a jid (`201001234567@s.whatsapp.net`, `…@lid`,
    /// `…@g.us`), or a BSUID.
    ///
    /// # Errors
    ///
    /// [`AddressError`] for any other text. A phone number without `+` is checked by [`Recipient::address`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
        if is_bsuid(text) {
            return Ok(Self::Address(Address::Bsuid(text.to_owned())));
        }
        if let Some(number) = link::number(text)? {
            return Ok(Self::Address(Address::Phone(phone_number::of_link(&number)?)));
        }
        if let Some((user, server)) = text.split_once('@') {
            return Address::from_jid(user, server).map(Self::Address);
        }
        let written = Written::read(text)?;
        if written.depends_on_country() {
            return Ok(Self::Number(written));
        }
        Ok(Self::Address(Address::Phone(written.resolve(None)?)))
    }

    /// Returns the address, with the session's default country.
    ///
    /// # Errors
    ///
    /// [`AddressError`] if the phone number doesn't exist.
    pub fn address(&self, default_country: Option<Country>) -> Result<Address, AddressError> {
        match self {
            Self::Address(address) => Ok(address.clone()),
            Self::Number(written) => Ok(Address::Phone(written.resolve(default_country)?)),
        }
    }
}

impl Address {
    /// Parses an address from an API caller. See [`Recipient`].
    ///
    /// # Errors
    ///
    /// [`AddressError`] for a text that isn't an address.
    pub fn parse(text: &str, default_country: Option<Country>) -> Result<Self, AddressError> {
        Recipient::parse(text)?.address(default_country)
    }

    /// Parses an address that a linked device reports: a jid, or digits as WhatsApp's IDs have them. Any other text is
    /// parsed as a caller's.
    ///
    /// # Errors
    ///
    /// [`AddressError`] for a text that isn't an address.
    pub fn from_device(text: &str) -> Result<Self, AddressError> {
        Self::from_wa_id(text.trim()).map_or_else(|| Self::parse(text, None), Ok)
    }

    /// Parses an address as messages store it ([`destination`](Self::destination)).
    pub fn from_destination(text: &str) -> Option<Self> {
        match text.split_once('@') {
            Some((user, server)) => Self::from_jid(user, server).ok(),
            None => Self::from_user_id(text).or_else(|| Self::from_digits(text)),
        }
    }

    /// Parses a jid. A jid can name one device of the user, and its agent: `201001234567:12@s.whatsapp.net`,
    /// `201001234567.0:4@s.whatsapp.net`. Devices that a provider hosts have servers of their own.
    fn from_jid(user: &str, server: &str) -> Result<Self, AddressError> {
        let account = user.split([':', '.', '_']).next().unwrap_or_default();
        let address = match server.to_ascii_lowercase().as_str() {
            "s.whatsapp.net" | "c.us" | "hosted" => Self::from_wa_id(account),
            "lid" | "hosted.lid" => is_lid(account).then(|| Self::Lid(account.to_owned())),
            "g.us" => is_group_id(user).then(|| Self::Group(user.to_owned())),
            "broadcast" | "newsletter" => return Err(AddressError::Broadcast),
            _ => None,
        };
        address.ok_or(AddressError::NotAnAddress)
    }

    /// Parses a phone number from WhatsApp (`wa_id`, `from`): digits, sometimes with a leading `+`.
    pub fn from_wa_id(wa_id: &str) -> Option<Self> {
        Self::from_digits(wa_id.strip_prefix('+').unwrap_or(wa_id))
    }

    /// Parses a business-scoped user ID from WhatsApp.
    pub fn from_user_id(user_id: &str) -> Option<Self> {
        is_bsuid(user_id).then(|| Self::Bsuid(user_id.to_owned()))
    }

    /// Parses a LID, with or without `@lid`.
    pub fn from_lid(lid: &str) -> Option<Self> {
        let id = lid.strip_suffix("@lid").unwrap_or(lid);
        is_lid(id).then(|| Self::Lid(id.to_owned()))
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
    /// users mix. See [`canonical`].
    pub fn identity(&self) -> Identity {
        match self {
            Self::Phone(digits) => Identity::Phone(canonical(digits)),
            Self::Bsuid(id) => Identity::Bsuid(id.clone()),
            Self::Lid(id) => Identity::Lid(id.clone()),
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
            Self::Bsuid(id) | Self::Lid(id) | Self::Group(id) => id.clone(),
        }
    }

    /// Returns the name of a contact without another one, whose address an API caller wrote as `text`: a phone number as
    /// written, or the [display name](Self::display_name) of an address that `text` has in another form, such as a link
    /// or a jid.
    pub fn name_as_written(&self, text: &str) -> String {
        let written = clean_name(text).filter(|_| Written::read(text).is_ok());
        written.unwrap_or_else(|| self.display_name())
    }

    /// Returns the jid form for API responses: `201001234567@s.whatsapp.net`, `…@lid`, `…@g.us`. A BSUID has no jid form
    /// and is returned as is.
    pub fn remote_id(&self) -> String {
        match self {
            Self::Phone(digits) => format!("{digits}@s.whatsapp.net"),
            Self::Bsuid(id) => id.clone(),
            Self::Lid(id) => format!("{id}@lid"),
            Self::Group(id) => format!("{id}@g.us"),
        }
    }

    /// Returns the form in which messages store where they go: digits, a BSUID, or a jid of a LID or a group.
    pub fn destination(&self) -> String {
        match self {
            Self::Phone(digits) => digits.clone(),
            Self::Bsuid(_) | Self::Lid(_) | Self::Group(_) => self.remote_id(),
        }
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

/// LIDs have up to 15 digits today.
fn is_lid(id: &str) -> bool {
    (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit()) && !id.starts_with('0')
}

/// Old group IDs are `<creator>-<time>`. Groups API IDs are opaque.
fn is_group_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=.".contains(&b))
}

#[cfg(test)]
mod tests;
