//! Events of Seq's clients: CLEF, and the older form that they call raw or classic.
//!
//! Both are JSON objects: CLEF's own properties begin with `@` (clef-json.org), the classic form
//! keeps its properties in a dict of their own. [`clef`] and [`classic`] make records of them; what
//! they cannot map is kept as an extra, under its own name. Where that name is one of
//! `LogRecord`'s own or is taken, underscores are added to it. As a dialect, a message of one frame
//! is one CLEF event; how events come by HTTP is no matter of this module.

use std::collections::HashMap;
use std::fmt;

use compact_str::CompactString;

use super::timestamp::Timestamp;
use super::{Dialect, Malformed, MalformedKind, Reading};
use crate::codec;
use crate::record::{ATTRIBUTES, Record};
use crate::topic::Topic;
use crate::value::{Map, Value};

mod level;
mod template;

pub(super) const DIALECT: Dialect = Dialect {
    name: "clef",
    summary: "a CLEF event: Serilog, and other senders that write for Seq",
    prefixes: &[],
    recognise: |_| false,
    read,
};

/// The logger's name of an event that says none.
pub const DEFAULT_NAME: &str = "seq";

/// Why a JSON object is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventError {
    problem: &'static str,
    /// What the timestamp is called in this form.
    key: &'static str,
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}` timestamp", self.problem, self.key)
    }
}

impl std::error::Error for EventError {}

/// An event, whatever its form.
#[derive(Default)]
struct Envelope {
    created: f64,
    level: Option<CompactString>,
    template: Option<CompactString>,
    message: Option<CompactString>,
    exception: Option<CompactString>,
    /// The text of each formatted hole, in order.
    renderings: Vec<Value>,
    properties: Vec<(CompactString, Value)>,
    /// What has no attribute, under the name of its extra.
    more: Vec<(CompactString, Value)>,
}

/// CLEF's properties that become extras, and the extras' names.
const CLEF_EXTRAS: &[(&str, &str)] = &[
    ("@i", "event_type"),
    ("@tr", "trace_id"),
    ("@sp", "span_id"),
    ("@ps", "parent_span_id"),
    ("@st", "span_start"),
    ("@sk", "span_kind"),
    ("@ra", "resource"),
    ("@sa", "scope"),
];

/// The same of the classic form.
const CLASSIC_EXTRAS: &[(&str, &str)] = &[
    ("EventType", "event_type"),
    ("TraceId", "trace_id"),
    ("SpanId", "span_id"),
    ("ParentSpanId", "parent_span_id"),
    ("Renderings", "renderings"),
];

/// Properties by which senders say what `LogRecord` has an attribute for, and that attribute. Of
/// several for one attribute the first that is there counts.
const PROPERTIES: &[(&str, &str)] = &[
    ("SourceContext", "name"),
    ("LoggerName", "name"),
    ("Logger", "name"),
    ("logger", "name"),
    ("ThreadId", "thread"),
    ("ThreadName", "threadName"),
    ("ProcessId", "process"),
    ("ProcessName", "processName"),
];

fn read<'a>(frames: &[&'a [u8]]) -> Result<Reading<'a>, Malformed> {
    let [body] = *frames else {
        return Err(Malformed::new(
            MalformedKind::Unrecognised,
            format_args!("{} frames instead of one", frames.len()),
        ));
    };
    let event = codec::JSON
        .decode(body)
        .map_err(|error| Malformed::new(MalformedKind::Dict, format_args!("json: {error}")))?;
    let record = clef(event.into_fields())
        .map_err(|error| Malformed::new(MalformedKind::NoRecord, error))?;
    Ok(Reading::Foreign {
        topic: Topic::for_name(record.name().unwrap_or(DEFAULT_NAME)),
        record,
        dict: None,
    })
}

/// The record of a CLEF event.
pub fn clef(event: Map) -> Result<Record, EventError> {
    let mut envelope = Envelope {
        created: created(event.get("@t"), "@t")?,
        ..Envelope::default()
    };
    for (key, value) in event {
        match (key.as_str(), value) {
            ("@t", _) => {}
            ("@l", Value::Str(text)) => envelope.level = Some(text),
            ("@mt", Value::Str(text)) => envelope.template = Some(text),
            ("@m", Value::Str(text)) => envelope.message = Some(text),
            ("@x", Value::Str(text)) => envelope.exception = Some(text),
            ("@r", Value::List(texts)) => envelope.renderings = texts,
            ("@l" | "@mt" | "@m" | "@x" | "@r", Value::Null) => {}
            (theirs, value) => match (extra_name(CLEF_EXTRAS, theirs), theirs.strip_prefix("@@")) {
                (Some(name), _) => envelope.more.push((name.into(), value)),
                (None, Some(_)) => envelope.properties.push((theirs[1..].into(), value)),
                (None, None) => envelope.properties.push((key, value)),
            },
        }
    }
    Ok(envelope.into_record())
}

/// The record of a classic event.
pub fn classic(event: Map) -> Result<Record, EventError> {
    let mut envelope = Envelope {
        created: created(event.get("Timestamp"), "Timestamp")?,
        ..Envelope::default()
    };
    for (key, value) in event {
        match (key.as_str(), value) {
            ("Timestamp", _) => {}
            ("Level", Value::Str(text)) => envelope.level = Some(text),
            ("MessageTemplate", Value::Str(text)) => envelope.template = Some(text),
            ("RenderedMessage", Value::Str(text)) => envelope.message = Some(text),
            ("Exception", Value::Str(text)) => envelope.exception = Some(text),
            ("Properties", Value::Map(map)) => envelope.properties = map.into_iter().collect(),
            (_, Value::Null) => {}
            (theirs, value) => {
                let name = extra_name(CLASSIC_EXTRAS, theirs).map_or(key, CompactString::from);
                envelope.more.push((name, value));
            }
        }
    }
    Ok(envelope.into_record())
}

fn created(value: Option<&Value>, key: &'static str) -> Result<f64, EventError> {
    let problem = match value {
        None | Some(Value::Null) => "missing",
        Some(_) => "unparseable",
    };
    let text = value.and_then(Value::as_str);
    text.and_then(seconds_of).ok_or(EventError { problem, key })
}

/// A time without a zone is one of UTC: some clients write local times so, but which zone that is
/// only their hosts know.
fn seconds_of(text: &str) -> Option<f64> {
    let time = Timestamp::parse(text).map(|time| time.with_fraction());
    time.or_else(|| {
        let in_utc = format!("{text}Z");
        Timestamp::parse(&in_utc).map(|time| time.with_fraction())
    })
}

fn extra_name(extras: &[(&str, &'static str)], key: &str) -> Option<&'static str> {
    let row = extras.iter().find(|(theirs, _)| *theirs == key);
    row.map(|(_, ours)| *ours)
}

impl Envelope {
    fn into_record(mut self) -> Record {
        let message = self.rendered();
        let msg = self.template.take().or_else(|| message.clone());
        let msg = msg.unwrap_or_default();
        let level = self.level.take();
        let (level, level_name) = level::level_of(level.as_deref().unwrap_or("INFO"));

        let mut fields = Fields::default();
        let name = self.take_attribute("name").unwrap_or(DEFAULT_NAME.into());
        fields.set("name", name);
        fields.set("msg", msg.clone());
        fields.set("levelname", level_name);
        fields.set("levelno", level.0);
        if let Some(exception) = self.exception.take() {
            fields.set("exc_text", exception);
        }
        fields.set("created", self.created);
        for attribute in ["thread", "threadName", "processName", "process"] {
            if let Some(value) = self.take_attribute(attribute) {
                fields.set(attribute, value);
            }
        }
        if let Some(message) = message.filter(|message| *message != msg) {
            fields.set("message", message);
        }
        for (key, value) in self.more.into_iter().chain(self.properties) {
            fields.add_extra(key, value);
        }
        fields.into_record()
    }

    /// The message, from its sender or from the template. Renderings that do not fit the template,
    /// seqlog's for one, become an extra.
    fn rendered(&mut self) -> Option<CompactString> {
        let template = self.template.as_deref().unwrap_or_default();
        let renderings: Vec<&str> = self.renderings.iter().filter_map(Value::as_str).collect();
        let fits = renderings.len() == self.renderings.len()
            && renderings.len() == template::formatted_holes(template);
        let message = self.message.clone().or_else(|| {
            let properties = self.properties.iter();
            let properties = properties.map(|(key, value)| (key.as_str(), value));
            let renderings = if fits { renderings } else { Vec::new() };
            let fill = template::Fill::new(properties, renderings);
            self.template
                .as_deref()
                .map(|template| fill.render(template).into())
        });
        if !fits && !self.renderings.is_empty() {
            let renderings = std::mem::take(&mut self.renderings);
            self.more.push(("renderings".into(), renderings.into()));
        }
        message
    }

    /// Takes out the property that says what this attribute says.
    fn take_attribute(&mut self, attribute: &str) -> Option<Value> {
        let rows = PROPERTIES.iter().filter(|(_, ours)| *ours == attribute);
        let mut places = rows.filter_map(|(theirs, _)| {
            let mut properties = self.properties.iter();
            properties.position(|(key, value)| key == theirs && suits(attribute, value))
        });
        let place = places.next()?;
        Some(self.properties.remove(place).1)
    }
}

/// Whether a value is of the attribute's type.
fn suits(attribute: &str, value: &Value) -> bool {
    match attribute {
        "thread" | "process" => value.as_i64().is_some(),
        _ => value.as_str().is_some_and(|text| !text.is_empty()),
    }
}

/// A record in the making, each key once.
#[derive(Default)]
struct Fields {
    pairs: Vec<(CompactString, Value)>,
    places: HashMap<CompactString, usize>,
}

impl Fields {
    fn set(&mut self, key: impl Into<CompactString>, value: impl Into<Value>) {
        let key = key.into();
        self.places.insert(key.clone(), self.pairs.len());
        self.pairs.push((key, value.into()));
    }

    /// Adds an extra, under a name that is free. Said twice, as seqlog says its trace id, it is
    /// kept once.
    fn add_extra(&mut self, mut key: CompactString, value: Value) {
        loop {
            match self.places.get(&key) {
                Some(place)
                    if !ATTRIBUTES.contains(&key.as_str()) && self.pairs[*place].1 == value =>
                {
                    return;
                }
                None if !ATTRIBUTES.contains(&key.as_str()) => break,
                _ => key.push('_'),
            }
        }
        self.set(key, value);
    }

    fn into_record(self) -> Record {
        Record::from(Map::from_pairs(self.pairs))
    }
}

#[cfg(test)]
mod tests;
