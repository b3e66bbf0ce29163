use super::{super::journal::Recovered, *};

fn open(folder: &tempfile::TempDir) -> (Registry<Vec<u8>>, Recovered) {
    let (journal, recovered) = Journal::open(&folder.path().join("journal")).unwrap();
    (Registry::open("numbers", &journal, &recovered, vec![1]).unwrap(), recovered)
}

#[test]
fn a_change_survives_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let (registry, _) = open(&folder);
    let pushed: Result<usize, JournalError> = registry.change(|numbers| {
        numbers.push(2);
        Ok(numbers.len())
    });
    assert_eq!(pushed.unwrap(), 2);
    // The second restart reads the compacted journal.
    for _ in 0..2 {
        assert_eq!(open(&folder).0.read(Clone::clone), [1, 2]);
    }
}

#[test]
fn a_failed_change_has_no_effect() {
    #[derive(Debug)]
    struct Refused;
    impl From<JournalError> for Refused {
        fn from(_: JournalError) -> Refused {
            Refused
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (registry, _) = open(&folder);
    let refused: Result<(), Refused> = registry.change(|numbers| {
        numbers.clear();
        Err(Refused)
    });
    refused.unwrap_err();
    assert_eq!(registry.read(Clone::clone), [1]);
    assert_eq!(open(&folder).0.read(Clone::clone), [1]);
}

#[test]
fn a_state_of_another_form_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (registry, _) = open(&folder);
    registry
        .change(|numbers| {
            numbers.push(2);
            Ok::<_, JournalError>(())
        })
        .unwrap();
    let (journal, recovered) = Journal::open(&folder.path().join("journal")).unwrap();
    let reopened = Registry::<String>::open("numbers", &journal, &recovered, String::new());
    assert!(matches!(reopened, Err(JournalError::Registry { name: "numbers", .. })));
}
