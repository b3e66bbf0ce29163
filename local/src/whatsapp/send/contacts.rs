//! Contact cards (Meta, *Contacts messages*).

use jiff::civil::Date;
use serde_json::Value;

use super::param::{self, Param, invalid};
use crate::whatsapp::graph_error::GraphError;

const MAX_CONTACTS: usize = 257;

const NAME: [&str; 6] = ["formatted_name", "first_name", "last_name", "middle_name", "suffix", "prefix"];
const ORGANIZATION: [&str; 3] = ["company", "department", "title"];
/// The lists of a contact and the members of their objects.
const LISTS: [(&str, &[&str]); 4] = [
    ("addresses", &["street", "city", "state", "zip", "country", "country_code", "type"]),
    ("emails", &["email", "type"]),
    ("phones", &["phone", "type", "wa_id"]),
    ("urls", &["url", "type"]),
];

pub(super) fn check(content: &Value) -> Result<(), GraphError> {
    let known = ["addresses", "birthday", "emails", "name", "org", "phones", "urls"];
    let contacts = param::list("contacts", content, &known)?;
    if !(1..=MAX_CONTACTS).contains(&contacts.len()) {
        return Err(invalid(format!(
            "Invalid contacts count. Min allowed contacts: 1, Max allowed contacts: {MAX_CONTACTS}"
        )));
    }
    contacts.iter().try_for_each(check_contact)
}

fn check_contact(contact: &Param<'_>) -> Result<(), GraphError> {
    let name = contact.required_object("name", &NAME)?;
    name.required_text("formatted_name")?;
    check_texts(&name, &NAME)?;
    if let Some(organization) = contact.object("org", &ORGANIZATION)? {
        check_texts(&organization, &ORGANIZATION)?;
    }
    for (list, members) in LISTS {
        contact.list(list, members)?.iter().try_for_each(|item| check_texts(item, members))?;
    }
    match contact.text("birthday")? {
        Some(birthday) if !is_date(&birthday) => {
            Err(invalid(format!("{} must be a date in the form YYYY-MM-DD", contact.path("birthday"))))
        }
        _ => Ok(()),
    }
}

fn is_date(text: &str) -> bool {
    text.len() == "YYYY-MM-DD".len() && Date::strptime("%Y-%m-%d", text).is_ok()
}

fn check_texts(object: &Param<'_>, names: &[&str]) -> Result<(), GraphError> {
    names.iter().try_for_each(|name| object.text(name).map(drop))
}
