//! Messages are rendered as CPython renders them: random templates and arguments, both ways.

use std::io::Write;
use std::process::{Command, Stdio};

use logbus_schemas::{Record, Value, codec};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Renders as `LogRecord.getMessage` does and says what came of it, a line a case.
const ORACLE: &str = r#"
import json, logging, sys
for line in sys.stdin:
    case = json.loads(line)
    args = case["args"]
    args = tuple(args) if isinstance(args, list) else args
    try:
        print(json.dumps(logging.LogRecord("a", 20, "f", 1, case["msg"], args, None).getMessage()))
    except (TypeError, ValueError, KeyError, OverflowError):
        print("null")
"#;

fn args() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-300..300i32).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-1000..1000i32).prop_map(|n| Value::from(f64::from(n) / 8.0)),
        "[ -~\u{e9}\u{17c}\n\t'\"]{0,6}".prop_map(Value::from),
        "[1-9][0-9]{20,30}".prop_map(|digits| Value::BigInt(digits.into())),
    ];
    let nested = leaf.prop_recursive(2, 6, 3, |inner| {
        proptest::collection::vec(inner, 0..3).prop_map(Value::List)
    });
    proptest::collection::vec(nested, 0..3).prop_map(Value::List)
}

#[test]
fn messages_are_what_python_would_have_shown() {
    let template = "([a-z ]{0,3}%[-+ #0]{0,2}([0-9]|1[0-9])?(\\.[0-9])?[diouxXeEfFgGcrsa%]){0,3}";
    let mut runner = TestRunner::deterministic();
    let cases: Vec<(String, Value)> = (0..3000)
        .map(|_| (template, args()).new_tree(&mut runner).unwrap().current())
        .collect();
    let mut input = Vec::new();
    for (msg, args) in &cases {
        let mut case = Record::default();
        case.set("msg", msg.as_str());
        case.set("args", args.clone());
        codec::JSON.encode(&case, &mut input);
    }
    let mut python = Command::new("python3")
        .args(["-c", ORACLE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let mut fitting = 0;
    for ((msg, args), expected) in cases.iter().zip(shown.lines()) {
        let mut record = Record::default();
        record.set("msg", msg.as_str());
        record.set("args", args.clone());
        let rendered = record.get_message();
        match serde_json::from_str::<Option<String>>(expected).unwrap() {
            Some(expected) => {
                fitting += 1;
                assert_eq!(rendered, expected, "{msg:?} % {args:?}");
            }
            None => assert!(
                rendered.starts_with(msg.as_str()),
                "{msg:?} % {args:?}: {rendered}"
            ),
        }
    }
    assert_eq!(shown.lines().count(), cases.len());
    assert!(fitting > 300, "only {fitting} cases fit their arguments");
}
