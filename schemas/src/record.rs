//! A log record: a dict with Python's `LogRecord` attributes and any extra keys, in order.
//!
//! The attributes and their meaning are those of Python's documentation, "LogRecord attributes"
//! (docs.python.org/3/library/logging.html#logrecord-attributes). A record keeps exactly what it
//! was given: typed access reads the dict and says `None` where the sender said nothing, so a
//! missing field is never invented. Rendering a message is [`crate::message`]'s part.
//!
//! A record that a codec has read is its bytes at first (`outline.rs`). What asks for attributes by
//! [`Record::look`] and the typed access built on it leaves it so; [`Record::fields`], [`Record::get`]
//! and [`Record::set`] have the dict made.

use std::borrow::Cow;
use std::fmt;

use compact_str::CompactString;

pub use crate::attributes::ATTRIBUTES;
use crate::attributes::attribute_of;
use crate::level::Level;
use crate::message;
use crate::outline::Outline;
use crate::value::{Map, Value, ValueRef};

/// One log record.
#[derive(Clone, Default)]
pub struct Record {
    fields: Fields,
}

#[derive(Clone)]
enum Fields {
    Made(Map),
    Read(Box<Outline>),
}

impl Default for Fields {
    fn default() -> Self {
        Self::Made(Map::default())
    }
}

/// The place of an attribute, which must be one.
const fn place_of(attribute: &str) -> usize {
    let mut at = 0;
    while at < ATTRIBUTES.len() {
        if same(ATTRIBUTES[at].as_bytes(), attribute.as_bytes()) {
            return at;
        }
        at += 1;
    }
    panic!("no attribute");
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

const NAME: usize = place_of("name");
const MSG: usize = place_of("msg");
const ARGS: usize = place_of("args");
const LEVELNAME: usize = place_of("levelname");
const LEVELNO: usize = place_of("levelno");
const CREATED: usize = place_of("created");
const MESSAGE: usize = place_of("message");

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
        Self::from(fields)
    }

    /// The value of an attribute or an extra.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.fields().get(key)
    }

    /// The value of an attribute or an extra, to look at.
    pub fn look(&self, key: &str) -> Option<ValueRef<'_>> {
        if let Fields::Read(outline) = &self.fields
            && let Some(attribute) = attribute_of(key)
        {
            return outline.attribute(attribute);
        }
        self.get(key).map(ValueRef::from)
    }

    /// Whether there is an attribute or an extra of this name.
    pub fn has(&self, key: &str) -> bool {
        if let Fields::Read(outline) = &self.fields
            && let Some(attribute) = attribute_of(key)
        {
            return outline.has(attribute);
        }
        self.get(key).is_some()
    }

    fn attribute(&self, attribute: usize) -> Option<ValueRef<'_>> {
        match &self.fields {
            Fields::Read(outline) => outline.attribute(attribute),
            Fields::Made(fields) => fields.get(ATTRIBUTES[attribute]).map(ValueRef::from),
        }
    }

    /// Sets an attribute or an extra.
    pub fn set(&mut self, key: impl Into<CompactString>, value: impl Into<Value>) {
        if let Fields::Read(_) = &self.fields {
            self.fields = Fields::Made(std::mem::take(self).into_fields());
        }
        if let Fields::Made(fields) = &mut self.fields {
            fields.set(key, value);
        }
    }

    /// The whole dict.
    pub fn fields(&self) -> &Map {
        match &self.fields {
            Fields::Made(fields) => fields,
            Fields::Read(outline) => outline.whole(),
        }
    }

    /// The whole dict, for making something else of it.
    pub fn into_fields(self) -> Map {
        match self.fields {
            Fields::Made(fields) => fields,
            Fields::Read(outline) => outline.into_whole(),
        }
    }

    /// Sets what a sender said beyond a `LogRecord`'s attributes. Underscores behind the key keep
    /// it apart from an attribute, or from what was set before.
    pub fn set_extra(&mut self, key: &str, value: impl Into<Value>) {
        let mut key = CompactString::from(key);
        while attribute_of(&key).is_some() || self.get(&key).is_some() {
            key.push('_');
        }
        self.set(key, value);
    }

    /// The keys that are not attributes of a `LogRecord`, with their values.
    pub fn extras(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.fields()
            .iter()
            .filter(|(key, _)| attribute_of(key).is_none())
    }

    /// The logger's name.
    pub fn name(&self) -> Option<&str> {
        match self.attribute(NAME)? {
            ValueRef::Str(name) => Some(name),
            _ => self.get("name")?.as_str(),
        }
    }

    /// The level: `levelno`, or what `levelname` says when there is no number.
    pub fn level(&self) -> Option<Level> {
        match self.attribute(LEVELNO) {
            Some(ValueRef::Int(number)) => Some(Level(number)),
            Some(ValueRef::Float(number)) => Some(Level(number as i64)),
            _ => self.attribute(LEVELNAME)?.into_text()?.parse().ok(),
        }
    }

    /// The level's name as the sender gave it, else the number's own.
    pub fn level_name(&self) -> Option<Cow<'_, str>> {
        match self.attribute(LEVELNAME).and_then(ValueRef::into_text) {
            Some(name) => Some(name),
            None => self.level().map(Level::name),
        }
    }

    /// When the record was created, in seconds since 1970-01-01 00:00 UTC.
    pub fn created(&self) -> Option<f64> {
        self.attribute(CREATED)?.as_f64()
    }

    /// The message: `message` where the sender rendered it, else `msg % args` as Python would.
    pub fn get_message(&self) -> Cow<'_, str> {
        if let Some(message) = self.attribute(MESSAGE).and_then(ValueRef::into_text) {
            return message;
        }
        let (msg, args) = (self.attribute(MSG), self.attribute(ARGS));
        match (msg, args) {
            (Some(ValueRef::Str(msg)), None | Some(ValueRef::Null)) => Cow::Borrowed(msg),
            (msg, args) => {
                let (msg, args) = (
                    msg.map(|msg| msg.to_value()),
                    args.map(|args| args.to_value()),
                );
                let message = message::render(msg.as_deref(), args.as_deref());
                Cow::Owned(message.into_owned())
            }
        }
    }

    /// An attribute's text, when it is text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.look(key)? {
            ValueRef::Str(text) => Some(text),
            ValueRef::Made(_) => self.get(key)?.as_str(),
            _ => None,
        }
    }

    /// About how many bytes of memory its dict takes as it came; 0 where that was made.
    pub fn weight_as_read(&self) -> usize {
        match &self.fields {
            Fields::Made(_) => 0,
            Fields::Read(outline) => outline.weight(),
        }
    }
}

/// Equal when their dicts are.
impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.fields() == other.fields()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Record").field(self.fields()).finish()
    }
}

impl From<Map> for Record {
    fn from(fields: Map) -> Self {
        Self {
            fields: Fields::Made(fields),
        }
    }
}

impl From<Box<Outline>> for Record {
    fn from(outline: Box<Outline>) -> Self {
        Self {
            fields: Fields::Read(outline),
        }
    }
}

impl From<Record> for Value {
    fn from(record: Record) -> Self {
        Value::Map(record.into_fields())
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
