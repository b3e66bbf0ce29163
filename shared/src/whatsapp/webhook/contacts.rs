//! Contacts: the addresses and names in `contacts` and in the fields of messages and statuses.

use serde_json::value::RawValue;

use super::{Peer, json::Object};
use crate::domain::identity::Address;

/// An entry of `contacts`.
pub(super) struct Contact {
    addresses: Vec<Address>,
    name: Option<String>,
}

/// Parses `contacts`. Skips invalid entries, because they contain only names and further addresses.
pub(super) fn parse(raw: Option<&RawValue>) -> Vec<Contact> {
    let list: Vec<&RawValue> = raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let contact = |raw| {
        let contact = Object::parse(raw)?;
        let profile = contact.object("profile").unwrap_or_default();
        // The profile name, or else the username.
        let names = ["name", "username"].into_iter().filter_map(|key| profile.string(key));
        let name = names.into_iter().find(|name| !name.trim().is_empty());
        Some(Contact { addresses: addresses(&contact, "wa_id", ["user_id", "parent_user_id"]), name })
    };
    list.into_iter().filter_map(contact).collect()
}

/// Reads the addresses in these fields of an object: the phone number, the user ID, and the parent account's user ID
/// (Meta, *Business-scoped user IDs*).
pub(super) fn addresses(object: &Object<'_>, phone: &str, user_ids: [&str; 2]) -> Vec<Address> {
    let phone = object.string(phone).as_deref().and_then(Address::from_wa_id);
    let user_ids = user_ids.into_iter().filter_map(|key| Address::from_user_id(&object.string(key)?));
    phone.into_iter().chain(user_ids).collect()
}

/// Adds the addresses of the matching contact. Contacts match by address, because their order isn't guaranteed.
pub(super) fn complete(known: Vec<Address>, contacts: &[Contact]) -> Vec<Address> {
    let found = find(&known, contacts).map(|contact| contact.addresses.clone());
    union(known, found)
}

/// Combines addresses of one contact, each identity once.
pub(super) fn union(first: Vec<Address>, more: impl IntoIterator<Item = Vec<Address>>) -> Vec<Address> {
    let mut addresses: Vec<Address> = Vec::with_capacity(first.len());
    for address in first.into_iter().chain(more.into_iter().flatten()) {
        if addresses.iter().all(|known| known.identity() != address.identity()) {
            addresses.push(address);
        }
    }
    addresses
}

/// Returns the contact with these addresses, completed from `contacts`. `None` without a usable address.
pub(super) fn peer(known: Vec<Address>, contacts: &[Contact]) -> Option<Peer> {
    let name = find(&known, contacts).and_then(|contact| contact.name.clone());
    let mut addresses = complete(known, contacts);
    // The phone number comes first, because the chat displays the first address.
    addresses.sort_by_key(|address| !matches!(address, Address::Phone(_)));
    (!addresses.is_empty()).then_some(Peer { addresses, name })
}

fn find<'c>(addresses: &[Address], contacts: &'c [Contact]) -> Option<&'c Contact> {
    let is_known = |address: &Address| addresses.iter().any(|known| known.identity() == address.identity());
    contacts.iter().find(|contact| contact.addresses.iter().any(is_known))
}
