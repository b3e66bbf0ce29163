//! Contacts: the addresses and names in `contacts` and in the fields of messages and statuses.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{Peer, json::Object};
use crate::domain::{contact_name::clean_name, identity::Address, profile::Profile};

/// The maximum size of the JSON that is kept of a contact, and of one member if the whole is larger, in bytes.
const JSON_LIMIT: usize = 4 * 1024;
const MEMBER_LIMIT: usize = 512;

/// An entry of `contacts`. An invalid one has no addresses.
#[derive(Default)]
pub(super) struct Contact {
    addresses: Vec<Address>,
    profile: Profile,
    json: Option<String>,
}

impl Contact {
    /// Returns the contact's addresses.
    pub(super) fn addresses(&self) -> &[Address] {
        &self.addresses
    }
}

/// Parses `contacts`.
pub(super) fn parse(raw: Option<&RawValue>) -> Vec<Contact> {
    let list: Vec<&RawValue> = raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let contact = |raw| {
        let contact = Object::parse(raw)?;
        let profile = contact.object("profile").unwrap_or_default();
        let text = |key| profile.string(key).as_deref().and_then(clean_name);
        let username = text("username").or_else(|| contact.string("username").as_deref().and_then(clean_name));
        let profile = Profile { name: text("name"), username };
        let addresses = addresses(&contact, "wa_id", ["user_id", "parent_user_id"]);
        Some(Contact { addresses, profile, json: bounded_json(raw, &contact) })
    };
    list.into_iter().map(|raw| contact(raw).unwrap_or_default()).collect()
}

/// Returns an entry's JSON as received. Leaves out the large members of one that is too large.
fn bounded_json(raw: &RawValue, contact: &Object<'_>) -> Option<String> {
    if raw.get().len() <= JSON_LIMIT {
        return Some(raw.get().to_owned());
    }
    let members = contact.keys().filter_map(|key| Some((key, contact.raw(key)?)));
    let small: BTreeMap<&str, &RawValue> =
        members.filter(|(key, value)| key.len() + value.get().len() <= MEMBER_LIMIT).collect();
    serde_json::to_string(&small).ok().filter(|json| json.len() <= JSON_LIMIT)
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
    let found = find(&known, contacts);
    peer_with(complete(known, contacts), found)
}

/// Returns the contact of a message that doesn't name its sender: the only one of the webhook, if it has a usable
/// address.
pub(super) fn only(contacts: &[Contact]) -> Option<Peer> {
    let [contact] = contacts else { return None };
    peer_with(contact.addresses.clone(), Some(contact))
}

fn peer_with(mut addresses: Vec<Address>, contact: Option<&Contact>) -> Option<Peer> {
    // The phone number comes first, because the chat displays the first address.
    addresses.sort_by_key(|address| !matches!(address, Address::Phone(_)));
    let profile = contact.map(|contact| contact.profile.clone()).unwrap_or_default();
    let contact = contact.and_then(|contact| contact.json.clone());
    (!addresses.is_empty()).then_some(Peer { addresses, profile, contact })
}

fn find<'c>(addresses: &[Address], contacts: &'c [Contact]) -> Option<&'c Contact> {
    let is_known = |address: &Address| addresses.iter().any(|known| known.identity() == address.identity());
    contacts.iter().find(|contact| contact.addresses.iter().any(is_known))
}
