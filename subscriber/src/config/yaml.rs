//! YAML, as people write logging configurations.
//!
//! Python's users have PyYAML, which speaks YAML 1.1: `yes`, `no`, `on` and `off` are truth values
//! here, too, and `0640` and `0o640` are octal. But `12:30`, a number to the base of 60 there, stays
//! text, because it is a time of day here. Anchors, aliases and `<<` work, within bounds. A tag
//! that asks for an object, as `!!python/object`, is an error: nothing is ever made or run.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::document::{MAX_DEPTH, MAX_REPEATED, Source};
use super::node::{Entry, Node, Place, Tree};
use super::options::Problems;

/// Reads a YAML text; `None` when it has a problem.
pub(super) fn read(source: &Source<'_>, problems: &mut Problems) -> Option<Node> {
    let before = problems.errors.len();
    let mut reader = Reader {
        events: Parser::new_from_str(source.text),
        source,
        anchors: HashMap::new(),
        aliased: 0,
        problems,
    };
    let mut documents = Vec::new();
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => break,
            (
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing,
                _,
            ) => {}
            (event, span) => documents.push(reader.node(event, span, 0)?),
        }
    }
    if let Some(second) = documents.get(1) {
        let text = "a second document begins here; a configuration is one document";
        problems.error(&second.place.clone(), text);
    }
    (problems.errors.len() == before).then(|| documents.into_iter().next().unwrap_or_default())
}

struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    source: &'a Source<'a>,
    anchors: HashMap<usize, (Node, usize)>,
    aliased: usize,
    problems: &'a mut Problems,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<(Event<'a>, Span)> {
        match self.events.next() {
            Some(Ok(next)) => Some(next),
            Some(Err(error)) => {
                let at = error.marker();
                let place = self.source.place_at(at.line(), at.col() + 1);
                self.problems
                    .error(&place, format!("this is no YAML: {}", error.info()));
                None
            }
            None => Some((Event::StreamEnd, Span::default())),
        }
    }

    fn place(&self, span: Span) -> Place {
        self.source
            .place_at(span.start.line(), span.start.col() + 1)
    }

    /// The node that begins with an event; `None` after an error that ends the reading.
    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Option<Node> {
        let place = self.place(span);
        if depth > MAX_DEPTH {
            let text = format!("more than {MAX_DEPTH} lists and maps in one another");
            self.problems.error(&place, text);
            return None;
        }
        let (anchor, tree) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (anchor, self.scalar(&text, style, tag.as_deref(), &place))
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &place);
                (anchor, self.sequence(depth)?)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &place);
                (anchor, self.mapping(depth)?)
            }
            Event::Alias(anchor) => return self.alias(anchor, &place),
            _ => (0, Tree::Null),
        };
        let node = Node::new(place, tree);
        if anchor > 0 {
            let size = node.size();
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Some(node)
    }

    fn alias(&mut self, anchor: usize, place: &Place) -> Option<Node> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            self.problems
                .error(place, "this refers to what it is a part of");
            return None;
        };
        self.aliased += size;
        if self.aliased > MAX_REPEATED {
            let text = format!("aliases stand for more than {MAX_REPEATED} parts and bytes");
            self.problems.error(place, text);
            return None;
        }
        Some(node.clone())
    }

    fn sequence(&mut self, depth: usize) -> Option<Tree> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd | Event::StreamEnd, _) => return Some(Tree::List(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Option<Tree> {
        let (mut entries, mut merged) = (Vec::new(), Vec::new());
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd | Event::StreamEnd) {
                break;
            }
            let is_quoted = !matches!(event, Event::Scalar(_, ScalarStyle::Plain, ..));
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            match key.tree {
                Tree::Text(name) if name == "<<" && !is_quoted => merged.push(value),
                Tree::Text(name) => self.entry(&mut entries, name, key.place, value),
                Tree::List(_) | Tree::Map(_) => {
                    self.problems
                        .error(&key.place, format!("{key} cannot be a key"));
                }
                // A number or a truth value as a key is a name, too.
                _ => {
                    let name = name_of(&key);
                    self.entry(&mut entries, name, key.place, value);
                }
            }
        }
        for value in merged {
            self.merge(&mut entries, value);
        }
        Some(Tree::Map(entries))
    }

    fn entry(&mut self, entries: &mut Vec<Entry>, key: String, place: Place, value: Node) {
        match entries.iter().find(|entry| entry.key == key) {
            Some(first) => {
                let text = format!("{key:?} stands here a second time, after {}", first.place);
                self.problems.error(&place, text);
            }
            None => entries.push(Entry { key, place, value }),
        }
    }

    /// Adds what `<<` brings: keys that the map itself does not have.
    fn merge(&mut self, entries: &mut Vec<Entry>, value: Node) {
        let maps = match value.tree {
            Tree::List(items) => items,
            _ => vec![value],
        };
        for map in maps {
            let Tree::Map(brought) = map.tree else {
                let text = format!("<< takes a map or a list of maps, not {map}");
                self.problems.error(&map.place, text);
                continue;
            };
            for entry in brought {
                if entries.iter().all(|known| known.key != entry.key) {
                    entries.push(entry);
                }
            }
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, place: &Place) -> Tree {
        let kind = tag.map(|tag| (tag.is_yaml_core_schema(), tag.suffix.as_str()));
        match kind {
            Some((true, "str")) => Tree::Text(text.to_owned()),
            Some((true, "int" | "float" | "bool" | "null")) => plain(text),
            Some(_) => {
                self.refuse_tag(tag, place);
                Tree::Text(text.to_owned())
            }
            None if style == ScalarStyle::Plain => plain(text),
            None => Tree::Text(text.to_owned()),
        }
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, place: &Place) {
        let Some(tag) = tag else {
            return;
        };
        if tag.is_yaml_core_schema() && matches!(tag.suffix.as_str(), "map" | "seq") {
            return;
        }
        let text = format!(
            "the tag {}{} asks for an object, and none is made here; write plain values",
            tag.handle, tag.suffix
        );
        self.problems.error(place, text);
    }
}

/// The name that a key is which is no text.
fn name_of(key: &Node) -> String {
    match &key.tree {
        Tree::Null => "null".to_owned(),
        _ => key.to_string(),
    }
}

/// What a text without quotes stands for.
fn plain(text: &str) -> Tree {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Tree::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            return Tree::Bool(true);
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Tree::Bool(false);
        }
        ".inf" | ".Inf" | "+.inf" => return Tree::Float(f64::INFINITY),
        "-.inf" | "-.Inf" => return Tree::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" => return Tree::Float(f64::NAN),
        _ => {}
    }
    if let Some(number) = integer(text) {
        return Tree::Int(number);
    }
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && text.contains(|c: char| c.is_ascii_digit())
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || "+-.eE_".contains(c));
    match text.replace('_', "").parse() {
        Ok(number) if is_number => Tree::Float(number),
        _ => Tree::Text(text.to_owned()),
    }
}

fn integer(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let first = digits.chars().next()?;
    if !first.is_ascii_digit() {
        return None;
    }
    let digits = digits.replace('_', "");
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x', ..] => (16, &digits[2..]),
        [b'0', b'o', ..] => (8, &digits[2..]),
        [b'0', b'b', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, &digits[..]),
    };
    i64::from_str_radix(digits, radix).ok().map(|n| sign * n)
}
