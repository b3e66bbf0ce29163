//! Measures what `docs/performance.md` reports, and prints it as Markdown:
//! `cargo run --release -p local --example measure`, with the names of the sections to measure, or all of them.

mod events;
mod memory;
mod process;
mod report;
mod rig;
mod start;
mod throughput;
mod usage;

use std::error::Error;

use clap::{Parser, ValueEnum};

use crate::report::{Table, say};
use crate::rig::Rig;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Measures the functions on this machine, against the embedded DynamoDB.
#[derive(Parser)]
struct Arguments {
    /// What to measure; everything when none is named.
    sections: Vec<Section>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// Sizes of the binaries.
    Size,
    /// Times from a process's start to its first request for an event.
    Start,
    /// Resident memory.
    Memory,
    /// What each kind of request asks of DynamoDB.
    Usage,
    /// Requests per second through one webhook process.
    Throughput,
}

#[tokio::main]
async fn main() -> Result<()> {
    let asked = Arguments::parse().sections;
    // Each section has a table of its own, so that none sees what another has left.
    for &section in Section::value_variants().iter().filter(|section| asked.is_empty() || asked.contains(section)) {
        let rig = Rig::start().await?;
        match section {
            Section::Size => size(&rig)?,
            Section::Start => start::measure(&rig).await?,
            Section::Memory => memory::measure(&rig).await?,
            Section::Usage => usage::measure(&rig).await?,
            Section::Throughput => throughput::measure(&rig).await?,
        }
    }
    Ok(())
}

fn size(rig: &Rig) -> Result<()> {
    let mut table = Table::new(&["function", "binary, MiB"]);
    for function in rig.function_names() {
        let bytes = std::fs::metadata(rig.binary(function)?)?.len();
        table.row([function.to_owned(), report::mebibytes(bytes)]);
    }
    say(&format!("### Binaries\n\n{table}"))
}
