//! Who a message is from or to.

use serde_json::value::RawValue;

use super::{Sender, json::Members};
use crate::identity::Address;

/// One entry of `contacts`.
pub(super) struct Person {
    wa_id: Option<String>,
    user_id: Option<String>,
    name: Option<String>,
}

/// A contact that cannot be read costs a name, nothing more.
pub(super) fn read(raw: Option<&RawValue>) -> Vec<Person> {
    let list: Vec<&RawValue> = raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let person = |raw| {
        let contact = Members::read(raw)?;
        let name = contact.members("profile").and_then(|profile| profile.text("name"));
        let name = name.filter(|name| !name.trim().is_empty());
        Some(Person { wa_id: contact.text("wa_id"), user_id: contact.text("user_id"), name })
    };
    list.into_iter().filter_map(person).collect()
}

/// A person by phone number and user id, with what `people` adds. Contacts are matched by what they say of themselves;
/// their order is no promise. `None` when nothing names anybody that could be answered.
pub(super) fn sender(phone: Option<String>, user_id: Option<String>, people: &[Person]) -> Option<Sender> {
    let number = |wa_id: &Option<String>| wa_id.as_deref().and_then(Address::from_wa_id).map(|a| a.identity());
    let by_user_id = |person: &&Person| person.user_id.is_some() && person.user_id == user_id;
    let by_number = |person: &&Person| person.wa_id.is_some() && number(&person.wa_id) == number(&phone);
    let person = people.iter().find(by_user_id).or_else(|| people.iter().find(by_number));
    let phone = phone.or_else(|| person.and_then(|person| person.wa_id.clone()));
    let user_id = user_id.or_else(|| person.and_then(|person| person.user_id.clone()));
    let forms = [phone.as_deref().and_then(Address::from_wa_id), user_id.as_deref().and_then(Address::from_user_id)];
    let addresses: Vec<Address> = forms.into_iter().flatten().collect();
    (!addresses.is_empty()).then(|| Sender { addresses, name: person.and_then(|person| person.name.clone()) })
}
