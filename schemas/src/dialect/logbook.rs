//! One frame: a record of Logbook's as a JSON dict.
//!
//! This is what `logbook.queues.ZeroMQHandler` sends, over PUB or, with `multi=True`, over PUSH:
//! `LogRecord.to_dict(json_safe=True)` of Logbook 1.x. What has a place among the attributes of
//! Python's `LogRecord` goes there, and everything else becomes an extra. Values that Logbook
//! itself could not say in JSON it sent as `null`; they are gone.

use super::timestamp::Timestamp;
use super::{Dialect, Malformed, MalformedKind, Reading, bare_dict};
use crate::record::Record;
use crate::topic::Topic;
use crate::value::{Map, Value};

pub(super) const DIALECT: Dialect = Dialect {
    name: "logbook",
    summary: "a Logbook record as JSON: its ZeroMQHandler",
    // It begins as every dict does.
    prefixes: &[],
    recognise: |frames| matches!(frames, [body] if body.starts_with(BEGINNING)),
    read,
};

/// A record's channel is the first thing that Logbook sets, and so the first that it writes.
const BEGINNING: &[u8] = b"{\"channel\": ";

/// The key that tells Logbook's records from others with a channel.
const MARK: &str = "heavy_initialized";

/// Entries of a dict that are looked up and set one by one: a bound on the time that a sender can
/// claim, which grows with the square of their number.
const MANY: usize = 100;

/// Logbook's keys that have a place in Python's record as they are.
const KEYS: &[(&str, &str)] = &[
    ("func_name", "funcName"),
    ("lineno", "lineno"),
    ("module", "module"),
    ("process", "process"),
    ("process_name", "processName"),
    ("thread", "thread"),
    ("thread_name", "threadName"),
    ("formatted_exception", "exc_text"),
];

/// Logbook's levels, their names, and Python's numbers.
const LEVELS: &[(i64, &str, i64)] = &[
    (15, "CRITICAL", 50),
    (14, "ERROR", 40),
    (13, "WARNING", 30),
    (12, "NOTICE", 25),
    (11, "INFO", 20),
    (10, "DEBUG", 10),
    (9, "TRACE", 5),
    (0, "NOTSET", 0),
];

fn read<'a>(frames: &[&'a [u8]]) -> Result<Reading<'a>, Malformed> {
    let [body] = *frames else {
        return Err(Malformed::new(
            MalformedKind::Unrecognised,
            format_args!("{} frames instead of one", frames.len()),
        ));
    };
    let (codec, theirs) = bare_dict::read_dict(body)?;
    if theirs.get(MARK).is_none() {
        return bare_dict::named(codec, body, theirs);
    }
    let record = convert(theirs.into_fields());
    Ok(Reading::Foreign {
        topic: Topic::for_name(record.name().unwrap_or_default()),
        record,
        dict: None,
    })
}

/// Whatever is not taken out of their dict on the way becomes an extra.
fn convert(mut theirs: Map) -> Record {
    let mut ours = Record::default();
    convert_channel(&mut theirs, &mut ours);
    for (key, our_key) in KEYS {
        if let Some(value) = take(&mut theirs, key) {
            ours.set(*our_key, value);
        }
    }
    convert_message(&mut theirs, &mut ours);
    convert_level(&mut theirs, &mut ours);
    convert_time(&mut theirs, &mut ours);
    convert_path(&mut theirs, &mut ours);
    for key in ["extra", "kwargs"] {
        if let Some(Value::Map(inner)) = theirs.get(key).cloned() {
            theirs.remove(key);
            set_extras(&mut ours, key, inner);
        }
    }
    set_extras(&mut ours, DIALECT.name, theirs);
    ours
}

/// A key's value, out of the dict; a null says nothing.
fn take(theirs: &mut Map, key: &str) -> Option<Value> {
    theirs.remove(key).filter(|value| !value.is_null())
}

/// A logger may have no channel: that is Python's root.
fn convert_channel(theirs: &mut Map, ours: &mut Record) {
    match theirs.get("channel") {
        Some(Value::Str(channel)) => {
            ours.set("name", channel.clone());
            theirs.remove("channel");
        }
        _ => ours.set("name", "root"),
    }
}

/// Their message is rendered already. Their template and its arguments have another form than
/// Python's `%`, so they are extras.
fn convert_message(theirs: &mut Map, ours: &mut Record) {
    let message = take(theirs, "message");
    let template = take(theirs, "msg");
    match (message, template) {
        (Some(message), template) => {
            let template = template.filter(|template| *template != message);
            ours.set("msg", message);
            if let Some(template) = template {
                ours.set_extra("msg", template);
            }
        }
        (None, template) => ours.set("msg", template),
    }
    if theirs.get("args") == Some(&Value::List(Vec::new())) {
        theirs.remove("args");
    }
}

fn convert_level(theirs: &mut Map, ours: &mut Record) {
    let level = theirs.get("level").and_then(Value::as_i64);
    let known = LEVELS.iter().find(|(number, ..)| Some(*number) == level);
    if let Some((_, name, number)) = known {
        theirs.remove("level");
        ours.set("levelname", *name);
        ours.set("levelno", *number);
    }
}

/// Logbook writes microseconds without leading zeros: `.12345` is 12,345 of them. What is no time
/// of this form stays as it is.
fn convert_time(theirs: &mut Map, ours: &mut Record) {
    let time = theirs.get("time").and_then(Value::as_str);
    let created = time
        .and_then(Timestamp::parse)
        .and_then(|time| time.with_unpadded_micros());
    if let Some(created) = created {
        theirs.remove("time");
        ours.set("created", created);
    }
}

/// Their file name is Python's `pathname`.
fn convert_path(theirs: &mut Map, ours: &mut Record) {
    let Some(path) = take(theirs, "filename") else {
        return;
    };
    if let Some(path) = path.as_str() {
        ours.set("filename", path.rsplit('/').next().unwrap_or(path));
    }
    ours.set("pathname", path);
}

/// Each entry as an extra; a dict of very many stays one, under `key`.
fn set_extras(ours: &mut Record, key: &str, extras: Map) {
    if extras.len() > MANY {
        ours.set_extra(key, extras);
        return;
    }
    for (key, value) in extras {
        if !value.is_null() {
            ours.set_extra(&key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Level;

    fn record(body: &str) -> Record {
        match read(&[body.as_bytes()]) {
            Ok(Reading::Foreign { record, .. }) => record,
            other => panic!("{body}: {other:?}"),
        }
    }

    fn logbook(fields: &str) -> Record {
        record(&format!(
            "{{\"channel\": \"app\", \"heavy_initialized\": true, {fields}}}"
        ))
    }

    #[test]
    fn each_level_has_a_number_of_pythons() {
        for (theirs, name, ours) in LEVELS {
            let record = logbook(&format!("\"msg\": \"x\", \"level\": {theirs}"));
            assert_eq!(record.level(), Some(Level(*ours)));
            assert_eq!(record.level_name().as_deref(), Some(*name));
        }
        let record = logbook("\"msg\": \"x\", \"level\": 99");
        assert_eq!(record.get("level"), Some(&Value::Int(99)));
    }

    #[test]
    fn microseconds_get_their_zeros_back() {
        let created = |time| logbook(&format!("\"msg\": \"x\", \"time\": \"{time}\"")).created();
        assert_eq!(created("1970-01-01T00:00:01.847536Z"), Some(1.847536));
        assert_eq!(created("1970-01-01T00:00:01.12345Z"), Some(1.012345));
        assert_eq!(created("1970-01-01T00:00:01.7Z"), Some(1.000007));
        let odd = logbook("\"msg\": \"x\", \"time\": \"noon\"");
        assert_eq!((odd.created(), odd.text("time")), (None, Some("noon")));
    }

    #[test]
    fn the_rendered_message_counts_and_the_template_is_kept() {
        let record = logbook(
            "\"msg\": \"{} {user}\", \"args\": [1], \"kwargs\": {\"user\": \"fred\"}, \
             \"message\": \"1 fred\"",
        );
        assert_eq!(record.get_message(), "1 fred");
        assert_eq!(record.text("msg_"), Some("{} {user}"));
        assert_eq!(record.get("args_"), Some(&Value::List(vec![1.into()])));
        assert_eq!(record.text("user"), Some("fred"));
    }

    #[test]
    fn extras_stand_beside_attributes_and_one_another() {
        let record = logbook(
            "\"msg\": \"x\", \"extra\": {\"name\": 1, \"ip\": 2}, \"kwargs\": {\"ip\": 3}, \
             \"greenlet\": 4, \"exception_name\": null",
        );
        let extras: Vec<_> = record.extras().map(|(key, _)| key).collect();
        assert_eq!(
            extras,
            ["name_", "ip", "ip_", "heavy_initialized", "greenlet"]
        );
    }

    #[test]
    fn whatever_a_key_holds_is_kept() {
        let others = [
            "level", "time", "message", "msg", "args", "filename", "extra", "kwargs",
        ];
        let others = others
            .into_iter()
            .chain(["channel", "exception_name", "odd"]);
        let keys: Vec<&str> = KEYS.iter().map(|(key, _)| *key).chain(others).collect();
        let odd = |key: &&str| Value::List(vec![Value::from(*key)]);
        let theirs = Map::from_iter(keys.iter().map(|key| (*key, odd(key))));
        let ours = convert(theirs);
        for key in &keys {
            let mut kept = ours.fields().iter().map(|(_, value)| value);
            assert!(kept.any(|value| *value == odd(key)), "{key}: {ours:?}");
        }
    }

    #[test]
    fn very_many_extras_stay_together() {
        let many = (0..=MANY).map(|n| (format!("k{n}"), Value::from(1)));
        let many = Value::Map(Map::from_iter(many));
        let ours = convert(Map::from_iter([("kwargs", many.clone())]));
        assert_eq!(ours.get("kwargs"), Some(&many));
    }

    #[test]
    fn another_dict_with_a_channel_is_what_it_was() {
        let record = record("{\"channel\": \"#ops\", \"name\": \"bot\", \"msg\": \"x\"}");
        assert_eq!(
            (record.name(), record.text("channel")),
            (Some("bot"), Some("#ops"))
        );
        assert!(read(&[b"{\"channel\": 1, \"msg\": 2}"]).is_err());
    }
}
