//! `.ini` files as Python's `configparser` reads them.
//!
//! Sections in brackets, `key = value` or `key: value`, comments on lines of their own, values that
//! go on in indented lines, and `%(name)s` that stands for another value of the section or of
//! `[DEFAULT]` (docs.python.org/3/library/configparser.html). A section or key that comes twice is
//! an error, as it is there.

use std::cell::Cell;

use super::document::{MAX_REPEATED, Source};
use super::node::Place;
use super::options::Problems;

/// Values that stand for one another, at most.
const MAX_DEPTH: usize = 10;

/// A file's sections, in order.
pub(super) struct Ini {
    pub(super) sections: Vec<Section>,
    /// How much more references may say again.
    room: Cell<usize>,
}

/// A section.
pub(super) struct Section {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) values: Vec<Value>,
}

/// A value.
pub(super) struct Value {
    /// Its key, in lower case.
    pub(super) key: String,
    /// Where the key stands.
    pub(super) place: Place,
    /// The lines of the value, each with the place where it begins.
    lines: Vec<(String, Place)>,
}

impl Value {
    /// The value as it was written.
    pub(super) fn raw(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(|(line, _)| line.as_str()).collect();
        lines.join("\n").trim_end().to_owned()
    }

    /// Where the value begins.
    pub(super) fn begin(&self) -> Place {
        let first = self.lines.first();
        first.map_or_else(|| self.place.clone(), |(_, place)| place.clone())
    }

    /// Where a byte of `text` stands, which is the value with its references resolved: the line is
    /// right, and the column where no reference stands before it.
    pub(super) fn place_of(&self, text: &str, at: usize) -> Place {
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count();
        let column = before.rsplit('\n').next().unwrap_or_default();
        let Some((_, place)) = self.lines.get(line) else {
            return self.begin();
        };
        let more = u32::try_from(column.chars().count()).unwrap_or(u32::MAX);
        Place {
            column: place.column.saturating_add(more),
            ..place.clone()
        }
    }
}

impl Ini {
    /// Reads a text; what cannot be read is a problem.
    pub(super) fn read(source: &Source<'_>, problems: &mut Problems) -> Self {
        let mut ini = Self {
            sections: Vec::new(),
            room: Cell::new(MAX_REPEATED),
        };
        let mut indent_of_key = 0;
        let mut can_go_on = false;
        for (number, line) in source.text.lines().enumerate() {
            let content = line.trim();
            let indent = line.chars().take_while(|c| c.is_whitespace()).count();
            let place = source.place_at(number + 1, indent + 1);
            if content.is_empty() || content.starts_with(['#', ';']) {
                continue;
            }
            if can_go_on && indent > indent_of_key {
                ini.go_on(content, place);
            } else if let Some(name) = content.strip_prefix('[') {
                ini.begin(name, place, problems);
                can_go_on = false;
                indent_of_key = 0;
            } else {
                can_go_on = ini.value(content, &place, problems);
                indent_of_key = indent;
            }
        }
        ini
    }

    /// A section by name.
    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    fn begin(&mut self, rest: &str, place: Place, problems: &mut Problems) {
        let Some((name, _)) = rest.split_once(']') else {
            return problems.error(&place, "\"]\" is missing behind the section's name");
        };
        if let Some(first) = self.section(name) {
            let text = format!("[{name}] stands here a second time, after {}", first.place);
            return problems.error(&place, text);
        }
        self.sections.push(Section {
            name: name.to_owned(),
            place,
            values: Vec::new(),
        });
    }

    /// A key with its value; whether it may go on in further lines.
    fn value(&mut self, content: &str, place: &Place, problems: &mut Problems) -> bool {
        let Some(section) = self.sections.last_mut() else {
            problems.error(place, "a section such as [loggers] is missing before this");
            return false;
        };
        let Some(at) = content.find(['=', ':']) else {
            problems.error(
                place,
                format!("{content:?} is neither a section nor key = value"),
            );
            return false;
        };
        let key = content[..at].trim().to_lowercase();
        if let Some(first) = section.values.iter().find(|value| value.key == key) {
            let text = format!("{key:?} stands here a second time, after {}", first.place);
            problems.error(place, text);
            return false;
        }
        let written = content[at + 1..].trim_start();
        let before = content[..content.len() - written.len()].chars().count();
        let begin = Place {
            column: place.column + u32::try_from(before).unwrap_or(0),
            ..place.clone()
        };
        section.values.push(Value {
            key,
            place: place.clone(),
            lines: vec![(written.to_owned(), begin)],
        });
        true
    }

    fn go_on(&mut self, content: &str, place: Place) {
        let value = self
            .sections
            .last_mut()
            .and_then(|section| section.values.last_mut());
        if let Some(value) = value {
            value.lines.push((content.to_owned(), place));
        }
    }

    /// A value with what its `%(name)s` stand for, and `%%` as `%`.
    pub(super) fn resolved(
        &self,
        section: &Section,
        value: &Value,
        problems: &mut Problems,
    ) -> Option<String> {
        match self.resolve(section, &value.raw(), 0) {
            Ok(text) => Some(text),
            Err(problem) => {
                problems.error(&value.begin(), format!("{}: {problem}", value.key));
                None
            }
        }
    }

    fn resolve(&self, section: &Section, text: &str, depth: usize) -> Result<String, String> {
        if depth > MAX_DEPTH {
            return Err("values stand for one another without an end".to_owned());
        }
        let (mut out, mut rest) = (String::new(), text);
        while let Some(at) = rest.find('%') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('%') {
                out.push('%');
                rest = after;
                continue;
            }
            let reference = rest
                .strip_prefix('(')
                .and_then(|rest| rest.split_once(")s"));
            let Some((name, after)) = reference else {
                return Err("write a percent sign as %%, or a reference as %(name)s".to_owned());
            };
            let value = self.lookup(section, &name.to_lowercase());
            let value = value.ok_or_else(|| {
                format!("there is no {name:?} in [{}] or [DEFAULT]", section.name)
            })?;
            let raw = value.raw();
            let room = self.room.get().checked_sub(raw.len() + 1);
            self.room.set(
                room.ok_or_else(|| format!("references stand for more than {MAX_REPEATED} bytes"))?,
            );
            out.push_str(&self.resolve(section, &raw, depth + 1)?);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn lookup<'a>(&'a self, section: &'a Section, key: &str) -> Option<&'a Value> {
        let defaults = self
            .section("DEFAULT")
            .map(|section| section.values.as_slice());
        let all = section.values.iter().chain(defaults.unwrap_or(&[]));
        all.into_iter().find(|value| value.key == key)
    }
}

impl Section {
    /// A value by key.
    pub(super) fn value<'a>(&'a self, ini: &'a Ini, key: &str) -> Option<&'a Value> {
        ini.lookup(self, key)
    }
}
