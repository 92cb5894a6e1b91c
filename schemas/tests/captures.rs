//! Stock senders' messages read as the records that were logged.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;
use std::path::Path;

use logbus_schemas::reject::Reject;
use logbus_schemas::{Level, Map, Record, Value, codec};

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
    let messages = messages(name);
    assert_eq!(messages.len(), LOGGED.len());
    let records: Vec<Record> = messages
        .iter()
        .map(|frames| {
            assert_eq!(frames.len(), 1);
            codec::JSON.decode(&frames[0]).unwrap()
        })
        .collect();

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
    let traceback = records[3].get_message();
    assert!(traceback.starts_with("computing ratio failed\nTraceback (most recent call last):\n"));
    assert!(traceback.ends_with("\nZeroDivisionError: division by zero"));
    assert!(
        records[4]
            .get_message()
            .starts_with("with stack\nStack (most recent call last):\n")
    );
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

#[test]
fn text_messages_are_two_frames_and_no_dicts() {
    let messages = messages("pyzmq-pubhandler.jsonl");
    assert_eq!(messages.len(), 10);
    for frames in messages {
        assert_eq!(frames.len(), 2);
        assert!(frames[0].starts_with(b"myapp."));
        assert!(
            codec::CODECS
                .iter()
                .all(|codec| codec.decode(&frames[1]).is_err())
        );
    }
}
