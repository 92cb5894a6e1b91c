//! Two frames: a topic with a level in it, and a formatted line.
//!
//! This is what pyzmq's `zmq.log.handlers.PUBHandler` and `TopicLogger` send: `ROOT.LEVEL.SUBTOPIC`
//! (root and subtopic are optional) and the text that the handler's formatter made. The topic
//! without its level is the record's name. The line is kept whole; a formatter that writes record
//! dicts is understood, and a line that only looks like a dict is a line. [`write()`] makes such a
//! message of any record, for those who read with `python -m zmq.log`.

use std::borrow::Cow;

use super::text::{text_of, topic_and_body, without_line_end};
use super::topic_dict::read_under;
use super::{Dialect, Malformed, Reading};
use crate::record::Record;
use crate::topic::Topic;

/// The name of a record whose topic is a level and nothing else.
const ROOT: &str = "root";

pub(super) const DIALECT: Dialect = Dialect {
    name: "pyzmq",
    summary: "ROOT.LEVEL.SUBTOPIC and a line: pyzmq's PUBHandler and TopicLogger",
    // Without a root topic, a message begins with its level.
    prefixes: &[
        b"DEBUG",
        b"INFO",
        b"WARN",
        b"ERROR",
        b"CRITICAL",
        b"FATAL",
        b"NOTSET",
        b"TRACE",
        b"NOTICE",
        b"Level ",
    ],
    recognise,
    read,
};

/// The levels whose names a topic can hold: Python's, and two that programs often add, with the
/// numbers that they usually give them.
const LEVELS: &[(&str, i64)] = &[
    ("DEBUG", 10),
    ("INFO", 20),
    ("WARNING", 30),
    ("WARN", 30),
    ("ERROR", 40),
    ("CRITICAL", 50),
    ("FATAL", 50),
    ("NOTSET", 0),
    ("TRACE", 5),
    ("NOTICE", 25),
];

/// A level as a topic says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LevelName<'a> {
    name: &'a str,
    number: i64,
}

/// A record as `PUBHandler` would send it if the first segment of `topic` were its root topic and
/// the rest its subtopic: `python -m zmq.log` takes the second segment for the level. The line is the message with what stands below it: the traceback and the
/// stack. A dot in a level's name would end it, so it becomes `_`.
pub fn write(topic: &Topic, record: &Record) -> [Vec<u8>; 2] {
    let level = record.level_name().unwrap_or(Cow::Borrowed("NOTSET"));
    let level = level.replace('.', "_");
    let topic = match topic.as_str().split_once('.') {
        Some((root, rest)) => format!("{root}.{level}.{rest}"),
        None => format!("{topic}.{level}"),
    };
    let mut line = record.get_message().into_owned();
    for below in ["exc_text", "stack_info"] {
        if let Some(text) = record.text(below).filter(|text| !text.is_empty()) {
            line.push('\n');
            line.push_str(text.trim_end_matches('\n'));
        }
    }
    line.push('\n');
    [topic.into_bytes(), line.into_bytes()]
}

/// A text, a dict in JSON or a dict in msgpack: what a formatter can have made.
fn recognise(frames: &[&[u8]]) -> bool {
    let [topic, body] = *frames else { return false };
    let has_level = || {
        let topic = std::str::from_utf8(topic).unwrap_or_default();
        topic.split('.').any(|segment| level_of(segment).is_some())
    };
    let is_written = || super::bare_dict::codec_of(body).is_some() || is_text(body);
    has_level() && is_written()
}

fn read<'a>(frames: &[&'a [u8]]) -> Result<Reading<'a>, Malformed> {
    let (topic, body) = topic_and_body(frames)?;
    let topic = topic.unwrap_or_default();
    let (name, level) = split_topic(&topic);
    match read_under(&name, body) {
        Ok((mut record, mut dict)) => {
            if let Some(level) = level
                && !record.has("levelno")
                && !record.has("levelname")
            {
                set_level(&mut record, level);
                dict = None;
            }
            Ok(Reading::Foreign {
                topic: Topic::for_name(&name),
                record,
                dict,
            })
        }
        Err(malformed) if !is_text(body) => Err(malformed),
        Err(_) => Ok(Reading::Foreign {
            topic: Topic::for_name(&name),
            record: line(&name, level, body),
            dict: None,
        }),
    }
}

/// A topic's name, and the level that is its first segment to be one.
fn split_topic(topic: &str) -> (String, Option<LevelName<'_>>) {
    let mut segments: Vec<&str> = topic.split('.').collect();
    let found = segments
        .iter()
        .position(|segment| level_of(segment).is_some());
    let level = found.and_then(|at| level_of(segments.remove(at)));
    let name = match segments.join(".") {
        name if name.is_empty() => ROOT.to_owned(),
        name => name,
    };
    (name, level)
}

/// Level names are in capitals; `Level 25` is what Python calls a number without a name.
fn level_of(segment: &str) -> Option<LevelName<'_>> {
    let known = LEVELS.iter().find(|(name, _)| *name == segment);
    let number = match known {
        Some((_, number)) => *number,
        None => segment.strip_prefix("Level ")?.parse().ok()?,
    };
    Some(LevelName {
        name: segment,
        number,
    })
}

fn line(name: &str, level: Option<LevelName<'_>>, body: &[u8]) -> Record {
    let text = text_of(without_line_end(body));
    let mut record = Record::default();
    record.set("name", name);
    record.set("msg", text.as_str());
    if let Some(level) = level {
        set_level(&mut record, level);
        set_place(&mut record, level, &text);
    }
    record
}

fn set_level(record: &mut Record, level: LevelName<'_>) {
    record.set("levelname", level.name);
    record.set("levelno", level.number);
}

/// Notes where the record was logged, when the line begins as the handler's own format for all
/// levels but INFO does: `%(levelname)s %(filename)s:%(lineno)d - `.
fn set_place(record: &mut Record, level: LevelName<'_>, text: &str) {
    let place = || {
        let rest = text.strip_prefix(level.name)?.strip_prefix(' ')?;
        let (place, _) = rest.split_once(" - ")?;
        let (filename, lineno) = place.rsplit_once(':')?;
        let is_file = filename.ends_with(".py") && !filename.contains(['/', '\n']);
        is_file.then_some((filename, lineno.parse::<u32>().ok()?))
    };
    if let Some((filename, lineno)) = place() {
        record.set("filename", filename);
        record.set("lineno", lineno);
    }
}

fn is_text(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Level;
    use crate::value::Value;

    fn record(topic: &str, body: &[u8]) -> Record {
        let frames: [&[u8]; 2] = [topic.as_bytes(), body];
        assert!(recognise(&frames), "{topic}");
        match read(&frames) {
            Ok(Reading::Foreign { topic, record, .. }) => {
                assert_eq!(topic, Topic::for_name(record.name().unwrap()));
                record
            }
            other => panic!("{topic}: {other:?}"),
        }
    }

    #[test]
    fn the_level_is_taken_out_of_the_topic() {
        for (topic, name, level) in [
            ("myapp.INFO", "myapp", 20),
            ("INFO", "root", 20),
            ("my.app.WARNING.db.pool", "my.app.db.pool", 30),
            ("ERROR.db", "db", 40),
            ("a.DEBUG.ERROR", "a.ERROR", 10),
            ("a.Level 25", "a", 25),
            ("a.NOTICE", "a", 25),
        ] {
            let record = record(topic, b"hi\n");
            assert_eq!(record.name(), Some(name), "{topic}");
            assert_eq!(record.level(), Some(Level(level)), "{topic}");
            assert_eq!(record.get_message(), "hi", "{topic}");
        }
    }

    #[test]
    fn a_subscriber_gets_what_begins_with_a_level() {
        for (name, _) in LEVELS {
            let mut prefixes = DIALECT.prefixes.iter();
            assert!(prefixes.any(|prefix| name.as_bytes().starts_with(prefix)));
        }
    }

    #[test]
    fn a_written_record_is_read_as_what_it_was() {
        for name in ["myapp", "my.app.db"] {
            for level in [10, 20, 25, 30, 40, 50] {
                let written = Record::new(name, level, "two\nlines");
                let [topic, line] = write(&Topic::for_name(name), &written);
                let read = record(std::str::from_utf8(&topic).unwrap(), &line);
                for key in ["name", "msg", "levelno", "levelname"] {
                    assert_eq!(read.get(key), written.get(key));
                }
            }
        }
    }

    #[test]
    fn what_stands_below_a_message_is_written_below_it() {
        let mut failed = Record::new("jobs.nightly", 40, "failed");
        failed.set("exc_text", "Traceback\nValueError\n");
        let [topic, line] = write(&Topic::for_name("jobs.nightly"), &failed);
        assert_eq!(topic, b"jobs.ERROR.nightly");
        assert_eq!(line, b"failed\nTraceback\nValueError\n");
        let nothing = write(&Topic::for_name("a"), &Record::default());
        assert_eq!(nothing, [b"a.NOTSET".to_vec(), b"\n".to_vec()]);
    }

    #[test]
    fn the_handlers_own_format_says_where() {
        let text = "ERROR jobs.py:17 - run a:1 - b failed - None";
        let placed = record("a.ERROR", text.as_bytes());
        assert_eq!(placed.get_message(), text);
        assert_eq!(placed.text("filename"), Some("jobs.py"));
        assert_eq!(placed.get("lineno"), Some(&Value::Int(17)));
        for other in ["jobs.py:17 - x", "DEBUG jobs.py:17 - x", "ERROR 17 - x"] {
            assert_eq!(record("a.ERROR", other.as_bytes()).get("lineno"), None);
        }
    }

    #[test]
    fn a_formatter_may_write_records() {
        let record = record("myapp.ERROR", b"{\"message\": \"x\", \"user\": 1}\n");
        assert_eq!(record.name(), Some("myapp"));
        assert_eq!(record.level(), Some(Level::ERROR));
        assert_eq!(record.get("user"), Some(&Value::Int(1)));
    }

    #[test]
    fn what_only_begins_like_a_dict_is_a_line() {
        for text in ["{}", "{\"a\": 1}", "{user} logged in", "\u{7c0}x"] {
            assert_eq!(record("a.INFO", text.as_bytes()).get_message(), text);
        }
    }

    #[test]
    fn other_messages_are_left_to_other_dialects() {
        let frames: [&[&[u8]]; 5] = [
            &[b"myapp", b"text"],
            &[b"myapp.info", b"text"],
            &[b"myapp.INFORMATION", b"{\"msg\":\"x\"}"],
            &[b"myapp.INFO", b"\xff\xfe"],
            &[b"INFO"],
        ];
        for frames in frames {
            assert!(!recognise(frames), "{frames:?}");
        }
    }

    #[test]
    fn where_everything_is_a_line_a_topic_needs_no_level() {
        let Ok(Reading::Foreign { record, .. }) = read(&[b"myapp", b"text"]) else {
            panic!("not read")
        };
        assert_eq!((record.name(), record.level()), (Some("myapp"), None));
    }
}
