//! Configuration files in each language, up to the plan of handlers; nothing is opened.

use std::path::Path;

use super::node::Node;
use super::options::Problems;
use super::{Config, document, print, reference};

/// A tree has at most this many parts and bytes of text for each byte of its file, and [`ROOM`]
/// besides.
const GROWTH: usize = 64;
const ROOM: usize = 1 << 20;

/// Bytes as a configuration in YAML. A file is refused with problems, each with its place, or
/// becomes a tree whose size is bounded by its own, and which can be printed and read again.
pub fn config_yaml(bytes: &[u8]) {
    check("x.yaml", bytes);
}

/// The same in JSON.
pub fn config_json(bytes: &[u8]) {
    check("x.json", bytes);
}

/// The same in TOML.
pub fn config_toml(bytes: &[u8]) {
    check("x.toml", bytes);
}

/// The same as for Python's `fileConfig`.
pub fn config_ini(bytes: &[u8]) {
    check("x.ini", bytes);
}

fn check(name: &str, bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut problems = Problems::default();
    let Some(mut tree) = document::read(Path::new(name), text, &mut problems) else {
        return assert!(!problems.errors.is_empty());
    };
    reference::resolve(&mut tree, &mut problems);
    let size = tree.size();
    assert!(
        size <= GROWTH * text.len() + ROOM,
        "{} became {size}",
        text.len()
    );
    check_printed(&tree);
    for is_lenient in [true, false] {
        let read = Config::of_tree(tree.clone(), &[], false, is_lenient, Problems::default());
        if let Err(problems) = read {
            assert!(!problems.errors.is_empty() && !problems.line().is_empty());
        }
    }
}

fn check_printed(tree: &Node) {
    let printed = print::yaml(tree);
    let mut problems = Problems::default();
    let again = document::read(Path::new("x.yaml"), &printed, &mut problems);
    let Some(again) = again else {
        panic!("{}:\n{printed}", problems.line())
    };
    if tree.entries().is_some_and(|entries| !entries.is_empty()) {
        assert_eq!(print::yaml(&again), printed);
    }
}
