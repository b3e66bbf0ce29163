use super::*;

#[test]
fn checkpoints_are_stored_per_mapping() {
    let folder = tempfile::tempdir().unwrap();
    let first = Checkpoints::directory(folder.path()).unwrap();
    assert_eq!(first.get("deliver"), None);
    first.set("deliver", 100_000_000_000_000_000_007).unwrap();
    first.set("relay", 0).unwrap();
    let second = Checkpoints::directory(folder.path()).unwrap();
    assert_eq!(second.get("deliver"), Some(100_000_000_000_000_000_007));
    assert_eq!(second.get("relay"), Some(0));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_damaged_file_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("streams.json"), "{").unwrap();
    let error = Checkpoints::directory(folder.path()).unwrap_err();
    assert!(error.to_string().contains("streams.json"), "{error}");
}
