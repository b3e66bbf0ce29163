//! Who a message is from or to: every form in which a person is named.

use serde_json::value::RawValue;

use super::{Sender, json::Members};
use crate::domain::identity::Address;

/// One entry of `contacts`.
pub(super) struct Person {
    addresses: Vec<Address>,
    name: Option<String>,
}

/// A contact that cannot be read costs a name, nothing more.
pub(super) fn read(raw: Option<&RawValue>) -> Vec<Person> {
    let list: Vec<&RawValue> = raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let person = |raw| {
        let contact = Members::read(raw)?;
        let profile = contact.members("profile").unwrap_or_default();
        // What he calls himself: his name, or else the name that he is found by.
        let names = ["name", "username"].into_iter().filter_map(|name| profile.text(name));
        let name = names.into_iter().find(|name| !name.trim().is_empty());
        Some(Person { addresses: named(&contact, "wa_id", ["user_id", "parent_user_id"]), name })
    };
    list.into_iter().filter_map(person).collect()
}

/// The addresses that these members of an object hold: the phone number, the user id, and that of a parent account
/// (Meta: "Business-scoped user IDs").
pub(super) fn named(object: &Members<'_>, phone: &str, user_ids: [&str; 2]) -> Vec<Address> {
    let phone = object.text(phone).as_deref().and_then(Address::from_wa_id);
    let user_ids = user_ids.into_iter().filter_map(|name| Address::from_user_id(&object.text(name)?));
    phone.into_iter().chain(user_ids).collect()
}

/// Those forms of a person, and the others that `people` adds. Contacts are matched by what they say of themselves;
/// their order is no promise.
pub(super) fn complete(named: Vec<Address>, people: &[Person]) -> Vec<Address> {
    joined(named.clone(), find(&named, people).map(|person| person.addresses.clone()))
}

/// Forms of one person, each identity once.
pub(super) fn joined(named: Vec<Address>, more: impl IntoIterator<Item = Vec<Address>>) -> Vec<Address> {
    let mut addresses: Vec<Address> = Vec::with_capacity(named.len());
    for address in named.into_iter().chain(more.into_iter().flatten()) {
        if addresses.iter().all(|known| known.identity() != address.identity()) {
            addresses.push(address);
        }
    }
    addresses
}

/// A person who is named so, with what `people` adds. `None` when nothing names anybody that could be answered.
pub(super) fn sender(named: Vec<Address>, people: &[Person]) -> Option<Sender> {
    let name = find(&named, people).and_then(|person| person.name.clone());
    let mut addresses = complete(named, people);
    // The phone number first: it is what the chat is called by.
    addresses.sort_by_key(|address| !matches!(address, Address::Phone(_)));
    (!addresses.is_empty()).then_some(Sender { addresses, name })
}

fn find<'p>(named: &[Address], people: &'p [Person]) -> Option<&'p Person> {
    let is_named = |address: &Address| named.iter().any(|known| known.identity() == address.identity());
    people.iter().find(|person| person.addresses.iter().any(is_named))
}
