//! Formats of each style, and of times.

use logbus_schemas::{Map, Record, Value};

use super::{FORMATTERS, Formatter};
use crate::config::node::{Entry, Node, Place};
use crate::config::options::{Options, Problems};

/// A text has at most this many bytes for each of its format, which may ask for wide columns.
const GROWTH: usize = 4096;
const ROOM: usize = 1 << 16;

/// Bytes as a format in each of Python's styles, with its second line as a format of times: refused
/// with a problem, or every record has a text, and one that is bounded.
pub fn formats(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (format, datefmt) = text.split_once('\n').unwrap_or((text, ""));
    for name in ["percent", "brace", "dollar"] {
        let Some(mut formatter) = read(name, format, datefmt) else {
            continue;
        };
        for record in [Record::default(), record()] {
            let mut out = String::new();
            formatter.format(&record, &mut out);
            assert!(
                out.len() <= GROWTH * text.len() + ROOM,
                "{} bytes",
                out.len()
            );
        }
    }
}

fn read(name: &str, format: &str, datefmt: &str) -> Option<Box<dyn Formatter>> {
    let row = FORMATTERS.iter().find(|row| row.name == name)?;
    let form = row.forms.iter().find(|form| form.class == name)?;
    let place = Place::of("format");
    let mut entries = vec![entry("format", format)];
    if !datefmt.is_empty() {
        entries.push(entry("datefmt", datefmt));
    }
    let mut problems = Problems::default();
    let mut options = Options::new(name, &place, entries, form.parameters, &mut problems);
    let read = (form.read)(&mut options);
    let is_good = options.finish();
    assert_eq!(is_good, problems.errors.is_empty());
    assert!(read.is_some() || !is_good);
    read.filter(|_| is_good)
}

fn entry(key: &str, value: &str) -> Entry {
    let place = Place::of("format");
    Entry {
        key: key.to_owned(),
        value: Node::text(&place, value),
        place,
    }
}

fn record() -> Record {
    let mut record = Record::new("shop.db", 40, "GET %s took %d ms");
    record.set("args", vec![Value::from("/orders"), Value::from(250)]);
    record.set("created", 1_795_207_453.25);
    record.set("process", 613);
    record.set("a", 2.5);
    record.set("user", Map::from_iter([("id", Value::from(7))]));
    record.set("exc_text", "Traceback\nTimeoutError: late");
    record
}
