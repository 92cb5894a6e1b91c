//! A configuration as a tree in which every part knows where it was written.
//!
//! Files of every kind and the command line become such a tree (`document.rs`, `flags.rs`), so
//! that there is one way from what was written to what is meant, and every problem has a place.

use std::fmt;
use std::sync::Arc;

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The file's name, or the flag or environment variable.
    pub source: Arc<str>,
    /// The line, from 1; 0 where there are no lines.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl Place {
    /// A place without lines: a flag, an environment variable, a default.
    pub fn of(source: &str) -> Self {
        Self {
            source: source.into(),
            line: 0,
            column: 0,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.source),
            line => write!(f, "{}:{line}:{}", self.source, self.column),
        }
    }
}

/// A part of a configuration.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// Where it was written.
    pub place: Place,
    /// What was written.
    pub tree: Tree,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Tree {
    /// Nothing: YAML's `~`, JSON's `null`, Python's `None`.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// A text.
    Text(String),
    /// A list or a tuple.
    List(Vec<Node>),
    /// Keys with their values, in order.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key was written.
    pub place: Place,
    /// Its value.
    pub value: Node,
}

/// Two nodes are equal that say the same, wherever they were written.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.tree == other.tree
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (&self.key, &self.value) == (&other.key, &other.value)
    }
}

impl Node {
    /// A node.
    pub fn new(place: Place, tree: Tree) -> Self {
        Self { place, tree }
    }

    /// A text that was written at `place`.
    pub fn text(place: &Place, text: &str) -> Self {
        Self::new(place.clone(), Tree::Text(text.to_owned()))
    }

    /// The value of a key, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let entries = self.entries()?;
        let found = entries.iter().find(|entry| entry.key == key)?;
        Some(&found.value)
    }

    /// The entries, if this is a map.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.tree {
            Tree::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Sets a key, which makes this a map.
    pub fn set(&mut self, key: &str, value: Node) {
        self.set_entry(Entry {
            key: key.to_owned(),
            place: value.place.clone(),
            value,
        });
    }

    /// The same with a key that has a place of its own.
    pub fn set_entry(&mut self, entry: Entry) {
        if self.entries().is_none() {
            self.tree = Tree::Map(Vec::new());
        }
        if let Tree::Map(entries) = &mut self.tree {
            match entries.iter_mut().find(|known| known.key == entry.key) {
                Some(known) => *known = entry,
                None => entries.push(entry),
            }
        }
    }

    /// Its parts, and the bytes of text in them.
    pub(super) fn size(&self) -> usize {
        1 + match &self.tree {
            Tree::Text(text) => text.len(),
            Tree::List(items) => items.iter().map(Node::size).sum(),
            Tree::Map(entries) => entries
                .iter()
                .map(|entry| entry.key.len() + entry.value.size())
                .sum(),
            _ => 0,
        }
    }

    /// What kind of thing this is, for a message.
    pub fn kind(&self) -> &'static str {
        match self.tree {
            Tree::Null => "nothing",
            Tree::Bool(_) => "a truth value",
            Tree::Int(_) | Tree::Float(_) => "a number",
            Tree::Text(_) => "a text",
            Tree::List(_) => "a list",
            Tree::Map(_) => "a map",
        }
    }
}

/// As a message quotes it.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tree {
            Tree::Null => f.write_str("null"),
            Tree::Bool(truth) => truth.fmt(f),
            Tree::Int(n) => n.fmt(f),
            Tree::Float(x) => x.fmt(f),
            Tree::Text(text) => write!(f, "{text:?}"),
            Tree::List(_) | Tree::Map(_) => f.write_str(self.kind()),
        }
    }
}
