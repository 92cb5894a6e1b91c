//! GELF 1.1, for Graylog: one JSON object a line.
//!
//! As Graylog's "GELF Payload Specification" has it: `version`, `host`, `short_message`,
//! `full_message` where there is more than a line, `timestamp`, `level` as in syslog, and every
//! other field with an underscore before it. Names of such fields hold word characters, dots and
//! dashes only, and `_id` is not allowed.

use logbus_process as process;
use logbus_schemas::python::str_of;
use logbus_schemas::{Map, Record, Value};

use super::json::write_object;
use super::{Formatter, Row};
use crate::config::options::{Form, Kind, parameter};
use crate::item::Notice;

pub(super) const ROW: Row = Row {
    name: "gelf",
    summary: "GELF 1.1 for Graylog, one JSON object a line",
    forms: &[Form {
        class: "gelf",
        parameters: &[parameter(
            "host",
            Kind::Text,
            "the name of this host; what the system says",
        )],
        read: |options| {
            let host = options.text("host").unwrap_or_else(process::host_name);
            Some(Box::new(Gelf { host }))
        },
    }],
};

/// The format; see the head of this file.
#[derive(Debug, Clone)]
struct Gelf {
    host: String,
}

/// What the standard fields say already.
const SAID: &[&str] = &[
    "msg",
    "args",
    "message",
    "created",
    "msecs",
    "relativeCreated",
    "levelno",
    "exc_info",
    "exc_text",
    "stack_info",
    "asctime",
];

impl Formatter for Gelf {
    fn format(&mut self, record: &Record, out: &mut String) {
        let message = record.get_message();
        let first = message.lines().next().unwrap_or_default();
        let mut full = message.to_string();
        for below in ["exc_text", "stack_info"] {
            if let Some(text) = record.text(below).filter(|text| !text.is_empty()) {
                full.push('\n');
                full.push_str(text);
            }
        }
        let mut object = Map::with_capacity(16);
        object.set("version", "1.1");
        object.set("host", self.host.as_str());
        // It must not be empty.
        object.set("short_message", if first.is_empty() { "-" } else { first });
        if full != first {
            object.set("full_message", full.as_str());
        }
        if let Some(created) = record.created().filter(|created| created.is_finite()) {
            object.set("timestamp", created);
        }
        let level = record.level().map_or(6, super::severity);
        object.set("level", i64::from(level));
        for (key, value) in record.fields().iter() {
            if !SAID.contains(&key) && !value.is_null() {
                let mut name = name_of(key);
                // Names that become the same stay apart.
                while object.get(&name).is_some() {
                    name.push('_');
                }
                object.set(name.as_str(), value_of(value));
            }
        }
        write_object(object, out);
    }

    fn notice(&mut self, notice: &Notice, out: &mut String) {
        self.format(&notice.to_record(process::now()), out);
    }

    fn again(&self) -> Box<dyn Formatter> {
        Box::new(self.clone())
    }
}

fn name_of(key: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let name: String = key
        .chars()
        .map(|c| if is_allowed(c) { c } else { '_' })
        .collect();
    match name.as_str() {
        "id" => "_id_".to_owned(),
        name => format!("_{name}"),
    }
}

/// Numbers and texts; everything else is a text.
fn value_of(value: &Value) -> Value {
    match value {
        Value::Int(_) | Value::UInt(_) | Value::Str(_) => value.clone(),
        Value::Float(x) if x.is_finite() => value.clone(),
        other => {
            let mut text = String::new();
            str_of(other, &mut text);
            Value::from(text.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_fields_that_graylog_asks_for() {
        let mut record = Record::new("shop", 40, "failed %s\nbadly");
        record.set("args", vec![Value::from("x")]);
        record.set("created", 1795207453.25);
        record.set("id", 7);
        record.set("a b", true);
        record.set("a_b", "kept");
        let mut out = String::new();
        Gelf {
            host: "web-1".into(),
        }
        .format(&record, &mut out);
        assert_eq!(
            out,
            "{\"version\":\"1.1\",\"host\":\"web-1\",\"short_message\":\"failed x\",\
             \"full_message\":\"failed x\\nbadly\",\"timestamp\":1795207453.25,\"level\":3,\
             \"_name\":\"shop\",\"_levelname\":\"ERROR\",\"_id_\":7,\"_a_b\":\"True\",\"_a_b_\":\"kept\"}"
        );
    }
}
