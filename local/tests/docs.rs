//! Holds the documentation against the repository: links, anchors, and the tables of template parameters and alarms.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use regex_lite::Regex;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn pages() -> Vec<PathBuf> {
    let entries = |folder: &str| {
        let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "md"))
    };
    ["", "docs", "events", "clients/typescript", "examples/nextjs"].into_iter().flat_map(entries).collect()
}

/// The prose of a page: without fenced code.
fn prose(page: &Path) -> String {
    let text = fs::read_to_string(page).unwrap();
    text.split("\n```").step_by(2).collect::<Vec<_>>().join("\n")
}

/// The anchors of a page's headings, as GitHub forms them.
fn anchors(page: &Path) -> Vec<String> {
    let anchor = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>()
    };
    prose(page).lines().filter(|line| line.starts_with('#')).map(anchor).collect()
}

#[test]
fn links_lead_to_files_and_headings() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let (mut count, mut broken) = (0, Vec::new());
    for page in pages() {
        for (_, [target]) in link.captures_iter(&prose(&page)).map(|found| found.extract()) {
            if target.starts_with("http") {
                continue;
            }
            count += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            if !file.exists() || !(anchor.is_empty() || anchors(&file).iter().any(|known| known == anchor)) {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(count > 50, "only {count} links were found");
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn configuration_page_lists_every_template_parameter_with_its_default() {
    let template = fs::read_to_string(root().join("template.yaml")).unwrap();
    let section = template.split("\nParameters:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let mut parameters: BTreeMap<&str, &str> = BTreeMap::new();
    let mut name = "";
    for line in section.lines() {
        if let Some(key) = line.strip_prefix("  ").and_then(|rest| rest.strip_suffix(':')) {
            name = key;
        } else if let Some(value) = line.trim().strip_prefix("Default: ") {
            parameters.insert(name, value.trim_matches('"'));
        }
    }
    let page = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let table = page.split("\n## Parameters\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let row = Regex::new(r"(?m)^\| `(\w+)` \| (?:`([^`]*)`|empty) \|").unwrap();
    let documented: BTreeMap<&str, &str> = row
        .captures_iter(table)
        .map(|row| (row.get(1).unwrap().as_str(), row.get(2).map_or("", |value| value.as_str())))
        .collect();
    assert!(parameters.len() > 20, "only {} parameters were found", parameters.len());
    assert_eq!(documented, parameters);
}

#[test]
fn operations_page_has_a_first_step_for_every_alarm_and_an_alarm_for_every_fault() {
    let template = fs::read_to_string(root().join("template.yaml")).unwrap();
    let alarm = Regex::new(r"(?m)^  (\w+):\n    Type: AWS::CloudWatch::Alarm$").unwrap();
    let alarms: BTreeSet<String> = alarm.captures_iter(&template).map(|found| found[1].to_owned()).collect();
    assert!(alarms.len() > 10, "only {} alarms were found", alarms.len());

    let page = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let section = page.split("\n## Alarms\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let (steps, faults) = section.split_once("\n| fault | alarm |\n").unwrap();
    let name = Regex::new(r"`([A-Z]\w+)`").unwrap();
    let names = |table: &str, column: usize| -> BTreeSet<String> {
        let cells = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").nth(column));
        cells.flat_map(|cell| name.captures_iter(cell).map(|found| found[1].to_owned())).collect()
    };
    assert_eq!(names(steps, 0), alarms, "the alarms with a first step");
    assert_eq!(names(faults, 1), alarms, "the alarms of the faults");
}
