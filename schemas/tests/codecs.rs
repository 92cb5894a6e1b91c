//! What holds for both codecs and any record: it survives, any bytes are a record or an error, and
//! Python reads the same from our JSON.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::io::Write;
use std::process::{Command, Stdio};

use logbus_schemas::codec::{self, CODECS, Codec, CodecErrorKind};
use logbus_schemas::{Map, Record, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "(?s).{0,12}",
        "[a-z]{20,40}",
        "(?s)[\\x00-\\x20\"\\\\/é☃🐢]{0,12}",
        "\\\\u[d-f][0-9a-f]{3}",
    ]
}

/// Values that JSON and msgpack both have. An integer stands in its smallest variant, as `Value`
/// promises; a BigInt made from digits that fit would rightly come back as another variant.
fn plain() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-200..70_000_i64).prop_map(Value::from),
        ((1 << 63)..=u64::MAX).prop_map(Value::UInt),
        "-?[1-9][0-9]{20,60}".prop_map(|digits| Value::BigInt(digits.into())),
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
        any::<i32>().prop_map(|n| Value::Float(f64::from(n) / 8.0)),
        prop::sample::select(vec![
            -0.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e16,
            1e-5
        ])
        .prop_map(Value::Float),
        text().prop_map(Value::from),
    ]
}

/// Bytes and extensions, which only msgpack has: JSON writes them as text, and text they stay.
/// Extension 1 is left out because digits in it are an integer.
fn binary() -> impl Strategy<Value = Value> {
    let bytes = || vec(any::<u8>(), 0..40).prop_map(Vec::into_boxed_slice);
    let kind = any::<i8>().prop_filter("integers have extension 1", |kind| *kind != 1);
    prop_oneof![
        bytes().prop_map(Value::Bytes),
        (kind, bytes()).prop_map(|(kind, bytes)| Value::Ext(kind, bytes)),
    ]
}

fn record(leaf: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Record> {
    record_of(leaf, 40, 30)
}

/// A record of at most so many keys, each with at most so many values in its value.
fn record_of(
    leaf: impl Strategy<Value = Value> + 'static,
    keys: usize,
    values: u32,
) -> impl Strategy<Value = Record> {
    let key = || {
        prop_oneof![
            text(),
            prop::sample::select(logbus_schemas::record::ATTRIBUTES).prop_map(str::to_owned)
        ]
    };
    let value = leaf.prop_recursive(5, values, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((key(), inner), 0..6).prop_map(|pairs| Map::from_iter(pairs).into()),
        ]
    });
    vec((key(), value), 0..=keys).prop_map(|pairs| Record::from(Map::from_iter(pairs)))
}

fn encoded(codec: Codec, record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec.encode(record, &mut bytes);
    bytes
}

proptest! {
    #[test]
    fn every_record_survives_json(record in record(plain())) {
        prop_assert_eq!(codec::JSON.decode(&encoded(codec::JSON, &record)), Ok(record));
    }

    #[test]
    fn every_record_survives_msgpack(record in record(prop_oneof![3 => plain(), 1 => binary()])) {
        prop_assert_eq!(codec::MSGPACK.decode(&encoded(codec::MSGPACK, &record)), Ok(record));
    }

    #[test]
    fn a_payload_of_records_reads_as_those_records(records in vec(record(plain()), 0..5)) {
        for codec in CODECS {
            let mut payload = Vec::new();
            records.iter().for_each(|record| codec.encode(record, &mut payload));
            let read: Result<Vec<_>, _> = codec.decode_all(&payload).collect();
            prop_assert_eq!(read.as_deref(), Ok(records.as_slice()));
        }
    }

    #[test]
    fn what_json_writes_of_anything_is_one_line_that_it_reads(
        record in record(prop_oneof![plain(), binary()])
    ) {
        let line = encoded(codec::JSON, &record);
        prop_assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
        prop_assert!(codec::JSON.decode(&line).is_ok());
    }

    #[test]
    fn any_bytes_are_a_record_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        for codec in CODECS {
            if let Err(error) = codec.decode(&bytes) {
                prop_assert!(error.at <= bytes.len());
            }
        }
    }

    #[test]
    fn any_tokens_are_a_record_or_an_error(
        tokens in vec(prop::sample::select(
            vec!["{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\\u", "d800", "-", "1", ".5", "e9",
                 "NaN", "Inf", "inity", "nul", "l", "true", " ", "\n", "\u{e9}"]), 0..30)
    ) {
        let bytes = format!("{{\"a\":{}", tokens.concat());
        if let Ok(record) = codec::JSON.decode(bytes.as_bytes()) {
            prop_assert_eq!(codec::JSON.decode(&encoded(codec::JSON, &record)), Ok(record));
        }
    }

    #[test]
    fn a_record_with_a_changed_byte_is_a_record_or_an_error(
        record in record(prop_oneof![plain(), binary()]), at: prop::sample::Index, byte: u8,
    ) {
        for codec in CODECS {
            let mut bytes = encoded(*codec, &record);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(record) = codec.decode(&bytes) {
                prop_assert!(codec.decode(&encoded(*codec, &record)).is_ok());
            }
        }
    }

    #[test]
    fn a_record_that_is_cut_short_anywhere_is_truncated(
        record in record_of(prop_oneof![plain(), binary()], 4, 6)
    ) {
        for codec in CODECS {
            let bytes = encoded(*codec, &record);
            // The line feed behind a JSON object may be missing.
            let whole = bytes.len() - usize::from(*codec == codec::JSON);
            for length in 0..whole {
                let error = codec.decode(&bytes[..length]).map_err(|error| error.kind);
                prop_assert_eq!(error, Err(CodecErrorKind::Truncated), "{} of {:?}", length, codec);
            }
        }
    }
}

#[test]
fn python_reads_our_json_and_writes_the_same_bytes_of_it() {
    const SCRIPT: &str = "
import json, sys
for line in sys.stdin.buffer.read().split(b'\\n')[:-1]:
    text = json.dumps(json.loads(line), ensure_ascii=False, separators=(',', ':'))
    sys.stdout.buffer.write(text.encode() + b'\\n')
";
    let lines: Vec<u8> = some_records()
        .iter()
        .flat_map(|record| encoded(codec::JSON, record))
        .collect();
    let answer = answer_of_python(SCRIPT, &lines);
    for (ours, theirs) in lines
        .split(|b| *b == b'\n')
        .zip(answer.split(|b| *b == b'\n'))
    {
        assert_eq!(
            String::from_utf8_lossy(theirs),
            String::from_utf8_lossy(ours)
        );
    }
    assert_eq!(answer.len(), lines.len());
}

#[test]
fn we_read_what_pythons_json_writes_by_default() {
    const SCRIPT: &str = "
import json, sys
for line in sys.stdin.buffer.read().split(b'\\n')[:-1]:
    print(json.dumps(json.loads(line)))
";
    let records = some_records();
    let lines: Vec<u8> = records
        .iter()
        .flat_map(|record| encoded(codec::JSON, record))
        .collect();
    let answer = answer_of_python(SCRIPT, &lines);
    let read: Result<Vec<Record>, _> = codec::JSON.decode_all(&answer).collect();
    assert_eq!(read, Ok(records));
}

/// The same records in each run.
fn some_records() -> Vec<Record> {
    let mut runner = TestRunner::deterministic();
    let strategy = record(plain());
    (0..300)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

fn answer_of_python(script: &str, input: &[u8]) -> Vec<u8> {
    let mut python = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    // Python reads all before it answers, so that neither waits for the other.
    stdin.write_all(input).unwrap();
    drop(stdin);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}
