//! Compresses the files in `assets/` and generates the table of them that `main.rs` includes.
//!
//! All style sheets become one file, in the order of their names: `_base.css` is the first. The URLs of the files contain
//! a version, which is a hash of all of them, so that browsers can keep them for good.

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fmt::Write as _,
    fs,
    hash::{DefaultHasher, Hasher},
    io::Write,
    path::Path,
};

use flate2::{Compression, write::GzEncoder};

/// The page, in which `{version}` is replaced.
const PAGE: &str = "index.html";
/// The types of the files to serve. Others, such as licenses and the types for the type checker, aren't served.
const TYPES: [(&str, &str); 3] =
    [("css", "text/css; charset=utf-8"), ("js", "text/javascript; charset=utf-8"), ("svg", "image/svg+xml")];

#[allow(clippy::disallowed_methods, reason = "cargo passes the output folder in a variable")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=assets");
    let mut files = BTreeMap::new();
    read(Path::new("assets"), "", &mut files)?;
    let mut hasher = DefaultHasher::new();
    for (path, content) in &files {
        hasher.write(path.as_bytes());
        hasher.write(content);
    }
    let page = fs::read_to_string(Path::new("assets").join(PAGE))?;
    hasher.write(page.as_bytes());
    let version = format!("{:016x}", hasher.finish());
    let page = page.replace("{version}", &version);
    let import_map = page.split_once("<script type=\"importmap\">").and_then(|(_, rest)| rest.split_once("</script>"));
    let (import_map, _) = import_map.ok_or("assets/index.html has no import map")?;

    let out = env::var("OUT_DIR")?;
    let mut table = String::new();
    writeln!(table, "const VERSION: &str = {version:?};")?;
    writeln!(table, "const IMPORT_MAP: &str = {import_map:?};")?;
    writeln!(table, "const PAGE: &[u8] = include_bytes!({:?});", compress(&out, PAGE, page.as_bytes())?)?;
    writeln!(table, "const FILES: &[StaticFile] = &[")?;
    for (path, content) in &files {
        let content_type = content_type(path).unwrap_or_default();
        let gzip = compress(&out, path, content)?;
        writeln!(
            table,
            "    StaticFile {{ path: {path:?}, content_type: {content_type:?}, gzip: include_bytes!({gzip:?}) }},"
        )?;
    }
    writeln!(table, "];")?;
    fs::write(Path::new(&out).join("files.rs"), table)?;
    Ok(())
}

fn content_type(path: &str) -> Option<&'static str> {
    let (_, extension) = path.rsplit_once('.')?;
    TYPES.iter().find(|(name, _)| *name == extension).map(|(_, content_type)| *content_type)
}

/// Reads the files to serve, by their path below `assets`.
fn read(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), Box<dyn Error>> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().into_string().map_err(|name| format!("{name:?} is not UTF-8"))?;
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            read(&entry.path(), &format!("{path}/"), files)?;
        } else if path.starts_with("styles/") {
            files.entry("styles.css".to_owned()).or_default().extend(fs::read(entry.path())?);
        } else if content_type(&path).is_some() {
            files.insert(path, fs::read(entry.path())?);
        }
    }
    Ok(())
}

/// Writes the compressed content and returns the path of its file.
fn compress(out: &str, path: &str, content: &[u8]) -> Result<String, Box<dyn Error>> {
    let target = format!("{out}/{}.gz", path.replace('/', "-"));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    fs::write(&target, encoder.finish()?)?;
    Ok(target)
}
