//! Pickles that CPython makes are read as what they are, in every protocol.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::io::Write;
use std::process::{Command, Stdio};

use logbus_schemas::codec::{JSON, pickle};
use logbus_schemas::{Record, Value};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Pickles each JSON value it is given, by each protocol and both of CPython's picklers.
const PICKLER: &str = r#"
import json, pickle, sys
for line in sys.stdin:
    value = json.loads(line)["v"]
    for protocol in range(6):
        print(pickle.dumps(value, protocol).hex(), pickle._dumps(value, protocol).hex())
"#;

/// Pickles what is no JSON, and says what it is to be read as.
const OBJECTS: &str = r#"
import collections, datetime, decimal, enum, json, pathlib, pickle, sys, uuid

class Custom:
    def __init__(self): self.secret = 1
class Slotted:
    __slots__ = ("a",)
    def __init__(self): self.a = 1
class Subclass(dict): pass
Point = collections.namedtuple("Point", "x y")
Colour = enum.Enum("Colour", "RED")
shared = ["once"]

cases = [
    ((1, (2, 3), ()), [1, [2, 3], []]),
    ({"s": {7}, "f": frozenset({8}), "e": set()}, {"s": [7], "f": [8], "e": []}),
    ({1: "a", None: "b", 2.5: "c", True: "d"}, {"1": "d", "null": "b", "2.5": "c"}),
    ([shared, shared], [["once"], ["once"]]),
    (collections.OrderedDict([("b", 1), ("a", 2)]), {"b": 1, "a": 2}),
    (collections.defaultdict(list, {"k": [1]}), {"k": [1]}),
    (collections.Counter("aab"), {"a": 2, "b": 1}),
    (decimal.Decimal("1.50"), "1.50"),
    (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    (uuid.UUID(int=2**128 - 1), "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    (pathlib.PurePosixPath("/srv/a b/c"), "/srv/a b/c"),
    (pathlib.PurePosixPath("a/b"), "a/b"),
    (datetime.date(2026, 2, 28), "2026-02-28"),
    (datetime.datetime(2026, 11, 20, 21, 43, 21, 245069), "2026-11-20 21:43:21.245069"),
    (datetime.datetime(2026, 11, 20, 21, 43, 21, fold=1), "2026-11-20 21:43:21"),
    (datetime.timedelta(1, 7384, 5), "1 day, 2:03:04.000005"),
    (datetime.timedelta(-2), "-2 days, 0:00:00"),
    (datetime.timezone.utc, "UTC"),
    (Custom(), "<__main__.Custom object>"),
    (Subclass(a=1), "<__main__.Subclass object>"),
    (Point(1, 2), "<__main__.Point object>"),
    (Colour.RED, "<__main__.Colour object>"),
    (ValueError("bad"), "<builtins.ValueError object>"),
    (Custom, "<__main__.Custom>"),
    (len, "<builtins.len>"),
    ("lone \ud800", "lone \\ud800"),
]
for offset in 0, 60, -90, 1439:
    zone = datetime.timezone(datetime.timedelta(minutes=offset))
    time = datetime.datetime(2026, 11, 20, 21, 43, 21, 5, zone)
    cases += [(zone, str(zone)), (time, str(time))]
named = datetime.timezone(datetime.timedelta(hours=1), "CET")
cases.append((datetime.datetime(2026, 11, 20, tzinfo=named), "2026-11-20 00:00:00 CET"))
for value, expected in cases:
    for protocol in range(6):
        for dump in pickle.dumps, pickle._dumps:
            print(dump(value, protocol).hex(), json.dumps({"v": expected}))
print(pickle.dumps(Slotted(), 2).hex(), json.dumps({"v": "<__main__.Slotted object>"}))
for protocol in range(6):
    print(pickle.dumps(b"\x00\xff'", protocol).hex(), "bytes")
    print(pickle.dumps(bytearray(b"\x00\xff'"), protocol).hex(), "bytes")
    print(pickle.dumps(b"", protocol).hex(), "no bytes")
"#;

fn run_python(script: &str, input: Vec<u8>) -> String {
    let mut python = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).unwrap() as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-300..70_000i32).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~\u{e9}\u{17c}\u{1f422}\n\r\t'\"\\\\\u{0}\u{1a}]{0,9}".prop_map(Value::from),
        "-?[1-9][0-9]{20,60}".prop_map(|digits| Value::BigInt(digits.into())),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            proptest::collection::vec(("[a-c\u{17c}]{0,2}", inner), 0..5)
                .prop_map(|pairs| Value::Map(pairs.into_iter().collect())),
        ]
    })
}

#[test]
fn what_python_pickles_is_read_as_what_it_was() {
    let mut runner = TestRunner::deterministic();
    let cases: Vec<Value> = (0..500)
        .map(|_| any_value().new_tree(&mut runner).unwrap().current())
        .collect();
    let mut input = Vec::new();
    for value in &cases {
        let mut case = Record::default();
        case.set("v", value.clone());
        JSON.encode(&case, &mut input);
    }
    let output = run_python(PICKLER, input);
    let mut lines = output.lines();
    for value in &cases {
        for protocol in 0..6 {
            for pickled in lines.next().unwrap().split(' ') {
                let read = pickle::decode(&unhex(pickled));
                assert_eq!(read.as_ref(), Ok(value), "protocol {protocol}: {pickled}");
            }
        }
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn objects_are_described_and_the_plain_ones_read() {
    let output = run_python(OBJECTS, Vec::new());
    for line in output.lines() {
        let (pickled, expected) = line.split_once(' ').unwrap();
        let expected = match expected {
            "bytes" => Value::Bytes(b"\x00\xff'".as_slice().into()),
            "no bytes" => Value::Bytes(Box::default()),
            json => JSON
                .decode(json.as_bytes())
                .unwrap()
                .get("v")
                .unwrap()
                .clone(),
        };
        let read = pickle::decode(&unhex(pickled));
        assert_eq!(read.as_ref(), Ok(&expected), "{pickled}");
    }
}
