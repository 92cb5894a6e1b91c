//! A configuration file's text as a tree: which language it is in, and where its parts stand.
//!
//! The name's ending says the language: `.yaml` or `.yml`, `.json`, `.toml`, and `.ini`, `.cfg` or
//! `.conf` for what Python's `fileConfig` reads. Other names are told by their first character.
//! Each language is a file beside this one that gives a [`Node`]; none of them runs anything.

use std::path::Path;
use std::sync::Arc;

use super::node::{Node, Place};
use super::options::Problems;
use super::{fileconfig, json, toml, yaml};

/// Lists and maps in one another, at most.
pub(super) const MAX_DEPTH: usize = 64;
/// What a file says once and refers to again and again may make it larger by so many parts and
/// bytes of text: a few lines of references to references could ask for any amount of memory.
pub(super) const MAX_REPEATED: usize = 1 << 18;

/// Reads a file's text; `None` when it has a problem.
pub(super) fn read(path: &Path, text: &str, problems: &mut Problems) -> Option<Node> {
    let source = Source::new(&path.display().to_string(), text);
    let ending = path.extension().and_then(|ending| ending.to_str());
    match ending.unwrap_or_default() {
        "yaml" | "yml" => yaml::read(&source, problems),
        "json" => json::read(&source, problems),
        "toml" => toml::read(&source, problems),
        "ini" | "cfg" | "conf" => fileconfig::read(&source, problems),
        _ => match text.trim_start().chars().next() {
            Some('{') => json::read(&source, problems),
            Some('[') => fileconfig::read(&source, problems),
            _ => yaml::read(&source, problems),
        },
    }
}

/// A text with the places in it.
pub(super) struct Source<'a> {
    /// The whole text.
    pub(super) text: &'a str,
    name: Arc<str>,
    /// The byte at which each line begins.
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn new(name: &str, text: &'a str) -> Self {
        let feeds = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self {
            text,
            name: name.into(),
            lines: std::iter::once(0)
                .chain(feeds.map(|(at, _)| at + 1))
                .collect(),
        }
    }

    /// The place of a byte.
    pub(super) fn place(&self, at: usize) -> Place {
        let at = at.min(self.text.len());
        let line = self.lines.partition_point(|begin| *begin <= at) - 1;
        let before = self.text.get(self.lines[line]..at).unwrap_or_default();
        self.place_at(line + 1, before.chars().count() + 1)
    }

    /// The place of a line and a column, both from 1.
    pub(super) fn place_at(&self, line: usize, column: usize) -> Place {
        Place {
            source: self.name.clone(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
