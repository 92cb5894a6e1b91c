//! A log record: a dict with Python's `LogRecord` attributes and any extra keys, in order.
//!
//! The attributes and their meaning are those of Python's documentation, "LogRecord attributes"
//! (docs.python.org/3/library/logging.html#logrecord-attributes). A record keeps exactly what it
//! was given: typed access reads the dict and says `None` where the sender said nothing, so a
//! missing field is never invented. Rendering a message is [`crate::message`]'s part.

use std::borrow::Cow;

use compact_str::CompactString;

use crate::level::Level;
use crate::message;
use crate::value::{Map, Value};

/// The attributes that Python gives a `LogRecord`, in the order in which it sets them. Every other
/// key is an extra.
pub const ATTRIBUTES: &[&str] = &[
    "name",
    "msg",
    "args",
    "levelname",
    "levelno",
    "pathname",
    "filename",
    "module",
    "exc_info",
    "exc_text",
    "stack_info",
    "lineno",
    "funcName",
    "created",
    "msecs",
    "relativeCreated",
    "thread",
    "threadName",
    "processName",
    "process",
    "taskName",
    "message",
    "asctime",
];

/// One log record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    fields: Map,
}

impl Record {
    /// A record with a logger's name, a level and a message or message template.
    pub fn new(name: &str, level: i64, msg: &str) -> Self {
        let mut fields = Map::with_capacity(12);
        fields.set("name", name);
        fields.set("msg", msg);
        fields.set(
            "levelname",
            Value::Str(CompactString::from(&*Level(level).name())),
        );
        fields.set("levelno", level);
        Self { fields }
    }

    /// The value of an attribute or an extra.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.fields.get(key)
    }

    /// Sets an attribute or an extra.
    pub fn set(&mut self, key: impl Into<CompactString>, value: impl Into<Value>) {
        self.fields.set(key, value);
    }

    /// The whole dict.
    pub fn fields(&self) -> &Map {
        &self.fields
    }

    /// The whole dict, for making something else of it.
    pub fn into_fields(self) -> Map {
        self.fields
    }

    /// Sets what a sender said beyond a `LogRecord`'s attributes. Underscores behind the key keep
    /// it apart from an attribute, or from what was set before.
    pub fn set_extra(&mut self, key: &str, value: impl Into<Value>) {
        let mut key = CompactString::from(key);
        while ATTRIBUTES.contains(&key.as_str()) || self.get(&key).is_some() {
            key.push('_');
        }
        self.set(key, value);
    }

    /// The keys that are not attributes of a `LogRecord`, with their values.
    pub fn extras(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.fields
            .iter()
            .filter(|(key, _)| !ATTRIBUTES.contains(key))
    }

    /// The logger's name.
    pub fn name(&self) -> Option<&str> {
        self.text("name")
    }

    /// The level: `levelno`, or what `levelname` says when there is no number.
    pub fn level(&self) -> Option<Level> {
        match self.get("levelno") {
            Some(Value::Int(number)) => Some(Level(*number)),
            Some(Value::Float(number)) => Some(Level(*number as i64)),
            _ => self.text("levelname")?.parse().ok(),
        }
    }

    /// The level's name as the sender gave it, else the number's own.
    pub fn level_name(&self) -> Option<Cow<'_, str>> {
        match self.text("levelname") {
            Some(name) => Some(Cow::Borrowed(name)),
            None => self.level().map(Level::name),
        }
    }

    /// When the record was created, in seconds since 1970-01-01 00:00 UTC.
    pub fn created(&self) -> Option<f64> {
        self.get("created")?.as_f64()
    }

    /// The message: `message` where the sender rendered it, else `msg % args` as Python would.
    pub fn get_message(&self) -> Cow<'_, str> {
        match self.text("message") {
            Some(text) => Cow::Borrowed(text),
            None => message::render(self.get("msg"), self.get("args")),
        }
    }

    /// An attribute's text, when it is text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }
}

impl From<Map> for Record {
    fn from(fields: Map) -> Self {
        Self { fields }
    }
}

impl From<Record> for Value {
    fn from(record: Record) -> Self {
        Value::Map(record.fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sender_did_not_say_is_none() {
        let record = Record::from(Map::from_iter([("msg", "hello")]));
        assert_eq!(record.name(), None);
        assert_eq!(record.level(), None);
        assert_eq!(record.created(), None);
        assert_eq!(record.get_message(), "hello");
    }

    #[test]
    fn the_number_decides_the_level_and_the_name_stands_in_for_it() {
        let mut record = Record::from(Map::from_iter([("levelname", "ERROR")]));
        assert_eq!(record.level(), Some(Level::ERROR));
        record.set("levelno", 25);
        assert_eq!(record.level(), Some(Level(25)));
        assert_eq!(record.level_name().as_deref(), Some("ERROR"));
    }

    #[test]
    fn an_extra_never_takes_the_place_of_anything() {
        let mut record = Record::new("a", 20, "m");
        for value in ["fred", "sheila"] {
            record.set_extra("user", value);
            record.set_extra("name", value);
        }
        assert_eq!(record.name(), Some("a"));
        let keys: Vec<_> = record.extras().map(|(key, _)| key).collect();
        assert_eq!(keys, ["user", "name_", "user_", "name__"]);
    }

    #[test]
    fn extras_are_what_python_does_not_set() {
        let mut record = Record::new("a", 20, "m");
        record.set("user", "fred");
        assert_eq!(
            record.extras().collect::<Vec<_>>(),
            [("user", &Value::from("fred"))]
        );
    }
}
