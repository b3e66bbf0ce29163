//! Converts `openapi.yaml` to JSON, compresses it, and generates the constant that `src/main.rs` includes.

mod yaml;

use std::{
    env,
    error::Error,
    fs,
    hash::{DefaultHasher, Hasher},
    io::Write,
    path::Path,
};

use flate2::{Compression, write::GzEncoder};

/// The file at the root of the repository.
const SOURCE: &str = "../../openapi.yaml";

#[allow(clippy::disallowed_methods, reason = "cargo passes the output folder in a variable")]
#[allow(clippy::print_stdout, reason = "cargo reads instructions from the output")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build");
    // A deployment describes itself, whatever its address.
    let json = yaml::to_json(&fs::read_to_string(SOURCE)?, &[("servers", r#"[{"url":"/"}]"#)])?;
    let mut hasher = DefaultHasher::new();
    hasher.write(json.as_bytes());
    let etag = format!("W/\"{:016x}\"", hasher.finish());

    let out = env::var("OUT_DIR")?;
    let target = format!("{out}/openapi.json.gz");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(json.as_bytes())?;
    fs::write(&target, encoder.finish()?)?;
    let document = format!(
        "const DOCUMENT: StaticDocument = StaticDocument {{ content_type: \"application/json\", etag: {etag:?}, \
         gzip: include_bytes!({target:?}) }};"
    );
    fs::write(Path::new(&out).join("document.rs"), document)?;
    Ok(())
}
