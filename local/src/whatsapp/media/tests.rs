use super::*;

const NOW: i64 = 1_700_000_000;
const DAY: i64 = 24 * 60 * 60;

fn new(source: Source) -> NewMedia {
    NewMedia {
        phone_number_id: "7".to_owned(),
        mime_type: "text/plain".to_owned(),
        file_name: Some("note.txt".to_owned()),
        source,
    }
}

async fn put(store: &MediaStore, content: &[u8], source: Source) -> Media {
    let mut writer = store.writer().unwrap();
    for chunk in content.chunks(3) {
        writer.write(chunk).await.unwrap();
    }
    assert_eq!(writer.size(), content.len() as u64);
    store.store(writer, new(source), NOW).await.unwrap()
}

fn files(store: &MediaStore) -> usize {
    std::fs::read_dir(&store.folder).unwrap().count()
}

#[tokio::test]
async fn a_file_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("media");
    let store = MediaStore::open(Some(folder.clone()), NOW).unwrap();
    let media = put(&store, b"hello", Source::Business).await;
    assert_eq!(media.id.len(), 16);
    // An interrupted upload, and one whose metadata was not written.
    let (_, interrupted) = NamedTempFile::new_in(&folder).unwrap().keep().unwrap();
    std::fs::write(folder.join("1234567890123456"), "x").unwrap();
    drop(store);

    let store = MediaStore::open(Some(folder), NOW).unwrap();
    assert!(!interrupted.exists());
    assert_eq!(files(&store), 2);
    let stored = store.get(&media.id, NOW).unwrap().unwrap();
    assert_eq!(stored, media);
    assert_eq!((stored.size, stored.mime_type.as_str()), (5, "text/plain"));
    assert_eq!(stored.sha256_hex(), "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    assert_eq!(stored.sha256_base64(), "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
    assert_eq!(std::fs::read(store.content_path(&media.id)).unwrap(), b"hello");
}

#[tokio::test]
async fn files_expire() {
    let directory = tempfile::tempdir().unwrap();
    let store = MediaStore::open(Some(directory.path().to_owned()), NOW).unwrap();
    let uploaded = put(&store, b"a", Source::Business).await;
    let received = put(&store, b"b", Source::Customer).await;
    for (media, days) in [(&uploaded, 30), (&received, 7)] {
        assert!(store.get(&media.id, NOW + days * DAY - 1).unwrap().is_some());
        assert!(store.get(&media.id, NOW + days * DAY).unwrap().is_none());
    }
    let store = MediaStore::open(Some(directory.path().to_owned()), NOW + 8 * DAY).unwrap();
    assert_eq!(files(&store), 2);
    assert!(store.content(&uploaded).await.is_ok() && store.content(&received).await.is_err());
}

#[tokio::test]
async fn a_deleted_or_unfinished_file_leaves_nothing() {
    let store = MediaStore::open(None, NOW).unwrap();
    let media = put(&store, b"hello", Source::Business).await;
    store.delete(&media).unwrap();
    let mut writer = store.writer().unwrap();
    writer.write(b"x").await.unwrap();
    drop(writer);
    assert!(store.get(&media.id, NOW).unwrap().is_none());
    assert_eq!(files(&store), 0);
}

#[test]
fn an_id_cannot_name_another_file() {
    let store = MediaStore::open(None, NOW).unwrap();
    for id in ["", "../7", "7.json", "7/8", "media", "٧"] {
        assert!(store.get(id, NOW).unwrap().is_none(), "{id}");
    }
}

#[tokio::test]
async fn a_download_url_is_valid_for_5_minutes() {
    let store = MediaStore::open(None, NOW).unwrap();
    let media = put(&store, b"hello", Source::Business).await;
    let other = put(&store, b"hello", Source::Business).await;
    let url = media.download_url("http://127.0.0.1:8788", NOW);
    let hash = url
        .strip_prefix(&format!(
            "http://127.0.0.1:8788/whatsapp_business/attachments/?mid={}&ext={}&hash=",
            media.id,
            NOW + 300
        ))
        .unwrap();
    let ext = (NOW + 300).to_string();
    assert!(media.is_download_url(&ext, hash, NOW + 299));
    assert!(!media.is_download_url(&ext, hash, NOW + 300));
    assert!(!media.is_download_url(&(NOW + 301).to_string(), hash, NOW));
    assert!(!media.is_download_url(&ext, "", NOW));
    assert!(!other.is_download_url(&ext, hash, NOW));
}
