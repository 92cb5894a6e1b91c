//! JSON: one object a line, every field under its own name.
//!
//! ```json
//! {"name":"shop","levelname":"INFO","message":"order 7","created":1795207453.25,"user":"fred"}
//! ```
//!
//! What a record has no value for (`None`) is left out, and the rendered message is always there.
//! Fields can be chosen, and have other names. JSON's own rules are in `schemas/src/codec/json.rs`:
//! what it cannot say (bytes, NaN) is written as its table there has it.

use compact_str::CompactString;
use logbus_process as process;
use logbus_schemas::codec::json;
use logbus_schemas::{Map, Record, Value};

use super::logfmt::rfc3339;
use super::{Formatter, Row};
use crate::config::options::{Form, Kind, Options, parameter};
use crate::item::Notice;

pub(super) const ROW: Row = Row {
    name: "json",
    summary: "one JSON object a line, with every field or those that are chosen",
    forms: &[Form {
        class: "json",
        parameters: &[
            parameter(
                "fields",
                Kind::Texts,
                "the fields, in this order; all when not given; asctime is the time in UTC",
            ),
            parameter(
                "rename",
                Kind::Map,
                "other names for fields, as {levelname: level}",
            ),
            parameter(
                "static",
                Kind::Map,
                "fields that every line has, as {service: shop}",
            ),
        ],
        read: |options| Some(Box::new(JsonFormat::read(options)?)),
    }],
};

/// The format; see the head of this file.
#[derive(Debug, Clone, Default)]
pub(super) struct JsonFormat {
    fields: Option<Vec<String>>,
    rename: Vec<(String, String)>,
    statics: Map,
}

impl JsonFormat {
    fn read(options: &mut Options<'_>) -> Option<Self> {
        let mut rename = Vec::new();
        for (from, to) in options.values("rename").unwrap_or_default() {
            match to.as_str() {
                Some(to) => rename.push((from.to_string(), to.to_owned())),
                None => options.wrong("rename", format!("the new name of {from} is no text")),
            }
        }
        Some(Self {
            fields: options.texts("fields"),
            rename,
            statics: options.values("static").unwrap_or_default(),
        })
    }

    fn name<'a>(&'a self, field: &'a str) -> &'a str {
        let renamed = self.rename.iter().find(|(from, _)| from == field);
        renamed.map_or(field, |(_, to)| to)
    }

    fn object(&self, record: &Record) -> Map {
        let mut entries: Vec<(CompactString, Value)> =
            Vec::with_capacity(record.fields().len() + 1);
        let message = || Value::from(&*record.get_message());
        let mut add = |field: &str, value: Value| {
            if !value.is_null() {
                let mut name = CompactString::from(self.name(field));
                // A new name that is taken takes no other's place.
                while entries.iter().any(|(known, _)| *known == name) {
                    name.push('_');
                }
                entries.push((name, value));
            }
        };
        match &self.fields {
            Some(fields) => {
                for field in fields {
                    match (record.get(field), field.as_str()) {
                        (_, "message") => add(field, message()),
                        (Some(value), _) => add(field, value.clone()),
                        (None, "asctime") => add(field, asctime(record)),
                        (None, "levelname") => {
                            let level = record.level_name();
                            add(
                                field,
                                level.map_or(Value::Null, |level| Value::from(&*level)),
                            );
                        }
                        (None, _) => {}
                    }
                }
            }
            None => {
                for (field, value) in record.fields().iter() {
                    if field != "message" {
                        add(field, value.clone());
                    }
                }
                add("message", message());
            }
        }
        for (field, value) in self.statics.iter() {
            add(field, value.clone());
        }
        Map::from_pairs(entries)
    }
}

/// When a record was created, to the millisecond in UTC (RFC 3339).
fn asctime(record: &Record) -> Value {
    rfc3339(record).map_or(Value::Null, |time| Value::from(time.as_str()))
}

impl Formatter for JsonFormat {
    fn format(&mut self, record: &Record, out: &mut String) {
        write_object(self.object(record), out);
    }

    fn notice(&mut self, notice: &Notice, out: &mut String) {
        self.format(&notice.to_record(process::now()), out);
    }

    fn again(&self) -> Box<dyn Formatter> {
        Box::new(self.clone())
    }
}

/// Adds a map as a JSON object without a line feed.
pub(crate) fn write_object(object: Map, out: &mut String) {
    let mut bytes = Vec::with_capacity(256);
    json::encode_record(&Record::from(object), &mut bytes);
    out.push_str(String::from_utf8_lossy(&bytes).trim_end_matches('\n'));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(mut format: JsonFormat, record: &Record) -> String {
        let mut out = String::new();
        format.format(record, &mut out);
        out
    }

    #[test]
    fn every_field_is_there_once_and_the_message_is_rendered() {
        let mut record = Record::new("shop", 20, "order %d\n");
        record.set("args", vec![Value::from(7)]);
        record.set("exc_info", Value::Null);
        record.set("user", "fred");
        assert_eq!(
            line(JsonFormat::default(), &record),
            r#"{"name":"shop","msg":"order %d\n","levelname":"INFO","levelno":20,"args":[7],"user":"fred","message":"order 7\n"}"#
        );
    }

    #[test]
    fn a_name_that_is_taken_costs_no_field() {
        let format = JsonFormat {
            fields: Some(["name", "user"].map(str::to_owned).into()),
            rename: vec![("user".into(), "name".into())],
            statics: Map::from_iter([("name", "static")]),
        };
        let mut record = Record::new("a", 40, "m");
        record.set("user", "fred");
        let expected = r#"{"name":"a","name_":"fred","name__":"static"}"#;
        assert_eq!(line(format, &record), expected);
    }

    #[test]
    fn fields_are_chosen_renamed_and_added() {
        let format = JsonFormat {
            fields: Some(
                ["asctime", "levelname", "message", "none"]
                    .map(str::to_owned)
                    .into(),
            ),
            rename: vec![("levelname".into(), "level".into())],
            statics: Map::from_iter([("service", "shop")]),
        };
        let mut record = Record::new("a", 40, "m");
        record.set("created", 1795207453.25);
        assert_eq!(
            line(format, &record),
            r#"{"asctime":"2026-11-20T20:44:13.250Z","level":"ERROR","message":"m","service":"shop"}"#
        );
    }
}
