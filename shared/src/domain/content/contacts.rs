//! Contact cards.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::{
    ContentError,
    object::{ANY_COUNT, NO_LIMIT, Object},
};

/// Reads one contact card (Meta, *Contacts messages*).
pub(super) fn contact(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.drop_received(&["origin", "vcard"]);
    match received_name(&object) {
        Some(name) => object.insert("name", json!({"formatted_name": name})),
        None => object.object("name", |mut name| {
            name.text("formatted_name", NO_LIMIT)?;
            texts(name, &["first_name", "last_name", "middle_name", "prefix", "suffix"])
        })?,
    }
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

/// Returns a name for a received card without one: that of its vCard, or the first phone number.
fn received_name(object: &Object<'_>) -> Option<String> {
    if object.has("name") || !(object.has("vcard") || object.has("origin")) {
        return None;
    }
    let number = || object.peek("phones/0/phone").or_else(|| object.peek("phones/0/wa_id"));
    object.peek("vcard").and_then(vcard_name).or_else(|| number().map(str::to_owned))
}

/// Returns the formatted name in a vCard (RFC 6350, `FN`). Phones write encoded ones in vCards of version 2.1 only.
fn vcard_name(vcard: &str) -> Option<String> {
    let unfolded = vcard.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "");
    let (_, name) = unfolded.lines().filter_map(|line| line.split_once(':')).find(|(property, _)| {
        let (name, parameters) = property.split_once(';').unwrap_or((property, ""));
        let name = name.rsplit('.').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("FN") && !parameters.to_ascii_uppercase().contains("QUOTED-PRINTABLE")
    })?;
    let name = name.replace("\\n", " ").replace("\\N", " ").replace('\\', "");
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

fn texts(mut object: Object<'_>, names: &[&'static str]) -> Result<Value, ContentError> {
    for name in names {
        object.optional_text(name, NO_LIMIT)?;
    }
    object.finish()
}
