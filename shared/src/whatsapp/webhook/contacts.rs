//! Contacts: the addresses and names in `contacts` and in the fields of messages and statuses.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{Peer, json::Object};
use crate::domain::{contact_name::clean_name, identity::Address, profile::Profile};

/// The maximum size of the JSON that is kept of a contact, and of one member if the whole is larger, in bytes.
const JSON_LIMIT: usize = 4 * 1024;
const MEMBER_LIMIT: usize = 512;

/// An entry of `contacts`.
pub(super) struct Contact {
    addresses: Vec<Address>,
    profile: Profile,
    json: Option<String>,
    /// Whether this is the only contact of a change with a single message: they are the sender, unless an address says
    /// otherwise.
    is_sole: bool,
}

impl Contact {
    /// Returns the contact's addresses.
    pub(super) fn addresses(&self) -> &[Address] {
        &self.addresses
    }
}

/// Parses `contacts`: a list, or a single contact in its place. Skips entries without an address, name, or username.
/// If all entries have addresses of one contact, returns that contact once.
pub(super) fn parse(raw: Option<&RawValue>) -> Vec<Contact> {
    let Some(raw) = raw else { return Vec::new() };
    let list: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_else(|_| vec![raw]);
    let contact = |raw| {
        let contact = Object::parse(raw)?;
        let profile = contact.object("profile").unwrap_or_default();
        let text = |key| profile.string(key).as_deref().and_then(clean_name);
        let username = text("username").or_else(|| contact.string("username").as_deref().and_then(clean_name));
        let profile = Profile { name: text("name"), username };
        let addresses = addresses(&contact, "wa_id", ["user_id", "parent_user_id"]);
        let is_usable = !addresses.is_empty() || !profile.is_empty();
        is_usable.then(|| Contact { addresses, profile, json: bounded_json(raw, &contact), is_sole: false })
    };
    let contacts: Vec<Contact> = list.into_iter().filter_map(contact).collect();
    match merged(&contacts) {
        Some(contact) => vec![contact],
        None => contacts,
    }
}

/// Parses the `contacts` of a change with messages or statuses.
pub(super) fn of_change(change: &Object<'_>) -> Vec<Contact> {
    let mut contacts = parse(change.raw("contacts"));
    if let [contact] = &mut contacts[..] {
        let lists = ["messages", "message_echoes", "statuses"].into_iter().filter_map(|key| change.array(key));
        let items: Vec<&RawValue> = lists.flatten().collect();
        // A system message can be about other addresses than the sender's.
        contact.is_sole = match items[..] {
            [item] => Object::parse(item).is_some_and(|item| item.raw("system").is_none()),
            _ => false,
        };
    }
    contacts
}

/// Combines several entries of one contact. `None` if an entry can belong to another contact.
fn merged(contacts: &[Contact]) -> Option<Contact> {
    let (first, others) = contacts.split_first().filter(|(_, others)| !others.is_empty())?;
    let mut addresses = first.addresses.clone();
    let mut profile = first.profile.clone();
    for contact in others {
        if !shares_identity(&addresses, contact) || contradicts(&addresses, contact) {
            return None;
        }
        addresses = union(addresses, [contact.addresses.clone()]);
        profile = profile.or(contact.profile.clone());
    }
    Some(Contact { addresses, profile, json: first.json.clone(), is_sole: false })
}

fn shares_identity(addresses: &[Address], contact: &Contact) -> bool {
    let is_known = |address: &Address| addresses.iter().any(|known| known.identity() == address.identity());
    contact.addresses.iter().any(is_known)
}

/// Returns whether the contact has another address of a kind that a person has one of.
fn contradicts(addresses: &[Address], contact: &Contact) -> bool {
    let kind = |address: &Address| (std::mem::discriminant(address), address.is_parent());
    let differ =
        |known: &Address, address: &Address| kind(known) == kind(address) && known.identity() != address.identity();
    contact.addresses.iter().any(|address| addresses.iter().any(|known| differ(known, address)))
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

/// Adds the addresses of the matching contact. Contacts match by address, because their order isn't guaranteed. The sole
/// contact of a change matches unless their addresses contradict.
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
    let is_sole = |contact: &&Contact| contact.is_sole && !addresses.is_empty() && !contradicts(addresses, contact);
    contacts.iter().find(|contact| shares_identity(addresses, contact)).or_else(|| contacts.iter().find(is_sole))
}
