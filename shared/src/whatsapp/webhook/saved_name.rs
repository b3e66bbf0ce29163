//! Names that the business chose: contacts in the address book of its phone (Meta, *smb_app_state_sync webhook
//! reference*) and groups (Meta, *Groups API webhooks*).

use super::{
    ContactUpdate,
    contacts::{addresses, union},
    json::Object,
};
use crate::domain::{contact_name::clean_name, identity::Address, profile::SavedName, time::Timestamp};

/// Reads an entry of `state_sync`: the business added, edited, or removed a contact.
pub(super) fn from_state_sync(entry: &Object<'_>) -> Option<ContactUpdate> {
    let contact = entry.object("contact")?;
    // The phone's address book has numbers as the business typed them.
    let typed = contact.string("phone_number");
    let phone =
        typed.as_deref().and_then(|typed| Address::from_wa_id(typed).or_else(|| Address::parse(typed, None).ok()));
    let known = addresses(&contact, "wa_id", ["user_id", "parent_user_id"]);
    let addresses = union(phone.into_iter().collect(), [known]);
    let names = ["full_name", "first_name"].into_iter().filter_map(|key| contact.string(key));
    let name = match entry.string("action")?.as_str() {
        "add" | "edit" | "update" => names.into_iter().find_map(|name| clean_name(&name)),
        "remove" => None,
        _ => return None,
    };
    let time = entry.object("metadata").and_then(|metadata| metadata.time("timestamp"));
    named(addresses, name, time.or_else(|| entry.time("timestamp"))?)
}

/// Reads an entry of `groups`: a new group with its subject, or a new subject. `None` if WhatsApp refused it.
pub(super) fn from_group(group: &Object<'_>) -> Option<ContactUpdate> {
    let subject = match group.object("group_subject") {
        Some(subject) => {
            let is_refused = subject.raw("update_successful").is_some_and(|successful| successful.get() == "false");
            subject.string("text").filter(|_| !is_refused)
        }
        None => group.string("subject").filter(|_| group.array("errors").is_none_or(|errors| errors.is_empty())),
    };
    let address = Address::from_group_id(&group.string("group_id")?)?;
    named(vec![address], Some(clean_name(&subject?)?), group.time("timestamp")?)
}

fn named(addresses: Vec<Address>, name: Option<String>, at: Timestamp) -> Option<ContactUpdate> {
    (!addresses.is_empty()).then_some(ContactUpdate::Named { addresses, name: SavedName { name, at } })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(entry: &Value, parse: fn(&Object<'_>) -> Option<ContactUpdate>) -> Option<(Vec<Address>, Option<String>)> {
        let raw = serde_json::value::to_raw_value(entry).unwrap();
        match parse(&Object::parse(&raw).unwrap())? {
            ContactUpdate::Named { addresses, name } => {
                assert_eq!(name.at.seconds(), 1_738_346_006);
                Some((addresses, name.name))
            }
            other => panic!("{other:?}"),
        }
    }

    fn synced(action: &str, contact: &Value) -> Option<(Vec<Address>, Option<String>)> {
        let entry = json!({"type": "contact", "contact": contact, "action": action,
            "metadata": {"timestamp": "1738346006"}});
        read(&entry, from_state_sync)
    }

    fn phone(digits: &str) -> Address {
        Address::Phone(digits.to_owned())
    }

    #[test]
    fn address_book_entry_names_a_contact() {
        let mona = json!({"full_name": "Mona Adel", "first_name": "Mona", "phone_number": "201001234567"});
        let named = |name: Option<&str>| Some((vec![phone("201001234567")], name.map(str::to_owned)));
        for action in ["add", "edit", "update"] {
            assert_eq!(synced(action, &mona), named(Some("Mona Adel")), "{action}");
        }
        assert_eq!(synced("remove", &mona), named(None));
        assert_eq!(synced("archive", &mona), None);
        let typed = json!({"full_name": "\u{3164}", "first_name": "\u{202e}Mona", "phone_number": "+20 100 123-4567"});
        assert_eq!(synced("add", &typed), named(Some("Mona")));
        let hidden = json!({"full_name": "Mona", "user_id": "EG.7", "username": "mona"});
        assert_eq!(synced("add", &hidden), Some((vec![Address::Bsuid("EG.7".to_owned())], Some("Mona".to_owned()))));
        for unusable in [json!({"full_name": "Mona"}), json!({"full_name": "Mona", "phone_number": "none"}), json!([])]
        {
            assert_eq!(synced("add", &unusable), None, "{unusable}");
        }
    }

    #[test]
    fn group_has_the_subject_that_whatsapp_accepted() {
        let group = |members: Value| {
            let mut group = json!({"group_id": "120363@g.us", "timestamp": 1_738_346_006});
            group.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            read(&group, from_group).map(|(addresses, name)| {
                assert_eq!(addresses, [Address::Group("120363".to_owned())]);
                name
            })
        };
        let subject = Some(Some("Team".to_owned()));
        assert_eq!(group(json!({"type": "group_create", "subject": "Team"})), subject);
        assert_eq!(group(json!({"group_subject": {"text": "Team", "update_successful": true}})), subject);
        assert_eq!(group(json!({"group_subject": {"text": "Team", "update_successful": false}})), None);
        assert_eq!(group(json!({"subject": "Team", "errors": [{"code": 131_000}]})), None);
        assert_eq!(group(json!({"subject": "\u{200b}"})), None);
        assert_eq!(group(json!({"type": "group_delete"})), None);
    }
}
