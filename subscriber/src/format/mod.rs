//! Formatters: how a record becomes text.
//!
//! A formatter is one file beside this one and one row in [`FORMATTERS`]. It renders and nothing
//! else: where the text goes, and what of it a terminal may see, is for handlers to decide.

mod asctime;
mod clef;
pub(crate) mod flat;
mod gelf;
pub(crate) mod json;
mod logfmt;
mod python;
pub(crate) mod strftime;
pub(crate) mod visible;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;

use std::fmt;

use logbus_schemas::{Level, Record};

use crate::config::node::Place;
use crate::config::options::{Form, Options, Problems};
use crate::item::Notice;

pub use python::{FormatError, PythonFormat};

/// The format of console and file when nothing else is said.
pub const DEFAULT_FORMAT: &str = "%(asctime)s %(levelname)-8s %(name)s %(process)s %(message)s";

/// A compiled format. It is used by one thread; each handler has its own.
pub trait Formatter: fmt::Debug + Send {
    /// Adds a record's text to `out`, without a last line feed. Every record has a text.
    fn format(&mut self, record: &Record, out: &mut String);
    /// Adds a notice's text: as people read it between records, one line, although it quotes what
    /// senders say of themselves. A format for programs makes a record of it.
    fn notice(&mut self, notice: &Notice, out: &mut String) {
        visible::on_one_line(&format!("-- {notice} --"), out);
    }
    /// The same format for another handler.
    fn again(&self) -> Box<dyn Formatter>;
}

/// A kind of format.
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What it is like, in a line.
    pub summary: &'static str,
    /// How configurations name it, and its options.
    pub forms: &'static [Form<Box<dyn Formatter>>],
}

/// Every kind of format.
pub const FORMATTERS: &[Row] = &[
    python::PERCENT,
    python::BRACE,
    python::DOLLAR,
    json::ROW,
    clef::ROW,
    logfmt::ROW,
    gelf::ROW,
];

impl Clone for Box<dyn Formatter> {
    fn clone(&self) -> Self {
        self.again()
    }
}

/// The severity of a level in syslog (RFC 5424, section 6.2.1), as Python's `SysLogHandler` maps it.
pub(crate) fn severity(level: Level) -> u8 {
    match level {
        level if level >= Level::CRITICAL => 2,
        level if level >= Level::ERROR => 3,
        level if level >= Level::WARNING => 4,
        level if level >= Level::INFO => 6,
        _ => 7,
    }
}

/// The format of this name, with its usual options.
pub(crate) fn named(name: &str) -> Option<Box<dyn Formatter>> {
    let row = FORMATTERS.iter().find(|row| row.name == name)?;
    let form = row.forms.first()?;
    let mut unused = Problems::default();
    let mut options = Options::new(
        name,
        &Place::default(),
        Vec::new(),
        form.parameters,
        &mut unused,
    );
    (form.read)(&mut options)
}

/// The format of handlers for programs when nothing else is said.
pub(crate) fn json_lines() -> Box<dyn Formatter> {
    Box::new(json::JsonFormat::default())
}

/// The format of Python's handlers when nothing else is said, compiled.
pub(crate) fn message_only() -> Box<dyn Formatter> {
    #[expect(clippy::expect_used, reason = "it is our own, and a test compiles it")]
    let format = PythonFormat::percent("%(message)s").expect("it can be compiled");
    Box::new(format)
}

/// The format of console and file when nothing else is said, compiled.
pub(crate) fn default() -> Box<dyn Formatter> {
    #[expect(clippy::expect_used, reason = "it is our own, and a test compiles it")]
    let format = PythonFormat::percent(DEFAULT_FORMAT).expect("it can be compiled");
    Box::new(format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        for (at, row) in FORMATTERS.iter().enumerate() {
            assert!(!row.summary.is_empty());
            assert!(named(row.name).is_some(), "{}", row.name);
            assert!(
                FORMATTERS[..at].iter().all(|other| other.name != row.name),
                "{}",
                row.name
            );
        }
    }

    #[test]
    fn the_default_format_is_compiled_and_gives_every_record_a_text() {
        assert!(PythonFormat::percent(DEFAULT_FORMAT).is_ok());
        for record in [Record::default(), Record::new("myapp", 20, "hello")] {
            message_only().format(&record, &mut String::new());
            let (mut text, mut twin) = (String::new(), String::new());
            default().format(&record, &mut text);
            default().again().format(&record, &mut twin);
            assert!(!text.is_empty() && text == twin);
        }
    }
}
