//! logfmt: `key=value` pairs on a line, for people who grep.
//!
//! ```text
//! time=2026-11-20T20:44:13.250Z level=info logger=shop msg="order 7" user=fred
//! ```
//!
//! Values are quoted where they are empty or hold a space, `=`, a quote or a control character, as
//! Go's logfmt packages do. Maps become keys with dots. Tracebacks are fields like others: a record
//! is always one line.

use std::fmt::Write;

use jiff::Timestamp;
use logbus_process as process;
use logbus_schemas::Record;
use logbus_schemas::record::ATTRIBUTES;

use super::{Formatter, Row, flat};
use crate::config::options::{Form, Kind, parameter};
use crate::item::Notice;

pub(super) const ROW: Row = Row {
    name: "logfmt",
    summary: "key=value pairs on a line",
    forms: &[Form {
        class: "logfmt",
        parameters: &[parameter(
            "attributes",
            Kind::Texts,
            "attributes of records to show besides; extras are always shown",
        )],
        read: |options| {
            Some(Box::new(Logfmt {
                attributes: options.texts("attributes").unwrap_or_default(),
            }))
        },
    }],
};

/// The format; see the head of this file.
#[derive(Debug, Clone, Default)]
struct Logfmt {
    attributes: Vec<String>,
}

impl Formatter for Logfmt {
    fn format(&mut self, record: &Record, out: &mut String) {
        let begin = out.len();
        if let Some(time) = rfc3339(record) {
            pair("time", &time, begin, out);
        }
        if let Some(level) = record.level_name() {
            pair("level", &level.to_lowercase(), begin, out);
        }
        if let Some(name) = record.name() {
            pair("logger", name, begin, out);
        }
        pair("msg", &record.get_message(), begin, out);
        for key in self
            .attributes
            .iter()
            .filter(|key| ATTRIBUTES.contains(&key.as_str()))
        {
            if let Some(value) = record.get(key).filter(|value| !value.is_null()) {
                flat::each(key, value, &mut |key, text| pair(key, text, begin, out));
            }
        }
        for (key, value) in record.extras() {
            flat::each(key, value, &mut |key, text| pair(key, text, begin, out));
        }
        for (key, field) in [("error", "exc_text"), ("stack", "stack_info")] {
            if let Some(text) = record.text(field).filter(|text| !text.is_empty()) {
                pair(key, text, begin, out);
            }
        }
    }

    fn notice(&mut self, notice: &Notice, out: &mut String) {
        self.format(&notice.to_record(process::now()), out);
    }

    fn again(&self) -> Box<dyn Formatter> {
        Box::new(self.clone())
    }
}

/// When a record was created, to the millisecond in UTC.
pub(super) fn rfc3339(record: &Record) -> Option<String> {
    let millis = record.created().filter(|created| created.is_finite())? * 1000.0;
    let moment = Timestamp::from_millisecond(millis.floor() as i64).ok()?;
    Some(format!("{moment:.3}"))
}

fn pair(key: &str, value: &str, begin: usize, out: &mut String) {
    if out.len() > begin {
        out.push(' ');
    }
    let is_odd = |c: char| c <= ' ' || matches!(c, '=' | '"' | '\u{7f}');
    let mut key: String = key
        .chars()
        .map(|c| if is_odd(c) { '_' } else { c })
        .collect();
    // A key that is none, or that the line has already, stays apart.
    while key.is_empty() || has_key(&out[begin..], &key) {
        key.push('_');
    }
    out.push_str(&key);
    out.push('=');
    let is_plain = !value.is_empty() && !value.contains(|c: char| is_odd(c) || c.is_control());
    if is_plain {
        return out.push_str(value);
    }
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                // Writing to a String does not fail.
                let _written = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Whether a line has this key. In a quoted value it may look so, too: then one more underscore
/// does no harm.
fn has_key(line: &str, key: &str) -> bool {
    let mut rest = line;
    while let Some(at) = rest.find(key) {
        let is_begin = at == 0 || rest[..at].ends_with(' ');
        let after = &rest[at + key.len()..];
        if is_begin && after.starts_with('=') {
            return true;
        }
        rest = &rest[at + key.len()..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use logbus_schemas::{Map, Value};

    #[test]
    fn a_record_is_one_line_of_pairs() {
        let mut record = Record::new("shop", 30, "low \"disk\"");
        record.set("created", 1795207453.25);
        record.set("user", "fred");
        record.set("empty", "");
        record.set("level", "high");
        record.set(
            "a b",
            Map::from_iter([("c=d", Value::from(1.5)), ("e", Value::Null)]),
        );
        record.set("exc_text", "Traceback\nE: v");
        let mut out = String::new();
        Logfmt::default().format(&record, &mut out);
        assert_eq!(
            out,
            "time=2026-11-20T20:44:13.250Z level=warning logger=shop msg=\"low \\\"disk\\\"\" \
             user=fred empty=\"\" level_=high a_b.c_d=1.5 a_b.e=null error=\"Traceback\\nE: v\""
        );
    }
}
