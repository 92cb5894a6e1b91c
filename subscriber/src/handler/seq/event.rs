//! A record as an event of Seq: a line of CLEF, the compact log event format (clef-json.org).
//!
//! Python's template becomes a message template, so that Seq groups events by it: `order %d` is
//! `order {0}` with the property `0`, as seqlog names it, and a conversion with a format has its
//! rendering beside it in `@r`, so that Seq shows what Python would have. Properties have the names
//! that seqlog gives them (ProcessId, ThreadName, LoggerName, …); all others keep their own. A
//! property that begins with `@` is escaped by a second one, so no record can forge what stands in
//! the envelope.

use jiff::Timestamp;
use logbus_schemas::python::percent::{Conversion, Part, Size, Template};
use logbus_schemas::python::str_of;
use logbus_schemas::{Level, Map, Record, Value};

use crate::format::json::write_object;

/// Bytes of an event that Seq takes when nothing else is said
/// (`RawEventMaximumContentLength`), with room for what it adds.
pub(crate) const MAX_EVENT: usize = 250 * 1024;

/// Levels of Seq, from Python's numbers upwards.
const LEVELS: &[(i64, &str)] = &[
    (50, "Fatal"),
    (40, "Error"),
    (30, "Warning"),
    (20, "Information"),
    (10, "Debug"),
];
/// Attributes with the names that seqlog gives them.
const NAMED: &[(&str, &str)] = &[
    ("name", "LoggerName"),
    ("process", "ProcessId"),
    ("processName", "ProcessName"),
    ("thread", "ThreadId"),
    ("threadName", "ThreadName"),
    ("host", "MachineName"),
];
/// Attributes that the envelope says already, or that mean nothing elsewhere.
const SAID: &[&str] = &[
    "msg",
    "args",
    "message",
    "levelno",
    "levelname",
    "created",
    "msecs",
    "relativeCreated",
    "asctime",
    "exc_info",
    "exc_text",
    "stack_info",
    "renderings",
];

/// What Seq calls a level.
pub(crate) fn level_name(level: Level) -> &'static str {
    let found = LEVELS.iter().find(|(least, _)| level.0 >= *least);
    found.map_or("Verbose", |(_, name)| name)
}

/// The place of a level of Seq among its levels; `None` for a word that is none.
pub(crate) fn rank(name: &str) -> Option<u8> {
    let names = [
        "Verbose",
        "Debug",
        "Information",
        "Warning",
        "Error",
        "Fatal",
    ];
    let place = names
        .iter()
        .position(|known| known.eq_ignore_ascii_case(name))?;
    u8::try_from(place).ok()
}

/// An event, one line of JSON without a line feed. `now` stands in for a time that a record does
/// not have; `host` is where its sender runs, and `more` are properties for every event.
pub(crate) fn event(record: &Record, host: Option<&str>, now: u64, more: &Map) -> String {
    let mut event = Map::with_capacity(24);
    event.set("@t", time(record, now).as_str());
    let level = record.level().unwrap_or(Level::INFO);
    event.set("@l", level_name(level));
    let mut properties = Properties::default();
    message(record, &mut event, &mut properties);
    exception(record, &mut event);
    for (key, value) in record.fields().iter() {
        if SAID.contains(&key) || value.is_null() {
            continue;
        }
        if let Some(id) = trace_id(key, value) {
            // Ids of nothing are left out.
            if id.bytes().any(|byte| byte != b'0') {
                let name = if key.to_lowercase().contains("span") {
                    "@sp"
                } else {
                    "@tr"
                };
                event.set(name, id);
            }
            continue;
        }
        let named = NAMED.iter().find(|(ours, _)| *ours == key);
        properties.add(named.map_or(key, |(_, theirs)| theirs), harmless(value));
    }
    if let Some(name) = record.level_name()
        && *name != *level.name()
    {
        // Also a number without a name has one there.
        properties.add("LevelName", Value::from(&*name));
    }
    if let Some(host) = host
        && !properties.has("MachineName")
    {
        properties.add("MachineName", Value::from(host));
    }
    for (key, value) in more.iter() {
        properties.add(key, value.clone());
    }
    for (key, value) in properties.0 {
        event.set(key, value);
    }
    let mut line = String::new();
    write_object(event, &mut line);
    line
}

/// What stands in the place of an event that is too large: its envelope, the beginning of its
/// message, and that it was.
pub(crate) fn placeholder(record: &Record, now: u64, bytes: usize) -> String {
    let message: String = record.get_message().chars().take(512).collect();
    let mut event = Map::with_capacity(5);
    event.set("@t", time(record, now).as_str());
    event.set("@l", level_name(record.level().unwrap_or(Level::INFO)));
    event.set(
        "@m",
        format!("(event of {bytes} bytes was too large) {message}").as_str(),
    );
    event.set("LoggerName", record.name().unwrap_or_default());
    let mut line = String::new();
    write_object(event, &mut line);
    line
}

fn time(record: &Record, now: u64) -> String {
    let micros = record
        .created()
        .filter(|created| created.is_finite())
        .map_or((now / 1000) as i64, |created| {
            (created * 1e6).round() as i64
        });
    let moment = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{moment:.6}")
}

/// The template with its properties, or the message as it is.
fn message(record: &Record, event: &mut Map, properties: &mut Properties) {
    let message = record.get_message();
    let template = record.text("msg");
    let converted = template.and_then(|template| match record.get("args") {
        Some(Value::List(args)) if !args.is_empty() => positional(template, args),
        Some(Value::Map(args)) if !args.is_empty() => by_name(template, args),
        _ => None,
    });
    if let Some(Converted {
        template,
        holes,
        renderings,
    }) = converted
    {
        event.set("@mt", template.as_str());
        if !renderings.is_empty() {
            event.set("@r", Value::List(renderings));
        }
        for (name, value) in holes {
            properties.add(&name, harmless(&value));
        }
        return;
    }
    let has_args = match record.get("args") {
        Some(Value::List(args)) => !args.is_empty(),
        Some(Value::Map(args)) => !args.is_empty(),
        other => other.is_some_and(|args| !args.is_null()),
    };
    match template {
        // A template of Seq's own kind: its holes are properties of the record.
        Some(template) if template != message && !has_args => {
            event.set("@mt", template);
            if let Some(renderings @ Value::List(_)) = record.get("renderings") {
                event.set("@r", renderings.clone());
            }
        }
        _ => event.set("@mt", escaped(&message).as_str()),
    }
}

/// A template of Python's in Seq's form.
struct Converted {
    template: String,
    holes: Vec<(String, Value)>,
    renderings: Vec<Value>,
}

fn positional(template: &str, args: &[Value]) -> Option<Converted> {
    let parsed = Template::parse(template).ok()?;
    let mut args = args.iter().enumerate();
    let converted = convert(&parsed, |conversion| {
        // A width that is an argument counts as one, and Seq has nothing like it.
        let is_plain = conversion.key.is_none()
            && conversion.width != Size::FromArgument
            && conversion.precision != Size::FromArgument;
        let (at, value) = args.next().filter(|_| is_plain)?;
        Some((at.to_string(), value.clone()))
    })?;
    // What is left over did not fit, and Python would have said so.
    args.next().is_none().then_some(converted)
}

fn by_name(template: &str, args: &Map) -> Option<Converted> {
    let parsed = Template::parse(template).ok()?;
    let is_name = |name: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        !name.is_empty() && name.chars().all(is_part)
    };
    convert(&parsed, |conversion| {
        let name = conversion.key.as_deref().filter(|name| is_name(name))?;
        Some((name.to_owned(), args.get(name)?.clone()))
    })
}

fn convert(
    parsed: &Template,
    mut next: impl FnMut(&Conversion) -> Option<(String, Value)>,
) -> Option<Converted> {
    let mut converted = Converted {
        template: String::new(),
        holes: Vec::new(),
        renderings: Vec::new(),
    };
    for part in &parsed.parts {
        let conversion = match part {
            Part::Literal(text) => {
                converted.template.push_str(&escaped(text));
                continue;
            }
            Part::Conversion(conversion) => conversion,
        };
        let (name, value) = next(conversion)?;
        let mut shown = String::new();
        conversion.render(&value, &mut shown).ok()?;
        let mut plain = String::new();
        str_of(&value, &mut plain);
        // Only a hole with a format has a rendering; what it says is for the reader's eye.
        let is_plain = shown == plain && matches!(value, Value::Str(_) | Value::Int(_));
        converted.template.push('{');
        converted.template.push_str(&name);
        if !is_plain {
            converted.template.push(':');
            converted.template.push_str(&format_of(conversion));
            converted.renderings.push(Value::from(shown.as_str()));
        }
        converted.template.push('}');
        if converted.holes.iter().all(|(known, _)| *known != name) {
            converted.holes.push((name, value));
        }
    }
    Some(converted)
}

/// A conversion as it was written, without what would end a hole.
fn format_of(conversion: &Conversion) -> String {
    let mut format = String::new();
    for (is_set, flag) in [
        (conversion.alternate, '#'),
        (conversion.zero, '0'),
        (conversion.left, '-'),
        (conversion.space, ' '),
        (conversion.plus, '+'),
    ] {
        if is_set {
            format.push(flag);
        }
    }
    if let Size::Of(width) = conversion.width {
        format.push_str(&width.to_string());
    }
    if let Size::Of(precision) = conversion.precision {
        format.push_str(&format!(".{precision}"));
    }
    format.push(conversion.kind);
    format
}

/// Braces that are only braces.
fn escaped(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

fn exception(record: &Record, event: &mut Map) {
    let texts = ["exc_text", "stack_info"].map(|key| record.text(key).unwrap_or_default());
    let texts: Vec<&str> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    if !texts.is_empty() {
        event.set("@x", texts.join("\n").as_str());
    }
}

/// An id of OpenTelemetry, by the names that its instrumentation of `logging` and others use.
fn trace_id<'a>(key: &str, value: &'a Value) -> Option<&'a str> {
    let length = match key {
        "otelTraceID" | "trace_id" | "traceId" => 32,
        "otelSpanID" | "span_id" | "spanId" => 16,
        _ => return None,
    };
    let id = value.as_str()?;
    let is_id = id.len() == length && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_id || id == "0").then_some(id)
}

/// What JSON cannot say is said as text; Seq refuses the event otherwise.
fn harmless(value: &Value) -> Value {
    let as_text = |value: &Value| {
        let mut text = String::new();
        str_of(value, &mut text);
        Value::from(text.as_str())
    };
    match value {
        Value::Float(x) if !x.is_finite() => as_text(value),
        Value::BigInt(_) | Value::Bytes(_) | Value::Ext(..) => as_text(value),
        Value::List(items) => Value::List(items.iter().map(harmless).collect()),
        Value::Map(map) => Value::Map(
            map.iter()
                .map(|(key, value)| (key, harmless(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// The properties of an event, each name once.
#[derive(Default)]
struct Properties(Vec<(String, Value)>);

impl Properties {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    fn add(&mut self, name: &str, value: Value) {
        let mut name = match name.starts_with('@') {
            true => format!("@{name}"),
            false => name.to_owned(),
        };
        while self.has(&name) {
            name.push('_');
        }
        self.0.push((name, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(msg: &str, args: Value) -> Record {
        let mut record = Record::new("shop.db", 30, msg);
        record.set("args", args);
        record.set("created", 1795207453.7225823);
        record
    }

    fn shown(record: &Record) -> String {
        event(record, None, 0, &Map::default())
    }

    const HEAD: &str = r#"{"@t":"2026-11-20T20:44:13.722582Z","@l":"Warning","#;

    #[test]
    fn templates_group_events_and_show_what_python_shows() {
        let list = |values: Vec<Value>| Value::List(values);
        for (msg, args, expected) in [
            (
                "order %d of %s",
                list(vec![7.into(), "ann".into()]),
                r#""@mt":"order {0} of {1}","0":7,"1":"ann","#,
            ),
            (
                "took %.1f ms {x} 100%%",
                list(vec![2.54.into()]),
                r#""@mt":"took {0:.1f} ms {{x}} 100%","@r":["2.5"],"0":2.54,"#,
            ),
            (
                "%(who)s came",
                Value::Map(Map::from_iter([("who", "bob")])),
                r#""@mt":"{who} came","who":"bob","#,
            ),
            ("plain {x}", Value::Null, r#""@mt":"plain {{x}}","#),
            ("%d %d", list(vec![1.into()]), r#""@mt":"%d %d (1,)","#),
        ] {
            let event = shown(&record(msg, args));
            let expected = format!("{HEAD}{expected}\"LoggerName\":\"shop.db\"}}");
            assert_eq!(event, expected.replace(",}", "}"), "{msg}");
        }
    }

    #[test]
    fn a_template_of_seqs_own_kind_is_passed_on() {
        let mut record = record("order {id}", Value::Null);
        record.set("message", "order 7");
        record.set("id", 7);
        assert!(shown(&record).contains(r#""@mt":"order {id}","LoggerName":"shop.db","id":7"#));
    }

    #[test]
    fn no_record_can_forge_the_envelope_or_say_what_json_cannot() {
        let mut record = record("m", Value::Null);
        record.set("@mt", "forged");
        record.set("@l", "Fatal");
        record.set("LoggerName", "mine");
        record.set("nan", f64::NAN);
        let event = shown(&record);
        assert_eq!(event.matches("\"@mt\"").count(), 1);
        for part in [
            r#""@@mt":"forged""#,
            r#""@@l":"Fatal""#,
            r#""LoggerName_":"mine""#,
            r#""nan":"nan""#,
        ] {
            assert!(event.contains(part), "{event}");
        }
    }

    #[test]
    fn exceptions_traces_and_odd_levels_have_their_places() {
        let mut record = record("m", Value::Null);
        record.set("levelno", 25);
        record.set("levelname", "NOTICE");
        record.set("exc_text", "Traceback");
        record.set("stack_info", "Stack");
        record.set("otelTraceID", "0123456789abcdef0123456789abcdef");
        record.set("otelSpanID", "0");
        record.set("process", 613);
        let event = shown(&record);
        for part in [
            r#""@l":"Information""#,
            r#""@x":"Traceback\nStack""#,
            r#""@tr":"0123456789abcdef0123456789abcdef""#,
            r#""ProcessId":613"#,
            r#""LevelName":"NOTICE""#,
        ] {
            assert!(event.contains(part), "{event}");
        }
        assert!(!event.contains("otelSpanID") && !event.contains("@sp"));
    }

    #[test]
    fn the_senders_host_is_a_property_unless_the_record_says_another() {
        let mut record = record("m", Value::Null);
        let shown = |record: &Record| event(record, Some("web-1"), 0, &Map::default());
        assert!(shown(&record).contains(r#""MachineName":"web-1""#));
        record.set("MachineName", "web-2");
        let event = shown(&record);
        assert!(event.contains("web-2") && !event.contains("web-1"));
    }

    #[test]
    fn levels_are_in_order() {
        let ranks = [5, 10, 20, 30, 40, 50].map(|level| rank(level_name(Level(level))));
        assert_eq!(ranks, [0, 1, 2, 3, 4, 5].map(Some));
        assert_eq!(rank("loud"), None);
    }
}
