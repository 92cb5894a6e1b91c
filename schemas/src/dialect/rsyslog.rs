//! Syslog messages as rsyslog's `omczmq` sends them.
//!
//! Its default template is `RSYSLOG_ForwardFormat`; the older RFC 3164 and the newer RFC 5424 are
//! read as well, and so are templates that make a JSON object with a `msg` or `message`. A topic
//! stands in a frame of its own (`topicframe="on"`) or right before the text. What is none of
//! these is a line of text. Messages are read in this dialect only where they come in at a place
//! that is for it.

use super::syslog::{self, Syslog};
use super::text::{json_text_of, line, text_of, topic_and_body, without_line_end};
use super::timestamp::Timestamp;
use super::{Dialect, Malformed, Reading, bare_dict};
use crate::record::Record;
use crate::topic::Topic;
use crate::value::Value;

/// The name of a record that comes without a topic and without a program's name.
const NAME: &str = "rsyslog";

pub(super) const DIALECT: Dialect = Dialect {
    name: "rsyslog",
    summary: "syslog messages, alone or behind a topic: rsyslog's omczmq",
    prefixes: &[],
    recognise: |_| false,
    read,
};

/// Severities by number (RFC 5424, 6.2.1): the name, and the level.
const SEVERITIES: [(&str, &str, i64); 8] = [
    ("emerg", "CRITICAL", 50),
    ("alert", "CRITICAL", 50),
    ("crit", "CRITICAL", 50),
    ("err", "ERROR", 40),
    ("warning", "WARNING", 30),
    ("notice", "NOTICE", 25),
    ("info", "INFO", 20),
    ("debug", "DEBUG", 10),
];

/// Facilities by number, as rsyslog names them.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];

fn read<'a>(frames: &[&'a [u8]]) -> Result<Reading<'a>, Malformed> {
    let (topic, body) = topic_and_body(frames)?;
    let text = without_line_end(body);
    let found = read_text(&text_of(text)).or_else(|| read_text(&json_text_of(text)));
    Ok(match found {
        Some((glued, record)) => published(topic.or(glued), record),
        None => line(topic.as_deref().unwrap_or(NAME), body),
    })
}

/// The record, and the topic when it stands right before it.
fn read_text(text: &str) -> Option<(Option<String>, Record)> {
    match read_alone(text) {
        Some(record) => Some((None, record)),
        None => read_behind_topic(text),
    }
}

/// A record under its topic, with a name whatever it says.
fn published(topic: Option<String>, mut record: Record) -> Reading<'static> {
    let topic = topic.as_deref();
    if record.name().is_none() {
        record.set("name", topic.unwrap_or(NAME));
    }
    let topic = topic.or(record.name()).unwrap_or(NAME);
    Reading::Foreign {
        topic: Topic::for_name(topic),
        record,
        dict: None,
    }
}

fn read_alone(text: &str) -> Option<Record> {
    match syslog::parse(text) {
        Some(parts) => Some(record_of(parts)),
        None => read_json(text),
    }
}

/// A topic that stands right before the text is told from text by what follows: a syslog message
/// with its time, or a JSON object.
fn read_behind_topic(text: &str) -> Option<(Option<String>, Record)> {
    let (topic, rest) = text.split_at(text.find(['<', '{'])?);
    if topic.contains(char::is_whitespace) || Topic::new(topic).is_err() {
        return None;
    }
    let record = match syslog::parse(rest) {
        Some(parts) => parts.is_dated().then(|| record_of(parts)),
        None => read_json(rest),
    };
    Some((Some(topic.to_owned()), record?))
}

fn record_of(parts: Syslog<'_>) -> Record {
    let (facility, severity) = (parts.priority / 8, parts.priority % 8);
    let mut record = Record::default();
    if let Some(tag) = parts.tag {
        record.set("name", tag);
    }
    // The space behind a tag belongs to the message in rsyslog's eyes, and to no one else's.
    record.set("msg", parts.text.strip_prefix(' ').unwrap_or(parts.text));
    set_level(&mut record, severity);
    if let Some(created) = parts.created {
        record.set("created", created);
    }
    match parts
        .process
        .map(|process| (process, process.parse::<u32>()))
    {
        Some((_, Ok(number))) => record.set("process", number),
        Some((text, Err(_))) => record.set_extra("procid", text),
        None => {}
    }
    let (severity, ..) = SEVERITIES[usize::from(severity)];
    let extras = [
        ("host", parts.host),
        ("facility", FACILITIES.get(usize::from(facility)).copied()),
        ("severity", Some(severity)),
        ("timestamp", parts.time),
        ("msgid", parts.message_id),
    ];
    for (key, value) in extras {
        if let Some(value) = value {
            record.set_extra(key, value);
        }
    }
    if !parts.data.is_empty() {
        record.set_extra("structured_data", parts.data);
    }
    record
}

fn set_level(record: &mut Record, severity: u8) {
    let (_, name, number) = SEVERITIES[usize::from(severity % 8)];
    record.set("levelname", name);
    record.set("levelno", number);
}

/// A template's JSON object. Where it says nothing under a `LogRecord`'s keys, those of rsyslog's
/// `%jsonmesg%` say name, level and time.
fn read_json(text: &str) -> Option<Record> {
    let is_object = text.starts_with('{');
    let (_, mut record) = is_object.then(|| bare_dict::read_dict(text.as_bytes()).ok())??;
    let said = |key: &str| record.get(key).cloned();
    let (program, severity) = (said("programname"), said("syslogseverity"));
    let time = said("timereported").or_else(|| said("timestamp"));
    if let (None, Some(Value::Str(program))) = (record.name(), program) {
        record.set("name", program);
    }
    let severity = severity.as_ref().and_then(severity_of);
    if let (None, Some(severity)) = (record.level(), severity) {
        set_level(&mut record, severity);
    }
    let time = time
        .as_ref()
        .and_then(Value::as_str)
        .and_then(Timestamp::parse);
    if let (None, Some(time)) = (record.created(), time) {
        record.set("created", time.with_fraction());
    }
    Some(record)
}

/// A severity's number, which rsyslog writes as text.
fn severity_of(value: &Value) -> Option<u8> {
    let number = match value {
        Value::Int(number) => u8::try_from(*number).ok(),
        Value::Str(digits) => digits.parse().ok(),
        _ => None,
    };
    number.filter(|number| *number < 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Level;

    fn record(frames: &[&[u8]]) -> (String, Record) {
        match read(frames) {
            Ok(Reading::Foreign { topic, record, .. }) => (topic.to_string(), record),
            other => panic!("{other:?}"),
        }
    }

    const FORWARDED: &str = "<187>2026-11-20T21:43:21.245069+00:00 web1 app[77]: disk full";

    #[test]
    fn a_topic_is_found_wherever_it_stands() {
        let glued = format!("logs.web{FORWARDED}");
        let messages: [(&str, &[&[u8]]); 3] = [
            ("app", &[FORWARDED.as_bytes()]),
            ("logs.web", &[b"logs.web", FORWARDED.as_bytes()]),
            ("logs.web", &[glued.as_bytes()]),
        ];
        for (expected, frames) in messages {
            let (topic, record) = record(frames);
            assert_eq!(topic, expected);
            assert_eq!(record.name(), Some("app"));
            assert_eq!(record.get_message(), "disk full");
            assert_eq!(record.level(), Some(Level::ERROR));
            assert_eq!(record.created(), Some(1_795_211_001.245069));
            assert_eq!(record.get("process"), Some(&Value::Int(77)));
            for (key, value) in [
                ("host", "web1"),
                ("facility", "local7"),
                ("severity", "err"),
            ] {
                assert_eq!(record.text(key), Some(value));
            }
            assert_eq!(record.extras().count(), 3);
        }
    }

    #[test]
    fn what_the_other_forms_say_beyond_is_kept() {
        let (_, old) = record(&[b"<13>Nov 20 21:43:21 web1 app: x"]);
        assert_eq!(
            (old.created(), old.text("timestamp")),
            (None, Some("Nov 20 21:43:21"))
        );
        let (_, new) = record(&[b"<13>1 - - app main m1 [a b=\"c\"] x"]);
        assert_eq!(
            (new.text("procid"), new.text("msgid")),
            (Some("main"), Some("m1"))
        );
        assert!(new.get("structured_data").is_some());
    }

    #[test]
    fn a_json_template_is_a_dict() {
        let json = br#"{"msg":" x","programname":"app","syslogseverity":"3","timereported":"1970-01-01T00:00:09+00:00"}"#;
        let (topic, said) = record(&[json]);
        assert_eq!((topic.as_str(), said.name()), ("app", Some("app")));
        assert_eq!(
            (said.level(), said.created()),
            (Some(Level::ERROR), Some(9.0))
        );
        let (topic, named) = record(&[b"web{\"message\":\"x\",\"name\":\"n\"}\n"]);
        assert_eq!((topic.as_str(), named.name()), ("web", Some("n")));
    }

    #[test]
    fn what_is_no_syslog_is_a_line() {
        for text in ["hello", "see <13>Nov 20", "{\"a\":1}", "a<13>b", ""] {
            let (topic, record) = record(&[text.as_bytes()]);
            assert_eq!(topic, "rsyslog");
            assert_eq!(record, Record::new("rsyslog", 20, text));
        }
        assert_eq!(record(&[b"web", b"hello"]).0, "web");
    }
}
