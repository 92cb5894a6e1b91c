//! Formatters: how a record becomes text.
//!
//! A formatter is one file beside this one and one row in [`FORMATTERS`]. There is one so far,
//! Python's `%` style. A formatter renders and nothing else: where the text goes, and what of it a
//! terminal may see, is for handlers to decide.

mod asctime;
mod percent;
pub(crate) mod visible;

use std::fmt;

use logbus_schemas::Record;

pub use percent::{FormatError, PercentFormat};

/// The format of console and file when nothing else is said.
pub const DEFAULT_FORMAT: &str = "%(asctime)s %(levelname)-8s %(name)s %(process)s %(message)s";

/// A compiled format. It is used by one thread; each handler has its own.
pub trait Formatter: fmt::Debug + Send {
    /// Adds a record's text to `out`, without a last line feed. Every record has a text.
    fn format(&mut self, record: &Record, out: &mut String);
    /// The same format for another handler.
    fn again(&self) -> Box<dyn Formatter>;
}

/// Compiles a format and, where times are to look otherwise than usual, theirs.
pub type Parse = fn(&str, Option<&str>) -> Result<Box<dyn Formatter>, FormatError>;

/// A style of formats.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What it is like, in a line.
    pub summary: &'static str,
    /// Compiles a format of this style.
    pub parse: Parse,
}

/// Python's `%` style.
pub const PERCENT: Row = Row {
    name: "percent",
    summary: "Python's % style, as %(levelname)-8s",
    parse: |format, datefmt| Ok(Box::new(PercentFormat::parse(format, datefmt)?)),
};

/// Every style.
pub const FORMATTERS: &[Row] = &[PERCENT];

impl Formatter for PercentFormat {
    fn format(&mut self, record: &Record, out: &mut String) {
        PercentFormat::format(self, record, out);
    }

    fn again(&self) -> Box<dyn Formatter> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Formatter> {
    fn clone(&self) -> Self {
        self.again()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_style_has_a_name_of_its_own_and_gives_every_record_a_text() {
        for (at, row) in FORMATTERS.iter().enumerate() {
            assert!(!row.summary.is_empty());
            assert!(
                FORMATTERS[..at].iter().all(|other| other.name != row.name),
                "{}",
                row.name
            );
            let mut first = (row.parse)(DEFAULT_FORMAT, None).unwrap();
            for record in [Record::default(), Record::new("myapp", 20, "hello")] {
                let (mut text, mut twin) = (String::new(), String::new());
                first.format(&record, &mut text);
                first.again().format(&record, &mut twin);
                assert!(!text.is_empty() && text == twin, "{}: {text:?}", row.name);
            }
        }
    }
}
