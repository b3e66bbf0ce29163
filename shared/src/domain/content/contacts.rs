//! Contact cards.

use jiff::civil::Date;
use serde_json::Value;

use super::{
    ContentError,
    object::{ANY_COUNT, NO_LIMIT, Object},
};

/// Reads one contact card (Meta, *Contacts messages*).
pub(super) fn contact(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.drop_received(&["origin", "vcard"]);
    object.object("name", |mut name| {
        name.text("formatted_name", NO_LIMIT)?;
        texts(name, &["first_name", "last_name", "middle_name", "prefix", "suffix"])
    })?;
    if let Some(birthday) = object.optional_text("birthday", NO_LIMIT)?
        && !birthday.parse::<Date>().is_ok_and(|date| date.year() > 0 && date.to_string() == birthday)
    {
        return Err(object.invalid("birthday", "a date in the format YYYY-MM-DD"));
    }
    object.optional_object("org", |org| texts(org, &["company", "department", "title"]))?;
    object.optional_list("phones", ANY_COUNT, |phone| texts(phone, &["phone", "type", "wa_id"]))?;
    object.optional_list("emails", ANY_COUNT, |email| texts(email, &["email", "type"]))?;
    object.optional_list("urls", ANY_COUNT, |url| texts(url, &["url", "type"]))?;
    object.optional_list("addresses", ANY_COUNT, |address| {
        texts(address, &["street", "city", "state", "zip", "country", "country_code", "type"])
    })?;
    object.finish()
}

fn texts(mut object: Object<'_>, names: &[&'static str]) -> Result<Value, ContentError> {
    for name in names {
        object.optional_text(name, NO_LIMIT)?;
    }
    object.finish()
}
