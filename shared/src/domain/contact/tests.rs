use proptest::prelude::*;

use super::{
    model::{Cache, Table, Update, Writer, session, time},
    *,
};
use crate::domain::{
    chat::{Chat, ChatStatus, MAX_MERGED},
    consent::{Consent, ConsentWord},
    identity::Address,
    profile::SavedName,
};

/// The second in which the contacts change their addresses.
const CHANGE: i64 = 1_000;

/// The input of one update: the contact, whether it happens after the change, the address mask, the kind, the second,
/// how often it is delivered, and its position in the delivery order.
type UpdateInput = (usize, bool, u8, u8, i64, usize, u16);

/// Returns the addresses of a contact before or after the change. A phone number has one of two spellings.
fn addresses(contact: usize, after: bool, spelling: u8) -> Vec<Address> {
    let number =
        [["5531999998888", "553199998888"], ["5215512345678", "525512345678"]][contact][usize::from(spelling % 2)];
    let number = if after { number.replace("8888", "7777").replace("5678", "4321") } else { number.to_owned() };
    let id = format!("{contact}{}", u8::from(after));
    vec![Address::Phone(number), Address::Bsuid(format!("BR.{id}")), Address::Bsuid(format!("BR.ENT.{id}"))]
}

fn select(addresses: &[Address], mask: u8) -> Vec<Address> {
    let is_selected = |index: &usize| mask & (1 << index) != 0;
    (0..addresses.len()).filter(is_selected).map(|index| addresses[index].clone()).collect()
}

/// Returns the updates in the order of their arrival, and the IDs of each contact's messages. At least one update links
/// all addresses of a contact, and at least one reports each change.
fn updates(inputs: &[UpdateInput], changes: [bool; 2]) -> (Vec<Update>, [Vec<u32>; 2]) {
    let mut deliveries: Vec<(u16, Update)> = Vec::new();
    let mut ids = [Vec::new(), Vec::new()];
    for (index, &(contact, after, mask, kind, second, copies, position)) in inputs.iter().enumerate() {
        let id = u32::try_from(index).unwrap() + 1;
        let after = after && changes[contact];
        let at = time(if after { CHANGE + 1 + second } else { second });
        let all = addresses(contact, after, kind);
        // The first inputs are the links and changes that are always present.
        let update = match (index, kind % 4) {
            (0..4, _) => {
                let (contact, after) = (index % 2, index >= 2 && changes[index % 2]);
                ids[contact].push(id);
                let at = time(if after { CHANGE + 1 + second } else { second });
                Update::Message { id, addresses: addresses(contact, after, kind), at }
            }
            (4..6, _) if changes[index % 2] => {
                let contact = index % 2;
                ids[contact].push(id);
                let from = select(&addresses(contact, false, kind), 1 + mask % 3);
                let to = select(&addresses(contact, true, kind), 1 + mask / 3 % 7);
                Update::AddressChange { id, from, to, at: time(CHANGE) }
            }
            (_, 3) => Update::Addresses { addresses: select(&all, [3, 5, 6, 7][usize::from(mask) % 4]), at },
            _ => {
                ids[contact].push(id);
                Update::Message { id, addresses: select(&all, 1 + mask % 7), at }
            }
        };
        for copy in 0..copies {
            let position = position.wrapping_mul(u16::try_from(copy * 40_503 + 1).unwrap_or(1));
            deliveries.push((position, update.clone()));
        }
    }
    deliveries.sort_by_key(|(position, _)| *position);
    (deliveries.into_iter().map(|(_, update)| update).collect(), ids)
}

/// Applies the updates with up to four concurrent writers in two processes. `schedule` selects the next writer.
fn apply_all(updates: Vec<Update>, schedule: &[u8]) -> Table {
    let mut table = Table::default();
    let mut caches = [Cache::default(), Cache::default()];
    let mut waiting = updates.into_iter();
    let mut running: Vec<(usize, Writer)> = Vec::new();
    let mut started = 0;
    for turn in 0.. {
        while running.len() < 4 {
            let Some(update) = waiting.next() else { break };
            running.push((started % 2, Writer::new(update)));
            started += 1;
        }
        if running.is_empty() {
            break;
        }
        assert!(turn < 100_000, "the writers make no progress: {running:?}");
        let index = usize::from(schedule.get(turn).copied().unwrap_or_default()) % running.len();
        let (process, writer) = &mut running[index];
        writer.run_next(&mut table, &mut caches[*process]);
        if writer.is_done() {
            running.remove(index);
        }
    }
    table
}

fn inputs() -> impl Strategy<Value = Vec<UpdateInput>> {
    let input = (0usize..2, any::<bool>(), any::<u8>(), any::<u8>(), 0i64..CHANGE, 1usize..4, any::<u16>());
    proptest::collection::vec(input, 6..16)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn contact_has_one_chat_with_each_message_once(
        inputs in inputs(),
        changes in any::<[bool; 2]>(),
        schedule in proptest::collection::vec(any::<u8>(), 0..120),
    ) {
        let (updates, ids) = updates(&inputs, changes);
        let table = apply_all(updates, &schedule);
        let live: Vec<&Chat> = table.chats.values().filter(|chat| chat.merged_into.is_none()).collect();
        prop_assert_eq!(live.len(), 2, "{:#?}", table);
        for ids in ids {
            let has_first = |chat: &&&Chat| table.messages.contains_key(&(chat.id, ids[0]))
                || chat.merged.iter().any(|merged| table.messages.contains_key(&(merged.chat_id, ids[0])));
            let chat = live.iter().find(has_first).expect("the chat of the contact's first message");
            let mut stored: Vec<u32> = Vec::new();
            for partition in chat.partitions() {
                prop_assert_eq!(table.chat(partition).map(|chat| chat.id), Some(chat.id));
                stored.extend(table.messages.keys().filter(|(chat_id, _)| *chat_id == partition).map(|(_, id)| *id));
            }
            stored.sort_unstable();
            prop_assert_eq!(&stored, &ids);
            prop_assert_eq!(chat.unread_count, u64::try_from(ids.len()).unwrap());
        }
    }
}

fn identifier(address: &Address, alias: Option<Alias>) -> Identifier {
    Identifier { identity: address.identity(), alias }
}

#[test]
fn phone_number_passes_to_the_next_contact() {
    let [number, user_id, ..] = &addresses(0, false, 0)[..] else { panic!() };
    let (merges, chat_id) = (Merges::default(), ChatId::for_identity(session(), &number.identity()));
    let ended = Alias { ends_at: Some(time(CHANGE)), ..Alias::to(chat_id) };
    let known = [identifier(number, Some(ended)), identifier(user_id, None)];
    // A late message from before the change still belongs to the former contact.
    assert_eq!(chats(&known, &merges, time(CHANGE)), [chat_id]);
    assert_eq!(chats(&known, &merges, time(CHANGE + 1)), []);
    let next = new_chat_id(session(), &known[0]);
    assert_ne!(next, chat_id);
    let writes = alias_writes(&known, &merges, time(CHANGE + 1), next);
    assert_eq!(writes[0].alias, Alias { begins_at: Some(time(CHANGE)), ..Alias::to(next) });
    // A late message from the former contact does not merge the two chats.
    let late = [identifier(number, Some(writes[0].alias.clone())), identifier(user_id, Some(Alias::to(chat_id)))];
    assert_eq!(chats(&late, &merges, time(CHANGE)), [chat_id]);
}

#[test]
fn repeated_address_change_does_not_undo_later_change_back() {
    let (old, new) = (&addresses(0, false, 0)[0], &addresses(0, true, 0)[0]);
    let merges = Merges::default();
    let chat_id = ChatId::for_identity(session(), &old.identity());
    let change = |from: Identifier, to: Identifier, at: i64| {
        let mut after = [from.alias.clone(), to.alias.clone()];
        let (from, to) = (std::slice::from_ref(&from), std::slice::from_ref(&to));
        for alias_write in address_change_writes(from, to, &merges, time(at), chat_id) {
            after[usize::from(alias_write.identity == to[0].identity)] = Some(alias_write.alias);
        }
        after
    };
    let [old_alias, new_alias] = change(identifier(old, Some(Alias::to(chat_id))), identifier(new, None), 10);
    let [new_alias, old_alias] = change(identifier(new, new_alias), identifier(old, old_alias), 20);
    let repeated = change(identifier(old, old_alias.clone()), identifier(new, new_alias.clone()), 10);
    assert_eq!(repeated, [old_alias.clone(), new_alias]);
    assert_eq!(old_alias.and_then(|alias| alias.ends_at), None);
}

#[test]
fn merge_combines_both_chats_in_either_order() {
    let [number, user_id, ..] = &addresses(0, false, 0)[..] else { panic!() };
    let chat = |address: &Address, name: &str, created_at: i64| {
        let id = ChatId::for_identity(session(), &address.identity());
        Chat::new(id, session(), address, name.to_owned(), time(created_at))
    };
    let older = Chat {
        status: ChatStatus::Archived,
        unread_count: 2,
        last_message: Some("old".to_owned()),
        last_message_at: Some(time(10)),
        last_inbound_at: Some(time(10)),
        profile_name: Some("Mona".to_owned()),
        username: Some("mona.old".to_owned()),
        profile_at: Some(time(10)),
        saved_name: Some(SavedName { name: Some("Baker".to_owned()), at: time(9) }),
        consent: Consent { consent_keyword: Some(ConsentWord::Stop.decision(time(10))), ..Consent::default() },
        ..chat(user_id, "BR.00", 1)
    };
    let newer = Chat {
        unread_count: 1,
        last_message: Some("new".to_owned()),
        last_message_at: Some(time(20)),
        last_inbound_at: Some(time(20)),
        answered_at: Some(time(5)),
        username: Some("mona".to_owned()),
        profile_at: Some(time(20)),
        saved_name: Some(SavedName { name: None, at: time(8) }),
        consent: Consent { consent_keyword: Some(ConsentWord::Start.decision(time(10))), ..Consent::default() },
        ..chat(number, "+5531999998888", 2)
    };
    let result = merge(&older, &newer, time(30)).unwrap();
    assert_eq!(merge(&newer, &older, time(30)), Some(result.clone()));
    let Merge { survivor, merged } = result;
    assert_eq!((survivor.id, merged.merged_into, merged.merged_at), (older.id, Some(older.id), Some(time(30))));
    assert_eq!(survivor.partitions().collect::<Vec<_>>(), [older.id, newer.id]);
    assert_eq!((survivor.status, survivor.unread_count), (ChatStatus::Inbox, 3));
    assert_eq!((survivor.name.as_str(), survivor.profile_name.as_deref()), ("+5531999998888", Some("Mona")));
    assert_eq!((survivor.username.as_deref(), survivor.profile_at), (Some("mona"), Some(time(20))));
    assert_eq!(survivor.display_name(), "Baker");
    assert_eq!((survivor.last_message.as_deref(), survivor.last_message_at), (Some("new"), Some(time(20))));
    assert_eq!((survivor.wa_id.as_deref(), survivor.user_id.as_deref()), (Some("5531999998888"), Some("BR.00")));
    assert_eq!((survivor.consent, survivor.answered_at), (older.consent, Some(time(5))));
    let full = Chat { merged: vec![survivor.merged[0].clone(); MAX_MERGED], ..survivor };
    assert_eq!(merge(&full, &chat(&addresses(1, false, 0)[0], "x", 3), time(40)), None);
}

#[test]
fn agent_sees_the_most_specific_name_and_the_contact_only_their_own() {
    let number = &addresses(0, false, 0)[0];
    let id = ChatId::for_identity(session(), &number.identity());
    let mut chat = Chat::new(id, session(), number, number.display_name(), time(1));
    let mut names = vec![(chat.display_name().to_owned(), chat.contact_name().to_owned())];
    chat.username = Some("mona.a".to_owned());
    names.push((chat.display_name().to_owned(), chat.contact_name().to_owned()));
    chat.profile_name = Some("Mona".to_owned());
    names.push((chat.display_name().to_owned(), chat.contact_name().to_owned()));
    chat.saved_name = Some(SavedName { name: Some("Mona, pays late".to_owned()), at: time(1) });
    names.push((chat.display_name().to_owned(), chat.contact_name().to_owned()));
    chat.custom_name = Some("Mona (VIP)".to_owned());
    names.push((chat.display_name().to_owned(), chat.contact_name().to_owned()));
    chat.custom_name = None;
    chat.saved_name = Some(SavedName { name: None, at: time(2) });
    names.push((chat.display_name().to_owned(), chat.contact_name().to_owned()));
    let names: Vec<(&str, &str)> = names.iter().map(|(agent, contact)| (agent.as_str(), contact.as_str())).collect();
    assert_eq!(
        names,
        [
            ("+5531999998888", "+5531999998888"),
            ("mona.a", "mona.a"),
            ("Mona", "Mona"),
            ("Mona, pays late", "Mona"),
            ("Mona (VIP)", "Mona"),
            ("Mona", "Mona"),
        ]
    );
}

#[test]
fn nameless_contact_who_changes_number_is_named_after_the_new_one() {
    let (old, new) = (addresses(0, false, 0), addresses(0, true, 0));
    let id = ChatId::for_identity(session(), &old[0].identity());
    let dialed = Chat::new(id, session(), &old[0], "+55 (31) 99999-8888".to_owned(), time(1));
    let moved = dialed.clone().with_changed_addresses(&old, &new, time(10));
    assert_eq!((moved.display_name(), moved.wa_id.as_deref()), ("+5531999997777", Some("5531999997777")));
    assert_eq!(moved.addresses_at, Some(time(10)));
    // An older change is not news.
    assert_eq!(moved.clone().with_changed_addresses(&new, &old, time(10)), moved);
    // A name stays, and only the user ID may be known of the new address.
    let named = Chat { profile_name: Some("Bia".to_owned()), username: Some("bia".to_owned()), ..dialed };
    let moved = named.with_changed_addresses(&old, &new[1..2], time(10));
    assert_eq!((moved.display_name(), moved.name.as_str()), ("Bia", "BR.01"));
    assert_eq!((moved.username.as_deref(), moved.user_id.as_deref()), (Some("bia"), Some("BR.01")));
}

#[test]
fn another_spelling_of_a_number_is_no_change_of_the_number() {
    let spellings = ["5511987650001", "551187650001"].map(|digits| Address::Phone(digits.to_owned()));
    assert_eq!(spellings[0].identity(), spellings[1].identity());
    let chat_id = ChatId::for_identity(session(), &spellings[0].identity());
    for alias in [Alias::to(chat_id), Alias { begins_at: Some(time(3)), ..Alias::to(chat_id) }] {
        let known = [identifier(&spellings[0], Some(alias))];
        let writes = address_change_writes(&known, &known, &Merges::default(), time(10), chat_id);
        assert_eq!(writes, []);
    }
    let chat = Chat::new(chat_id, session(), &spellings[0], spellings[0].display_name(), time(1));
    let changed = chat.with_changed_addresses(&spellings[..1], &spellings[1..], time(10));
    assert_eq!(changed.wa_id.as_deref(), Some("551187650001"));
}

#[test]
fn an_address_change_leaves_the_aliases_of_a_chat_that_was_not_merged() {
    let [old, new, next] = [(0, false), (0, true), (1, true)].map(|(contact, after)| addresses(contact, after, 0));
    let [of_old, of_new] = [&old, &new].map(|addresses| ChatId::for_identity(session(), &addresses[0].identity()));
    let former = [identifier(&old[0], Some(Alias::to(of_old)))];
    let changed = [identifier(&new[0], Some(Alias::to(of_new))), identifier(&next[0], None)];
    let writes = address_change_writes(&former, &changed, &Merges::default(), time(10), of_old);
    let written: Vec<Identity> = writes.iter().map(|write| write.identity.clone()).collect();
    assert_eq!(written, [old[0].identity(), next[0].identity()]);
}

#[test]
fn a_contact_who_changed_numbers_goes_by_the_current_one_in_any_order_of_the_changes() {
    let [first, second, last] =
        ["201001234567", "491511234567", "14155550123"].map(|digits| Address::Phone(digits.to_owned()));
    let chat = |address: &Address, at: i64| {
        let id = ChatId::for_identity(session(), &address.identity());
        let chat = Chat::new(id, session(), address, address.display_name(), time(at));
        Chat { last_inbound_at: Some(time(at)), addresses_at: Some(time(at)), ..chat }
    };
    let [first, second, last] = [[first], [second], [last]];
    let moved = chat(&last[0], 50).with_changed_addresses(&second, &last, time(20));
    let merged = merge(&chat(&first[0], 1), &moved, time(60)).unwrap().survivor;
    let merged = merged.with_changed_addresses(&first, &second, time(10));
    let address = &last[0];
    assert_eq!((merged.name.clone(), merged.remote_id.clone()), (address.display_name(), address.remote_id()));
    assert_eq!((merged.phone_jid.clone(), merged.wa_id.as_deref()), (Some(address.remote_id()), Some("14155550123")));
}
