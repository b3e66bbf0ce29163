//! Measures the figures in `docs/performance.md`, and prints them as Markdown:
//! `cargo run --release -p local --example measure [SECTION…]`. Without a section, it measures all of them.

mod compare;
mod events;
mod files;
mod harness;
mod memory;
mod process;
mod report;
mod start;
mod texts;
mod throughput;
mod usage;
mod webhooks;

use std::error::Error;

use clap::{Parser, ValueEnum};

use crate::{
    harness::Harness,
    report::{Table, print},
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Measures the functions on this machine, against the embedded DynamoDB.
#[derive(Parser)]
struct Arguments {
    /// Sections to measure (default: all).
    sections: Vec<Section>,
    /// Functions to measure in the sections `size`, `start`, and `memory` (default: all).
    #[arg(long)]
    function: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// Sizes of the binaries.
    Size,
    /// Time from process start to the first poll for an event.
    Start,
    /// Resident memory.
    Memory,
    /// DynamoDB requests and units per invocation.
    Usage,
    /// DynamoDB units of a text message by the length of its text. Takes a minute.
    Texts,
    /// `session-status` beside the same `GetItem` without Qasid, in Rust and in JavaScript.
    Compare,
    /// Requests per second through one webhook process.
    Throughput,
    /// Latency, throughput, and cost of outgoing webhooks. Takes three minutes.
    Webhooks,
    /// Cost, time, and memory of files that customers send. Takes five minutes.
    Files,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { sections: requested, function: only } = Arguments::parse();
    // Each section starts with an empty table.
    for &section in
        Section::value_variants().iter().filter(|section| requested.is_empty() || requested.contains(section))
    {
        let harness = Harness::start(&only).await?;
        match section {
            Section::Size => size(&harness)?,
            Section::Start => start::measure(&harness).await?,
            Section::Memory => memory::measure(&harness).await?,
            Section::Usage => usage::measure(&harness).await?,
            Section::Texts => texts::measure(&harness).await?,
            Section::Compare => compare::measure(&harness).await?,
            Section::Throughput => throughput::measure(&harness).await?,
            Section::Webhooks => webhooks::measure().await?,
            Section::Files => files::measure().await?,
        }
    }
    Ok(())
}

fn size(harness: &Harness) -> Result<()> {
    let mut table = Table::new(&["function", "binary, MiB"]);
    for function in harness.function_names() {
        let bytes = std::fs::metadata(harness.binary(function)?)?.len();
        table.row([function.to_owned(), report::mebibytes(bytes)]);
    }
    print(&format!("### Binaries\n\n{table}"))
}
