//! Values are formatted as CPython's `format` formats them: random values and formats.

use std::io::Write;
use std::process::{Command, Stdio};

use logbus_schemas::python::brace::{Part, Template};
use logbus_schemas::{Record, Value, codec};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

fn render(format: &str, value: &Value) -> Option<String> {
    let template = Template::parse(&format!("{{v:{format}}}")).ok()?;
    let [Part::Field(field)] = &template.parts[..] else {
        return None;
    };
    let mut out = String::new();
    field.render(value, &|_| Some(7), &mut out).ok()?;
    Some(out)
}

/// Says what `format(value, spec)` gives, a line a case.
const ORACLE: &str = r#"
import json, sys
for line in sys.stdin:
    case = json.loads(line)
    try:
        print(json.dumps(format(case["v"], case["spec"])))
    except (TypeError, ValueError, OverflowError):
        print("null")
"#;

#[test]
fn values_are_shown_as_python_shows_them() {
    let value = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-2000..2000i32).prop_map(Value::from),
        (-1000..1000i32).prop_map(|n| Value::from(f64::from(n) / 8.0)),
        any::<f64>()
            .prop_filter("finite", |x| x.is_finite())
            .prop_map(Value::from),
        "[ -~\u{e9}]{0,6}".prop_map(Value::from),
        "[1-9][0-9]{20,30}".prop_map(|digits| Value::BigInt(digits.into())),
        Just(Value::Null),
    ];
    let spec = "(([*\u{e9}0]?[<>^=])?[-+ ]?#?0?([0-9]|1[0-9])?[,_]?(\\.[0-9])?[bcdeEfFgGnosxX%]?)";
    let mut runner = TestRunner::deterministic();
    let cases: Vec<(String, Value)> = (0..6000)
        .map(|_| {
            (spec, value.clone())
                .new_tree(&mut runner)
                .unwrap()
                .current()
        })
        .collect();
    let mut input = Vec::new();
    for (spec, value) in &cases {
        let mut case = Record::default();
        case.set("spec", spec.as_str());
        case.set("v", value.clone());
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
    assert_eq!(shown.lines().count(), cases.len());
    let mut fitting = 0;
    for ((spec, value), expected) in cases.iter().zip(shown.lines()) {
        let expected: Option<String> = serde_json::from_str(expected).unwrap();
        fitting += usize::from(expected.is_some());
        assert_eq!(render(spec, value), expected, "format({value:?}, {spec:?})");
    }
    assert!(fitting > 2000, "{fitting}");
}
