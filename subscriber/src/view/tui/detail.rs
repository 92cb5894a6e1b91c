//! Every field of a record, each with the filter that it makes.

use logbus_schemas::python::str_of;
use logbus_schemas::{Level, Value};

use crate::item::Delivered;
use crate::query::quoted;
use crate::view::line::level_tag;
use crate::view::moment::{Moment, TimeBase};

/// Maps in one another that become keys with dots.
const MAX_DEPTH: usize = 8;
/// What is told at the beginning, or below.
const TOLD: &[&str] = &[
    "created",
    "levelname",
    "levelno",
    "name",
    "msg",
    "args",
    "exc_text",
    "stack_info",
];

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// What it is called.
    pub(crate) key: String,
    /// What it says, with all its lines.
    pub(crate) value: String,
    /// Key and value as a filter has them; none for what makes no filter.
    asked: Option<(String, String)>,
}

impl Field {
    /// The filter for records that have this value here, or for those that do not.
    pub(crate) fn filter(&self, is_wanted: bool) -> Option<String> {
        let (key, value) = self.asked.as_ref()?;
        let sign = match (is_wanted, value.as_str()) {
            (true, _) => "=",
            // What is not there is null, too.
            (false, "null") => "!=",
            (false, _) => "?!=",
        };
        Some(format!("{key}{sign}{value}"))
    }
}

/// Every field of a record: who, when and what first, tracebacks last.
pub(crate) fn fields(delivered: &Delivered, moment: &mut Moment) -> Vec<Field> {
    let mut fields = vec![time("time", TimeBase::Sender.of(delivered), moment)];
    fields.push(time("received", TimeBase::Received.of(delivered), moment));
    about(delivered, &mut fields);
    let record = &delivered.record;
    let message = record.get_message();
    fields.push(asked(
        "message",
        "message",
        message.clone().into_owned(),
        &Value::from(&*message),
    ));
    for (key, value) in record.extras() {
        flatten(key, value, 0, &mut fields);
    }
    let is_extra = |key: &str| record.extras().any(|(extra, _)| extra == key);
    for (key, value) in record.fields().iter() {
        let is_empty = matches!(value, Value::Null);
        if !TOLD.contains(&key) && !is_empty && !is_extra(key) {
            flatten(key, value, 0, &mut fields);
        }
    }
    for key in ["exc_text", "stack_info"] {
        if let Some(text) = record.text(key).filter(|text| !text.trim().is_empty()) {
            let text = text.trim_end();
            fields.push(asked(key, key, text.to_owned(), &Value::from(text)));
        }
    }
    fields
}

fn about(delivered: &Delivered, fields: &mut Vec<Field>) {
    let record = &delivered.record;
    if let Some(Level(number)) = record.level() {
        let name = record
            .level_name()
            .unwrap_or_else(|| level_tag(record).to_string().into());
        fields.push(asked(
            "level",
            "level",
            format!("{name} ({number})"),
            &Value::from(number),
        ));
    }
    let sender = delivered.sender_name();
    if !sender.is_empty() {
        fields.push(asked(
            "sender",
            "@sender",
            sender.to_string(),
            &Value::from(&*sender),
        ));
    }
    let topic = delivered.topic.as_str();
    fields.push(asked(
        "topic",
        "topic",
        topic.to_owned(),
        &Value::from(topic),
    ));
    if let Some((_, sequence)) = delivered.origin {
        fields.push(unasked("sequence", sequence.to_string()));
    }
    if let Some(offset) = delivered.offset {
        fields.push(unasked("clock", crate::view::top::clock(offset)));
    }
    if let Some(name) = record.name() {
        fields.push(asked(
            "logger",
            "logger",
            name.to_owned(),
            &Value::from(name),
        ));
    }
}

fn time(key: &str, time: i64, moment: &mut Moment) -> Field {
    let mut text = String::new();
    moment.write(time, &mut text);
    unasked(key, text)
}

fn unasked(key: &str, value: String) -> Field {
    Field {
        key: key.to_owned(),
        value,
        asked: None,
    }
}

fn asked(key: &str, written: &str, text: String, value: &Value) -> Field {
    Field {
        key: key.to_owned(),
        value: text,
        asked: literal(value).map(|value| (written.to_owned(), value)),
    }
}

fn flatten(key: &str, value: &Value, depth: usize, fields: &mut Vec<Field>) {
    if let Value::Map(map) = value
        && depth < MAX_DEPTH
        && !map.is_empty()
    {
        for (inner, value) in map.iter() {
            flatten(&format!("{key}.{inner}"), value, depth + 1, fields);
        }
        return;
    }
    let mut text = String::new();
    str_of(value, &mut text);
    let is_name = |c: char| c.is_alphanumeric() || "_.".contains(c);
    let written = match key.chars().all(is_name) {
        true => key.to_owned(),
        false => quoted(key, '`'),
    };
    fields.push(asked(key, &written, text, value));
}

/// A value as a filter has it; none of values that cannot be typed.
fn literal(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) if number.is_finite() => format!("{number:?}"),
        Value::Str(text) => {
            let is_word = |c: char| c.is_alphanumeric() || "_-./:@".contains(c);
            let begins = text.starts_with(|c: char| c.is_alphabetic() || c == '/');
            let is_name = ["true", "false", "null"].contains(&text.as_str());
            match begins && !is_name && text.chars().all(is_word) {
                true => text.to_string(),
                false => quoted(text, '"'),
            }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use logbus_schemas::{Map, Record, Topic};

    use super::*;
    use crate::query::Query;
    use crate::view::moment::TimeFormat;

    #[test]
    fn every_field_makes_a_filter_that_its_record_fits_and_one_that_it_does_not() {
        let mut record = Record::new("shop.db", 30, "took\t\"7\" ms\nand more");
        let user = Map::from_iter([("id", Value::from(7)), ("name", Value::from("true"))]);
        for (key, value) in [
            ("user", Value::from(user)),
            ("code", "17".into()),
            ("path", "/api/x y".into()),
            ("odd key", 1.5.into()),
            ("none", Value::Null),
            ("ok", true.into()),
            ("exc_text", "Traceback\nKeyError: 'x'".into()),
        ] {
            record.set(key, value);
        }
        let delivered = Delivered {
            record,
            topic: Topic::for_name("shop.db"),
            origin: None,
            sender: None,
            received: 1,
            offset: None,
        };
        let mut moment = Moment::new(TimeFormat::Iso, jiff::tz::TimeZone::UTC);
        let fields = fields(&delivered, &mut moment);
        let keys: Vec<_> = fields.iter().map(|field| field.key.as_str()).collect();
        for key in [
            "user.id",
            "user.name",
            "code",
            "path",
            "odd key",
            "exc_text",
            "message",
        ] {
            assert!(keys.contains(&key), "{key} in {keys:?}");
        }
        for field in &fields {
            let (Some(with), Some(without)) = (field.filter(true), field.filter(false)) else {
                continue;
            };
            let fits = |text: &str| Query::field(text).unwrap().matches(&delivered);
            assert!(fits(&with) && !fits(&without), "{with}, {without}");
        }
    }
}
