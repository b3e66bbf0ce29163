//! Files of customers under faults: lookups and downloads fail, break off, stall, and have wrong content, table requests
//! fail, and processes of `media-fetch` are killed while files pass through them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::Path,
    time::Duration,
};

use fastrand::Rng;
use local::database::{Fault, RandomFaults};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::domain::time::Timestamp;

use crate::test_app::TestApp;

const MEGABYTE: usize = 1024 * 1024;

/// Contacts. The files of each are in one chat.
const CONTACTS: usize = 5;

/// How often processes are killed.
const KILLS: usize = 8;

/// The limit for one wait.
const TIMEOUT: Duration = Duration::from_secs(1_800);

/// The kinds of files: the message type, the content type, the maximum size at WhatsApp, and the first bytes.
const KINDS: [(&str, &str, usize, &[u8]); 5] = [
    ("document", "application/pdf", 100 * MEGABYTE, b"%PDF-1.7 "),
    ("image", "image/jpeg", 5 * MEGABYTE, b"\xff\xd8\xff\xe0"),
    ("video", "video/mp4", 16 * MEGABYTE, b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"),
    ("audio", "audio/ogg", 16 * MEGABYTE, b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0OpusHead"),
    ("sticker", "image/webp", MEGABYTE / 2, b"RIFF\x20\0\0\0WEBPVP8 "),
];

/// A file that a customer sends.
#[derive(Clone, Debug)]
struct File {
    wamid: String,
    kind: usize,
    size: usize,
    seed: u64,
}

impl File {
    fn content(&self) -> Vec<u8> {
        let (_, _, _, head) = KINDS[self.kind];
        let mut content = vec![0; self.size];
        Rng::with_seed(self.seed).fill(&mut content);
        content[..head.len()].copy_from_slice(head);
        content
    }
}

/// Returns files of all kinds and sizes with about this size in total. The first one has the maximum size.
fn files(rng: &mut Rng, total: usize) -> Vec<File> {
    let (mut files, mut sum) = (Vec::new(), 0);
    while sum < total {
        let kind = files.len() % KINDS.len();
        let max = KINDS[kind].2.min(total / 10);
        let size = if files.is_empty() { max } else { rng.usize(max / 50..=max) };
        sum += size;
        files.push(File { wamid: format!("wamid.{}", files.len()), kind, size, seed: rng.u64(..) });
    }
    files
}

fn faults(rng: &mut Rng) -> Value {
    let lookups = json!([
        {"percent": 10, "fault": {"httpStatus": 503}},
        {"percent": 5, "fault": {"dropAfter": 20}},
        {"percent": 5, "fault": {"delay": 300}},
    ]);
    let downloads = json!([
        {"percent": 5, "fault": {"httpStatus": 500}},
        {"percent": 5, "fault": {"dropAfter": 0}},
        {"percent": 10, "fault": {"dropAfter": 70_000}},
        {"percent": 10, "fault": {"stallAfter": 70_000}},
        {"percent": 10, "fault": {"corrupt": true}},
    ]);
    json!({
        "media": {
            "lookups": {"mix": {"seed": rng.u64(..), "faults": lookups}},
            "downloads": {"mix": {"seed": rng.u64(..), "faults": downloads}},
        },
        "webhooks": {"duplicates": 1},
    })
}

/// Stores a file at WhatsApp, and sends it as a customer. Returns the SHA-256 of its content.
async fn send(app: &TestApp, client: &reqwest::Client, number: usize, file: &File) -> [u8; 32] {
    let (kind, mime_type, _, _) = KINDS[file.kind];
    let content = file.content();
    let hash = Sha256::digest(&content).into();
    let url = format!("{}/simulator/media", app.ready.whatsapp);
    let response = client.post(url).header("content-type", mime_type).body(content).send().await.unwrap();
    let stored: Value = response.json().await.unwrap();
    let from = format!("20100123450{}", number % CONTACTS);
    let message = json!({"from": from, "id": file.wamid, "type": kind, kind: {"id": stored["id"]}});
    app.simulator("POST", "/simulator/messages", &message).await;
    hash
}

fn is_leased(item: &Value) -> bool {
    item["lease"].is_string()
}

fn count_stored(items: &[Value]) -> usize {
    items.iter().filter(|item| item["state"] == "stored").count()
}

/// Kills the processes that fetch files, and ends their leases, which would last two minutes. Returns the number of files
/// that passed through them.
async fn kill(app: &TestApp) -> usize {
    let mut interrupted: Vec<Value> = app.items("media").await.into_iter().filter(is_leased).collect();
    app.kill("media-fetch").await;
    let left: BTreeSet<String> = app.items("media").await.iter().map(|item| item["lease"].to_string()).collect();
    interrupted.retain(|item| left.contains(&item["lease"].to_string()));
    for item in &interrupted {
        let id = item["pk"].as_str().unwrap().strip_prefix("MEDIA#").unwrap().parse().unwrap();
        let lease = item["lease"].as_str().unwrap().parse().unwrap();
        app.store().media().retry_at(id, lease, Timestamp::MIN).await.unwrap();
    }
    interrupted.len()
}

fn hash_of(path: &Path) -> [u8; 32] {
    let (mut file, mut hash) = (std::fs::File::open(path).unwrap(), Sha256::new());
    let mut chunk = vec![0; MEGABYTE];
    loop {
        match file.read(&mut chunk).unwrap() {
            0 => return hash.finalize().into(),
            read => hash.update(&chunk[..read]),
        }
    }
}

fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `QASID_MEDIA_MEGABYTES` sets the size of all files. `QASID_CHAOS_SEED` repeats the files and the faults of a run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_file_is_stored_once_and_completely() {
    let number = |variable: &str| std::env::var(variable).ok().map(|number| number.parse::<u64>().unwrap());
    let megabytes = number("QASID_MEDIA_MEGABYTES").map_or(20, |number| usize::try_from(number).unwrap());
    let seed = number("QASID_CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..1 << 40));
    println!("QASID_CHAOS_SEED={seed} QASID_MEDIA_MEGABYTES={megabytes}");
    let started = std::time::Instant::now();
    let mut rng = Rng::with_seed(seed);
    let files = files(&mut rng, megabytes * MEGABYTE);
    let count = files.len();

    let app = TestApp::start_with_data(&[]).await;
    let session_id = app.connect("ada").await;
    // If a fault lost the log's first number, a reader of the whole log couldn't tell that nothing has expired.
    app.wait_for_change(&session_id, "the connection", |change| change["type"] == "session.connected").await;
    app.set_faults(&faults(&mut rng)).await;
    app.running().database().faults().inject_random(RandomFaults {
        seed,
        percent: 4,
        functions: vec!["relay".to_owned(), "media-fetch".to_owned()],
        faults: Fault::TRANSIENT.to_vec(),
    });

    let client = reqwest::Client::new();
    let sending = async {
        let mut hashes = Vec::new();
        for (number, file) in files.iter().enumerate() {
            hashes.push(send(&app, &client, number, file).await);
        }
        hashes
    };
    let killing = async {
        let mut interrupted = 0;
        for step in 1..=KILLS {
            let is_reached = async || {
                let items = app.items("media").await;
                let stored = count_stored(&items);
                stored == count || (stored >= step * count / KILLS / 2 && items.iter().any(is_leased))
            };
            app.wait_within(TIMEOUT, "more files are stored", is_reached).await;
            interrupted += kill(&app).await;
        }
        app.clear_injected_faults();
        app.clear_faults().await;
        // Downloads that stall end with their process.
        interrupted + kill(&app).await
    };
    let fetching = async {
        let fetch_due = async || {
            let items = app.items("media").await;
            for item in items.iter().filter(|item| item["state"] == "pending" && !is_leased(item)) {
                app.set_item_attribute(item, "due_at", "2020-01-01T00:00:00.000Z").await;
            }
            let due = json!({"source": "qasid.due"}).to_string();
            // A killed process has no result.
            let _ = app.running().lambda().invoke("media-fetch", due.into()).await;
            count_stored(&items) == count
        };
        app.wait_within(TIMEOUT, "every file is stored", fetch_due).await;
    };
    let (hashes, interrupted, ()) = tokio::join!(sending, killing, fetching);

    let items = app.items("media").await;
    assert_eq!((items.len(), app.due_count().await), (count, 0));
    assert!(items.iter().all(|item| item["state"] == "stored" && !is_leased(item)), "{items:#?}");
    let messages = app.items("message").await;
    assert_eq!(messages.len(), count);
    let mut objects = app.objects();
    for (file, hash) in files.iter().zip(&hashes) {
        let message = messages.iter().find(|message| message["wamid"] == file.wamid).unwrap();
        let id = |name: &str| message[name].as_str().unwrap();
        let object = objects.remove(&format!("in/{session_id}/{}/{}", id("chat_id"), id("id")));
        assert_eq!(hash_of(&object.unwrap_or_else(|| panic!("no object of {file:?}"))), *hash, "{file:?}");
        let shown = app.get(&format!("/api/messages/{}", id("id"))).await.json["message"]["media"].clone();
        let (_, mime_type, ..) = KINDS[file.kind];
        let expected = (&json!("stored"), &json!(mime_type), &json!(file.size), &json!(hex(hash)));
        assert_eq!((&shown["state"], &shown["mime_type"], &shown["size"], &shown["sha256"]), expected, "{file:?}");
    }
    assert!(objects.is_empty(), "stray objects: {objects:?}");
    // A change that a killed process has appended is repeated with the same ID. Readers wait for its unfinished ones.
    let changes = async || {
        let mut changes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for change in app.all_changes(&session_id, 0).await.iter().filter(|change| change["type"] == "message.media") {
            changes.entry(change["message"]["wamid"].to_string()).or_default().insert(change["id"].to_string());
        }
        changes
    };
    app.wait_within(TIMEOUT, "every file is a change", async || changes().await.len() == count).await;
    assert!(changes().await.values().all(|ids| ids.len() == 1));

    let size: usize = files.iter().map(|file| file.size).sum();
    let tries: u64 = items.iter().map(|item| item["tries"].as_u64().unwrap()).sum();
    let faults = app.log_lines().iter().filter(|line| line.contains("of a file: ")).count();
    println!(
        "{count} files, {} MB, {faults} faults, {interrupted} interrupted by kill -9, {tries} attempts, {:?}",
        size / MEGABYTE,
        started.elapsed()
    );
    assert!(faults > 0 && interrupted > 0 && tries > count as u64, "faults occurred");
}
