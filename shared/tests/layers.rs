//! Checks the layers of `shared/src`: imports go one way, and modules have no import cycles.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Each layer with the layers that it can import. `docs/architecture.md` describes them.
const LAYERS: [(&str, &[&str]); 9] = [
    ("domain", &[]),
    ("telemetry", &["domain"]),
    ("aws", &["domain", "telemetry"]),
    ("store", &["domain", "telemetry"]),
    ("whatsapp", &["domain", "telemetry"]),
    ("secrets", &["domain", "telemetry", "aws"]),
    ("services", &["domain", "telemetry", "aws", "store", "whatsapp", "secrets"]),
    ("http", &["domain", "telemetry", "aws", "store", "whatsapp", "secrets", "services"]),
    ("runtime", &["domain", "telemetry", "aws", "store", "whatsapp", "secrets", "services", "http"]),
];

/// One `crate::` path of a source file.
struct Import {
    /// The path of the file, and the line of the path's last segment.
    place: String,
    /// The importing module: `["domain", "chat"]`.
    from: Vec<String>,
    /// The path without `crate`: `["domain", "chat", "Chat"]`.
    path: Vec<String>,
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let is_code = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "rs") && path.file_stem().unwrap() != "tests"
    };
    let below = directories.iter().filter(|path| path.file_name().unwrap() != "tests").flat_map(|path| sources(path));
    below.chain(files.into_iter().filter(is_code)).collect()
}

/// Returns the code of a file without tests and comments. Keeps line numbers.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.take_while(|line| line.trim() != "#[cfg(test)]").collect::<Vec<_>>().join("\n")
}

/// Finds the paths that start at `text[start..]`, with their positions. `{a, b::{c, d}}` has three. Returns the end.
fn paths(text: &str, start: usize, prefix: &[String], found: &mut Vec<(usize, Vec<String>)>) -> usize {
    let skip = |mut at: usize| {
        while text[at..].starts_with(char::is_whitespace) {
            at += 1;
        }
        at
    };
    let mut path = prefix.to_vec();
    let mut at = skip(start);
    loop {
        if text[at..].starts_with('{') {
            at = skip(at + 1);
            while !text[at..].starts_with('}') {
                at = skip(paths(text, at, &path, found));
                at = skip(if text[at..].starts_with(',') { at + 1 } else { at });
            }
            return at + 1;
        }
        let word = text[at..].split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        let end = at + word.len();
        path.push(word.to_owned());
        if !text[end..].starts_with("::") {
            let renamed = text[end..]
                .strip_prefix(" as ")
                .map_or(0, |rest| 4 + rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()));
            found.push((at, path));
            // `*` ends a path but isn't a word.
            return (end + renamed).max(at + usize::from(word.is_empty()));
        }
        at = skip(end + 2);
    }
}

fn imports() -> Vec<Import> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut imports = Vec::new();
    for file in sources(&root).into_iter().filter(|file| file.file_name().unwrap() != "lib.rs") {
        let relative = file.strip_prefix(&root).unwrap();
        let from = relative.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect::<Vec<_>>();
        let code = code(&fs::read_to_string(&file).unwrap());
        for (start, _) in code.match_indices("crate::") {
            let mut found = Vec::new();
            paths(&code, start + "crate::".len(), &[], &mut found);
            imports.extend(found.into_iter().map(|(at, path)| {
                let line = code[..at].matches('\n').count() + 1;
                Import { place: format!("shared/src/{}:{line}", relative.display()), from: from.clone(), path }
            }));
        }
    }
    imports
}

#[test]
fn layers_import_only_lower_layers() {
    let imports = imports();
    assert!(imports.len() > 100, "only {} imports were found: the parser is broken", imports.len());
    let mut violations = Vec::new();
    for import in &imports {
        let (from, to) = (&import.from[0], &import.path[0]);
        let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| layer == from) else {
            panic!("{}: {from} is not a layer", import.place);
        };
        if from != to && !allowed.contains(&to.as_str()) {
            violations.push(format!("{}: {from} imports crate::{}", import.place, import.path.join("::")));
        }
    }
    assert!(violations.is_empty(), "upward imports:\n{}", violations.join("\n"));
}

#[test]
fn modules_have_no_import_cycles() {
    let module = |path: &[String]| path.iter().take(2).cloned().collect::<Vec<_>>().join("::");
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let imports = imports();
    let modules: BTreeSet<String> = imports.iter().map(|import| module(&import.from)).collect();
    for import in &imports {
        let (from, to) = (module(&import.from), module(&import.path));
        // A layer's own file declares and re-exports its submodules.
        if from != to && modules.contains(&to) && from.contains("::") && to.contains("::") {
            edges.entry(from).or_default().insert(to);
        }
    }
    // Repeatedly removes modules without imports, until only cycles and their importers remain.
    loop {
        let before = edges.len();
        let open: BTreeSet<String> = edges.keys().cloned().collect();
        edges.retain(|_, imported| {
            imported.retain(|module| open.contains(module));
            !imported.is_empty()
        });
        if edges.len() == before {
            break;
        }
    }
    assert!(edges.is_empty(), "import cycles, and modules that import from one: {edges:#?}");
}
