use proptest::prelude::*;

use super::{
    model::{Fact, Memory, Table, Writer, session, time},
    *,
};
use crate::domain::{
    chat::{Chat, ChatStatus, MAX_MERGED},
    identity::Address,
};

/// When a person of a history changes his number.
const CHANGE: i64 = 1_000;

/// How one fact is drawn: whose it is, whether it is from after the change, which identifiers it names, what it is, how often
/// it is told, and its place in the history.
type Draw = (usize, bool, u8, u8, i64, usize, u16);

/// The identifiers of a person before or after he changed his number. A phone number is spelt in one of two ways.
fn identifiers(person: usize, after: bool, spelling: u8) -> Vec<Address> {
    let number =
        [["5531999998888", "553199998888"], ["5215512345678", "525512345678"]][person][usize::from(spelling % 2)];
    let number = if after { number.replace("8888", "7777").replace("5678", "4321") } else { number.to_owned() };
    let id = format!("{person}{}", u8::from(after));
    vec![Address::Phone(number), Address::Bsuid(format!("BR.{id}")), Address::Bsuid(format!("BR.ENT.{id}"))]
}

fn some(identifiers: &[Address], mask: u8) -> Vec<Address> {
    let chosen = |index: &usize| mask & (1 << index) != 0;
    (0..identifiers.len()).filter(chosen).map(|index| identifiers[index].clone()).collect()
}

/// The facts of a history in the order in which they arrive. Each person is named by all his identifiers at least once, and
/// what changes them is told; where in the history, and how often, is drawn.
fn history(draws: &[Draw], changes: [bool; 2]) -> (Vec<Fact>, [Vec<u32>; 2]) {
    let mut metadata: Vec<(u16, Fact)> = Vec::new();
    let mut ids = [Vec::new(), Vec::new()];
    for (index, &(person, after, mask, kind, second, copies, place)) in draws.iter().enumerate() {
        let id = u32::try_from(index).unwrap() + 1;
        let after = after && changes[person];
        let at = time(if after { CHANGE + 1 + second } else { second });
        let all = identifiers(person, after, kind);
        // The first draws are the links that every history has.
        let fact = match (index, kind % 4) {
            (0..4, _) => {
                let (person, after) = (index % 2, index >= 2 && changes[index % 2]);
                ids[person].push(id);
                let at = time(if after { CHANGE + 1 + second } else { second });
                Fact::Message { id, identifiers: identifiers(person, after, kind), at }
            }
            (4..6, _) if changes[index % 2] => {
                let person = index % 2;
                ids[person].push(id);
                let from = some(&identifiers(person, false, kind), 1 + mask % 3);
                let to = some(&identifiers(person, true, kind), 1 + mask / 3 % 7);
                Fact::Moved { id, from, to, at: time(CHANGE) }
            }
            (_, 3) => Fact::Seen { identifiers: some(&all, [3, 5, 6, 7][usize::from(mask) % 4]), at },
            _ => {
                ids[person].push(id);
                Fact::Message { id, identifiers: some(&all, 1 + mask % 7), at }
            }
        };
        for copy in 0..copies {
            let place = place.wrapping_mul(u16::try_from(copy * 40_503 + 1).unwrap_or(1));
            metadata.push((place, fact.clone()));
        }
    }
    metadata.sort_by_key(|(place, _)| *place);
    (metadata.into_iter().map(|(_, fact)| fact).collect(), ids)
}

/// Takes the facts in, up to four at once in two processes; `schedule` says whose step is next.
fn run(metadata: Vec<Fact>, schedule: &[u8]) -> Table {
    let mut table = Table::default();
    let mut memories = [Memory::default(), Memory::default()];
    let mut waiting = metadata.into_iter();
    let mut running: Vec<(usize, Writer)> = Vec::new();
    let mut started = 0;
    for turn in 0.. {
        while running.len() < 4 {
            let Some(fact) = waiting.next() else { break };
            running.push((started % 2, Writer::new(fact)));
            started += 1;
        }
        if running.is_empty() {
            break;
        }
        assert!(turn < 100_000, "the writers hold each other up for ever: {running:?}");
        let chosen = usize::from(schedule.get(turn).copied().unwrap_or_default()) % running.len();
        let (process, writer) = &mut running[chosen];
        writer.step(&mut table, &mut memories[*process]);
        if writer.is_done() {
            running.remove(chosen);
        }
    }
    table
}

fn draws() -> impl Strategy<Value = Vec<Draw>> {
    let draw = (0usize..2, any::<bool>(), any::<u8>(), any::<u8>(), 0i64..CHANGE, 1usize..4, any::<u16>());
    proptest::collection::vec(draw, 6..16)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn every_history_of_a_person_ends_in_one_chat_with_each_message_once(
        draws in draws(),
        changes in any::<[bool; 2]>(),
        schedule in proptest::collection::vec(any::<u8>(), 0..120),
    ) {
        let (metadata, ids) = history(&draws, changes);
        let table = run(metadata, &schedule);
        let open: Vec<&Chat> = table.chats.values().filter(|chat| chat.merged_into.is_none()).collect();
        prop_assert_eq!(open.len(), 2, "{:#?}", table);
        for ids in ids {
            let holds = |chat: &&&Chat| table.messages.contains_key(&(chat.id, ids[0]))
                || chat.merged.iter().any(|merged| table.messages.contains_key(&(merged.chat_id, ids[0])));
            let chat = open.iter().find(holds).expect("the chat of the person's first message");
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
fn a_number_that_was_given_up_is_the_next_owners() {
    let [number, user_id, ..] = &identifiers(0, false, 0)[..] else { panic!() };
    let (merges, chat_id) = (Merges::default(), ChatId::for_identity(session(), &number.identity()));
    let left = Alias { ends_at: Some(time(CHANGE)), ..Alias::to(chat_id) };
    let known = [identifier(number, Some(left)), identifier(user_id, None)];
    // What its former owner wrote before, however late it comes, is still his.
    assert_eq!(chats(&known, &merges, time(CHANGE)), [chat_id]);
    assert_eq!(chats(&known, &merges, time(CHANGE + 1)), []);
    let next = new_chat(session(), &known[0]);
    assert_ne!(next, chat_id);
    let written = alias_writes(&known, &merges, time(CHANGE + 1), next);
    assert_eq!(written[0].alias, Alias { begins_at: Some(time(CHANGE)), ..Alias::to(next) });
    // And then a late word of the former owner does not make one chat of the two.
    let late = [identifier(number, Some(written[0].alias.clone())), identifier(user_id, Some(Alias::to(chat_id)))];
    assert_eq!(chats(&late, &merges, time(CHANGE)), [chat_id]);
}

#[test]
fn a_change_that_is_told_again_after_the_person_changed_back_is_no_news() {
    let (old, new) = (&identifiers(0, false, 0)[0], &identifiers(0, true, 0)[0]);
    let merges = Merges::default();
    let chat_id = ChatId::for_identity(session(), &old.identity());
    let told = |from: Identifier, to: Identifier, at: i64| {
        let mut after = [from.alias.clone(), to.alias.clone()];
        for alias_write in moves(std::slice::from_ref(&from), std::slice::from_ref(&to), &merges, time(at), chat_id) {
            after[usize::from(alias_write.identity == to.identity)] = Some(alias_write.alias);
        }
        after
    };
    let [old_binding, new_binding] = told(identifier(old, Some(Alias::to(chat_id))), identifier(new, None), 10);
    let [new_binding, old_binding] = told(identifier(new, new_binding), identifier(old, old_binding), 20);
    let again = told(identifier(old, old_binding.clone()), identifier(new, new_binding.clone()), 10);
    assert_eq!(again, [old_binding.clone(), new_binding]);
    assert_eq!(old_binding.and_then(|alias| alias.ends_at), None);
}

#[test]
fn merged_chats_keep_the_best_of_both_whichever_is_named_first() {
    let [number, user_id, ..] = &identifiers(0, false, 0)[..] else { panic!() };
    let chat = |address: &Address, name: &str, made_at: i64| {
        let id = ChatId::for_identity(session(), &address.identity());
        Chat::new(id, session(), address, name.to_owned(), time(made_at))
    };
    let older = Chat {
        status: ChatStatus::Archived,
        unread_count: 2,
        last_message: Some("old".to_owned()),
        last_message_at: Some(time(10)),
        last_inbound_at: Some(time(10)),
        consent_at: Some(time(10)),
        opted_out: true,
        ..chat(user_id, "Mona", 1)
    };
    let newer = Chat {
        unread_count: 1,
        last_message: Some("new".to_owned()),
        last_message_at: Some(time(20)),
        last_inbound_at: Some(time(20)),
        answered_at: Some(time(5)),
        ..chat(number, "+5531999998888", 2)
    };
    let merged = merge(&older, &newer, time(30)).unwrap();
    assert_eq!(merge(&newer, &older, time(30)), Some(merged.clone()));
    let Merge { survivor, ended } = merged;
    assert_eq!((survivor.id, ended.merged_into, ended.merged_at), (older.id, Some(older.id), Some(time(30))));
    assert_eq!(survivor.partitions().collect::<Vec<_>>(), [older.id, newer.id]);
    assert_eq!((survivor.name.as_str(), survivor.status, survivor.unread_count), ("Mona", ChatStatus::Inbox, 3));
    assert_eq!((survivor.last_message.as_deref(), survivor.last_message_at), (Some("new"), Some(time(20))));
    assert_eq!((survivor.wa_id.as_deref(), survivor.user_id.as_deref()), (Some("5531999998888"), Some("BR.00")));
    assert_eq!((survivor.opted_out, survivor.answered_at), (true, Some(time(5))));
    let full = Chat { merged: vec![survivor.merged[0].clone(); MAX_MERGED], ..survivor };
    assert_eq!(merge(&full, &chat(&identifiers(1, false, 0)[0], "x", 3), time(40)), None);
}
