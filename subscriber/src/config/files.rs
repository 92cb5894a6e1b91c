//! Configuration files, one after the other, as one tree.
//!
//! A later file adds handlers, loggers and so on by name, or takes the place of those of the same
//! name. One that says `incremental: true` changes nothing but levels and `propagate`, as in
//! Python.

use std::path::{Path, PathBuf};

use super::document;
use super::node::{Entry, Node, Place, Tree};
use super::options::{Problems, nearest};

/// The parts whose entries have names.
const NAMED: &[&str] = &[
    "formatters",
    "filters",
    "handlers",
    "loggers",
    "root",
    "logsub",
];
/// A file of more bytes is none that somebody wrote.
const MAX_FILE: u64 = 4 << 20;

/// Reads files; `None` when one of them cannot be read.
pub(super) fn read(paths: &[PathBuf], problems: &mut Problems) -> Option<Node> {
    let mut whole = Node::new(Place::of("the command line"), Tree::Map(Vec::new()));
    let mut is_good = true;
    for path in paths {
        match read_one(path, problems) {
            Some(node) if is_incremental(&node) => increment(&mut whole, &node, problems),
            Some(node) => merge(&mut whole, node),
            None => is_good = false,
        }
    }
    is_good.then_some(whole)
}

fn read_one(path: &Path, problems: &mut Problems) -> Option<Node> {
    match text(path) {
        Ok(text) => document::read(path, &text, problems),
        Err(said) => {
            problems.error(&Place::of(&path.display().to_string()), said);
            None
        }
    }
}

/// A file's text, or why there is none.
pub(super) fn text(path: &Path) -> Result<String, String> {
    let length = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if length > MAX_FILE {
        return Err(format!("{length} bytes are too many for a configuration"));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("byte {at} is not UTF-8; save the file as UTF-8")
    })
}

fn is_incremental(node: &Node) -> bool {
    let said = node.get("incremental").map(|node| &node.tree);
    matches!(said, Some(Tree::Bool(true) | Tree::Int(1)))
}

fn merge(whole: &mut Node, node: Node) {
    for entry in node.entries().unwrap_or(&[]) {
        let Some(parts) = entry
            .value
            .entries()
            .filter(|_| NAMED.contains(&entry.key.as_str()))
        else {
            whole.set_entry(entry.clone());
            continue;
        };
        let mut named = whole.get(&entry.key).cloned().unwrap_or_default();
        named.place = entry.value.place.clone();
        if named.entries().is_none() {
            named.tree = Tree::Map(Vec::new());
        }
        for part in parts {
            named.set_entry(part.clone());
        }
        whole.set_entry(Entry {
            value: named,
            ..entry.clone()
        });
    }
}

/// Sets what an incremental file may set.
fn increment(whole: &mut Node, node: &Node, problems: &mut Problems) {
    for (part, keys) in [
        ("handlers", &["level"][..]),
        ("loggers", &["level", "propagate"]),
    ] {
        for entry in node.get(part).and_then(Node::entries).unwrap_or(&[]) {
            let mut named = whole.get(part).cloned().unwrap_or_default();
            let known = named.get(&entry.key).cloned();
            if known.is_none() && part == "handlers" {
                let names = named.entries().unwrap_or(&[]).iter();
                let names: Vec<&str> = names.map(|entry| entry.key.as_str()).collect();
                let text = format!(
                    "handlers.{}: an incremental file changes handlers of files before it, and \
                     there is none of this name{}",
                    entry.key,
                    nearest(&entry.key, &names)
                );
                problems.error(&entry.place, text);
                continue;
            }
            named.set(
                &entry.key,
                with(known.unwrap_or_default(), &entry.value, keys),
            );
            whole.set(part, named);
        }
    }
    if let Some(root) = node.get("root") {
        let known = whole.get("root").cloned().unwrap_or_default();
        whole.set("root", with(known, root, &["level"]));
    }
}

fn with(mut known: Node, given: &Node, keys: &[&str]) -> Node {
    for key in keys {
        if let Some(value) = given.get(key) {
            known.set(key, value.clone());
        }
    }
    known
}
