//! Stock senders' messages read as the records that were logged.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;
use std::path::Path;

use logbus_schemas::dialect::{self, Dialect, Reading};
use logbus_schemas::reject::Reject;
use logbus_schemas::{Level, Map, Record, Topic, Value, codec};

/// The frames of each message in a file of `tests/captures`.
fn messages(name: &str) -> Vec<Vec<Vec<u8>>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/captures")
        .join(name);
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| Reject::from_line(line).unwrap().frames().unwrap())
        .collect()
}

/// Level and message of each record, in the order of the calls; `None` where the message holds
/// paths and line numbers.
const LOGGED: [(i64, Option<&str>); 11] = [
    (10, Some("debug message")),
    (20, Some("GET /api/orders/17 user=fred took 12.345 ms")),
    (30, Some("disk /var at 91%")),
    (40, None),
    (40, None),
    (
        50,
        Some("żółw 🐢 日本語 ☃ quote \" backslash \\ tab\tnewline\nsecond line"),
    ),
    (20, Some("dict args 1 and 002.5")),
    (25, Some("custom level")),
    (20, Some("no args 100%")),
    (20, Some("child logger")),
    (20, None),
];

fn check(name: &str) {
    let records: Vec<Record> = messages(name)
        .iter()
        .map(|frames| {
            assert_eq!(frames.len(), 1);
            codec::JSON.decode(&frames[0]).unwrap()
        })
        .collect();
    check_records(&records);
    let traceback = records[3].get_message();
    assert!(traceback.starts_with("computing ratio failed\nTraceback (most recent call last):\n"));
    assert!(traceback.ends_with("\nZeroDivisionError: division by zero"));
    assert!(
        records[4]
            .get_message()
            .starts_with("with stack\nStack (most recent call last):\n")
    );
}

fn check_records(records: &[Record]) {
    assert_eq!(records.len(), LOGGED.len());
    for (at, (record, (level, message))) in records.iter().zip(LOGGED).enumerate() {
        let expected = if at == 9 { "myapp.lib1" } else { "myapp" };
        assert_eq!(record.name(), Some(expected));
        assert_eq!(record.level(), Some(Level(level)));
        assert_eq!(record.get("args"), Some(&Value::Null));
        assert!(
            message.is_none_or(|message| record.get_message() == message),
            "{record:?}"
        );
        assert_eq!(
            record.fields().iter().next().map(|(key, _)| key),
            Some("name")
        );
    }

    assert_eq!(records[7].level_name().as_deref(), Some("Level 25"));
    assert_eq!(records[10].get_message(), "x".repeat(5000));
    check_extras(&records[2]);
}

fn check_extras(record: &Record) {
    let limits = Map::from_iter([("soft", 80), ("hard", 95)]);
    let expected = [
        ("ip", Value::from("192.168.0.1")),
        ("user", Value::from("sheila")),
        (
            "tags",
            Value::from(vec![Value::from("a"), Value::from("b")]),
        ),
        ("limits", Value::from(limits)),
    ];
    let extras: Vec<_> = record
        .extras()
        .map(|(key, value)| (key, value.clone()))
        .collect();
    assert_eq!(extras, expected);
}

#[test]
fn the_cookbooks_zeromq_handler_is_read_record_for_record() {
    check("cookbook-zmq.jsonl");
}

#[test]
fn the_cookbooks_nng_handler_is_read_record_for_record() {
    check("cookbook-nng.jsonl");
}

/// SocketHandler keeps a traceback and a stack apart from the message.
#[test]
fn what_sockethandler_pickled_is_read_record_for_record() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures");
    let stream = fs::read(path.join("sockethandler-pickle.bin")).unwrap();
    let pickle = dialect::named("pickle").unwrap();
    let mut records = Vec::new();
    let mut rest = stream.as_slice();
    while let Some((length, behind)) = rest.split_first_chunk() {
        let (frame, behind) = behind.split_at(u32::from_be_bytes(*length) as usize);
        let Ok(Reading::Foreign { topic, record, .. }) = dialect::read_in(Some(pickle), &[frame])
        else {
            panic!("not read")
        };
        assert_eq!(record.name(), Some(topic.as_str()));
        records.push(record);
        rest = behind;
    }
    check_records(&records);
    assert_eq!(records[3].get_message(), "computing ratio failed");
    let traceback = records[3].text("exc_text").unwrap();
    assert!(traceback.ends_with("\nZeroDivisionError: division by zero"));
    let stack = records[4].text("stack_info").unwrap();
    assert!(stack.starts_with("Stack (most recent call last):\n"));
}

#[test]
fn what_stock_senders_sent_survives_both_codecs() {
    for name in [
        "cookbook-zmq.jsonl",
        "cookbook-nng.jsonl",
        "logbook-zmq.jsonl",
    ] {
        for frames in messages(name) {
            let record = codec::JSON.decode(&frames[0]).unwrap();
            for codec in codec::CODECS {
                let mut bytes = Vec::new();
                codec.encode(&record, &mut bytes);
                assert_eq!(codec.decode(&bytes).as_ref(), Ok(&record));
            }
        }
    }
}

/// The topic and the record of each message of a file, read in a dialect, or in the one that
/// recognises it.
fn readings(name: &str, dialect: Option<&Dialect>) -> Vec<(Topic, Record)> {
    let read = |frames: Vec<Vec<u8>>| {
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        match dialect::read_in(dialect, &frames) {
            Ok(Reading::Foreign { topic, record, .. }) => (topic, record),
            other => panic!("{other:?}"),
        }
    };
    messages(name).into_iter().map(read).collect()
}

fn records(name: &str) -> Vec<Record> {
    let readings = readings(name, None).into_iter();
    readings.map(|(_, record)| record).collect()
}

#[test]
fn pyzmqs_handler_is_read_line_for_line() {
    let records = records("pyzmq-pubhandler.jsonl");
    // The handler has no format for level 25 and sends nothing.
    let logged = LOGGED.iter().filter(|(level, _)| *level != 25);
    assert_eq!(records.len(), LOGGED.len() - 1);
    for (record, (level, message)) in records.iter().zip(logged) {
        assert_eq!(record.name(), Some("myapp"));
        assert_eq!(record.level(), Some(Level(*level)));
        let shown = record.get_message();
        assert!(!shown.ends_with('\n'));
        assert!(
            message.is_none_or(|message| shown.ends_with(message)),
            "{shown}"
        );
        let is_placed = record.text("filename") == Some("capture.py");
        assert_eq!(is_placed, *level != 20, "{record:?}");
    }
    assert!(
        records[3]
            .get_message()
            .ends_with("\nZeroDivisionError: division by zero")
    );
}

#[test]
fn logbooks_handler_is_read_record_for_record() {
    let records = records("logbook-zmq.jsonl");
    let shown: Vec<(&str, i64, String)> = records
        .iter()
        .map(|record| {
            let level = record.level().map_or(-1, |level| level.0);
            (
                record.name().unwrap_or_default(),
                level,
                record.get_message().into_owned(),
            )
        })
        .collect();
    let expected = [
        ("myapp", 10, "debug message"),
        ("myapp", 20, "GET /api/orders/17 user=fred took 12.345 ms"),
        ("myapp", 30, "disk /var"),
        ("myapp", 40, "computing ratio failed"),
        ("myapp", 25, "notice level"),
        ("myapp", 50, "żółw 🐢"),
        ("myapp.lib1", 20, "child"),
    ];
    assert_eq!(
        shown,
        expected.map(|(name, level, text)| (name, level, text.to_owned()))
    );
    assert_eq!(records[0].created(), Some(1_795_207_455.847165));
    assert_eq!(
        records[1]
            .get("args_")
            .map(|args| matches!(args, Value::List(_))),
        Some(true)
    );
    assert_eq!(
        (records[2].text("disk"), records[2].text("ip")),
        (Some("/var"), Some("192.168.0.1"))
    );
    assert_eq!(
        records[3].text("exception_name"),
        Some("builtins.ZeroDivisionError")
    );
    assert!(
        records[3]
            .text("exc_text")
            .is_some_and(|text| text.starts_with("Traceback"))
    );
    assert_eq!(records[3].text("pathname"), Some("/srv/app/capture.py"));
    assert_eq!(records[4].level_name().as_deref(), Some("NOTICE"));
}

#[test]
fn rsyslogs_module_is_read_in_every_form_it_sends() {
    let readings = readings("rsyslog-omczmq.jsonl", dialect::named("rsyslog"));
    assert_eq!(readings.len(), 15);
    for (at, (topic, record)) in readings.iter().enumerate() {
        // The default template alone and right behind a topic, JSON, RFC 5424, behind a topic frame.
        let has_topic = [false, true, false, false, true][at / 3];
        let (name, level, message) = match record.level().map(|level| level.0) {
            Some(40) => ("app", 40, "disk full"),
            Some(25) => ("postfix", 25, "caf\\xe9 🐢"),
            _ => ("a-program-with-a-name-longer-tha", 50, "<x>"),
        };
        let shown = record.name().unwrap_or_default();
        assert!(shown.starts_with(name), "{record:?}");
        assert_eq!(record.level(), Some(Level(level)));
        assert_eq!(record.get_message().trim_start(), message);
        assert!(record.created().is_some_and(|created| created > 1.7e9));
        assert_eq!(topic.as_str(), if has_topic { "web" } else { shown });
    }
}
