//! Formats, held against CPython's own `logging.Formatter`.

use std::io::Write;
use std::process::{Command, Stdio};

use logbus_schemas::codec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::string::string_regex;
use proptest::test_runner::TestRunner;

use super::*;
use crate::config::node::{Entry, Node, Place, Tree};
use crate::config::options::Problems;
use crate::format::FORMATTERS;

/// A formatter as a configuration gives it, or what is wrong with it.
fn formatter(class: &str, given: &[(&str, Tree)]) -> Result<Box<dyn Formatter>, Vec<String>> {
    let mut forms = FORMATTERS.iter().flat_map(|row| row.forms);
    let form = forms.find(|form| form.class == class).unwrap();
    let place = Place::of("x");
    let entries = given.iter().map(|(key, tree)| Entry {
        key: (*key).to_owned(),
        place: place.clone(),
        value: Node::new(place.clone(), tree.clone()),
    });
    let mut problems = Problems::default();
    let mut options = Options::new(
        "f",
        &place,
        entries.collect(),
        form.parameters,
        &mut problems,
    );
    let made = (form.read)(&mut options);
    let is_good = options.finish();
    let said = problems.errors.iter().map(ToString::to_string).collect();
    made.filter(|_| is_good).ok_or(said)
}

fn line(class: &str, given: &[(&str, &str)], record: &Record) -> String {
    let text = |text: &&str| Tree::Text((*text).to_owned());
    let given: Vec<(&str, Tree)> = given
        .iter()
        .map(|(key, value)| (*key, text(value)))
        .collect();
    let mut out = String::new();
    formatter(class, &given).unwrap().format(record, &mut out);
    out
}

#[test]
fn attributes_and_extras_have_their_places_in_every_style() {
    let mut record = Record::new("myapp.db", 30, "pool is %d%% full");
    record.set("args", vec![Value::from(91)]);
    record.set("user", "fred");
    record.set("request", Map::from_iter([("path", "/a")]));
    for (class, format, expected) in [
        (
            "percent",
            "%(levelname)-8s|%(name)s|%(user)r|%(levelno)05d %(message)s",
            "WARNING |myapp.db|'fred'|00030 pool is 91% full",
        ),
        (
            "brace",
            "{levelname:>8}|{user!r:^8}|{request[path]}{request.path}|{args[0]:#x} {{{message:.4}}}",
            " WARNING| 'fred' |/a/a|0x5b {pool}",
        ),
        (
            "dollar",
            "$levelname ${user}s $$ $message",
            "WARNING freds $ pool is 91% full",
        ),
    ] {
        assert_eq!(line(class, &[("format", format)], &record), expected);
    }
}

#[test]
fn what_a_record_does_not_have_is_its_default_or_a_dash() {
    let format = "%(process)5s %(nothing)d %(asctime)s %(user)s";
    let defaults = Map::from_iter([("user", "nobody")]);
    let mut format = PythonFormat::percent(format).unwrap();
    format.defaults = defaults;
    let mut out = String::new();
    format.format(&Record::default(), &mut out);
    assert_eq!(out, "    - - - nobody");
    let shown = line(
        "brace",
        &[("format", "{process:>5} {a[x]} {asctime}")],
        &Record::default(),
    );
    assert_eq!(shown, "    - - -");
}

#[test]
fn a_field_that_its_format_cannot_show_is_shown_as_text() {
    let mut record = Record::new("a", 20, "m");
    record.set("process", "web");
    assert_eq!(
        line("percent", &[("format", "%(process)d")], &record),
        "web"
    );
    assert_eq!(
        line("brace", &[("format", "{process:d}{name:+}")], &record),
        "weba"
    );
}

#[test]
fn times_are_in_the_zone_and_form_that_was_asked_for() {
    let mut record = Record::new("a", 20, "m");
    record.set("created", 1795207453.7225823);
    let shown = |given: &[(&str, &str)]| {
        let given = [&[("format", "%(asctime)s")], given].concat();
        line("logging.Formatter", &given, &record)
    };
    assert_eq!(shown(&[("zone", "UTC")]), "2026-11-20 20:44:13,722");
    assert_eq!(
        shown(&[("converter", "ext://time.gmtime")]),
        "2026-11-20 20:44:13,722"
    );
    assert_eq!(
        shown(&[("zone", "Asia/Tokyo"), ("datefmt", "%a %H:%M %z")]),
        "Sat 05:44 +0900"
    );
    assert_eq!(
        shown(&[
            ("zone", "UTC"),
            ("default_time_format", "%H:%M:%S"),
            ("default_msec_format", "%s.%03d")
        ]),
        "20:44:13.722"
    );
}

#[test]
fn a_bad_format_is_named_with_its_place_and_the_remedy() {
    for (class, key, format, part) in [
        ("percent", "format", "%(name", "without"),
        ("percent", "format", "%s", "without a name"),
        ("percent", "format", "%(a)y", "unknown"),
        ("percent", "format", "100%", "%%"),
        (
            "brace",
            "format",
            "{a",
            "\"{\" without \"}\" at character 0",
        ),
        ("dollar", "format", "$ 5", "a dollar sign as $$"),
        (
            "logging.Formatter",
            "fmt",
            "no field",
            "has no field; write for example %(message)s",
        ),
        ("logging.Formatter", "style", "!", "one of %, {, $"),
        ("logging.Formatter", "zone", "Mars", "no time zone"),
        (
            "logging.Formatter",
            "converter",
            "mytime.f",
            "does not run here",
        ),
    ] {
        let said = formatter(class, &[(key, Tree::Text(format.to_owned()))]).unwrap_err();
        assert!(said.len() == 1 && said[0].contains(part), "{said:?}");
    }
}

/// Formats each record with CPython's formatter, a line a case; `null` where that raises.
const ORACLE: &str = r#"
import json, logging, sys, time
for line in sys.stdin:
    case = json.loads(line)
    record = logging.makeLogRecord(case["record"])
    try:
        formatter = logging.Formatter(
            case["format"], case["datefmt"], case["style"], validate=False, defaults=case["defaults"]
        )
        formatter.converter = time.gmtime
        print(json.dumps(formatter.format(record)))
    except (TypeError, ValueError, KeyError, OverflowError, AttributeError, IndexError):
        print("null")
"#;

fn text() -> impl Strategy<Value = Value> {
    "[ -~\u{e9}\u{17c}\n]{0,8}".prop_map(Value::from)
}

fn record() -> impl Strategy<Value = Record> {
    let extra = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1000..1000i32).prop_map(|n| Value::from(f64::from(n) / 8.0)),
        text(),
        proptest::collection::vec((-9..9i64).prop_map(Value::from), 0..3).prop_map(Value::List),
    ];
    let below = proptest::option::weighted(0.2, "[a-z\n]{0,9}");
    (
        "[a-c]{1,3}(\\.[a-c]{1,3})?",
        0..60i64,
        text(),
        0..4_000_000_000u64,
        extra,
        below.clone(),
        below,
    )
        .prop_map(|(name, level, msg, created, extra, exc_text, stack)| {
            let mut record = Record::new(&name, level, "");
            record.set("msg", msg);
            record.set("args", Value::Null);
            let created = created as f64 + 0.25;
            record.set("created", created);
            record.set("msecs", 250.0);
            record.set("lineno", 7);
            record.set("exc_info", Value::Null);
            record.set("x", extra);
            for (key, text) in [("exc_text", exc_text), ("stack_info", stack)] {
                record.set(
                    key,
                    text.map_or(Value::Null, |text| Value::from(text.as_str())),
                );
            }
            record
        })
}

const NAMES: &str = "(name|levelname|levelno|message|asctime|lineno|x|d|created|exc_info|missing)";

#[test]
fn records_are_formatted_as_python_formats_them() {
    let percent = format!(
        "([a-z ]{{0,2}}(%%)?%\\({NAMES}\\)[-+ #0]?([0-9]|1[0-9])?(\\.[0-9])?[diouxXeEfgcrsa]){{0,3}}[a-z]?"
    );
    let brace = format!(
        "([a-z ]{{0,2}}\\{{{NAMES}(\\[0\\])?(![rsa])?(:[*]?[<>^]?[+]?#?0?([0-9]|1[0-9])?,?(\\.[0-9])?[dxefgs%]?)?\\}}){{0,3}}"
    );
    let dollar = format!("([a-z ]{{0,2}}(\\${NAMES}|\\$\\{{{NAMES}\\}}|\\$\\$)){{0,3}}");
    let format = prop_oneof![
        string_regex(&percent)
            .unwrap()
            .prop_map(|format| ("%", format)),
        string_regex(&brace)
            .unwrap()
            .prop_map(|format| ("{", format)),
        string_regex(&dollar)
            .unwrap()
            .prop_map(|format| ("$", format)),
    ];
    let datefmt = proptest::option::of("(%[YmdHMSjaAbByp] ?){1,3}");
    let mut runner = TestRunner::deterministic();
    let cases: Vec<((&str, String), Option<String>, Record)> = (0..4000)
        .map(|_| {
            let case = (format.clone(), datefmt.clone(), record());
            case.new_tree(&mut runner).unwrap().current()
        })
        .collect();
    let mut input = Vec::new();
    for ((style, format), datefmt, record) in &cases {
        let mut case = Record::default();
        case.set("style", *style);
        case.set("format", format.as_str());
        case.set(
            "datefmt",
            datefmt.as_deref().map_or(Value::Null, Value::from),
        );
        case.set("defaults", Map::from_iter([("d", "default")]));
        case.set("record", Value::from(record.clone()));
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
    let answers = String::from_utf8(output.stdout).unwrap();
    assert_eq!(answers.lines().count(), cases.len());
    let mut shown_by_both = 0;
    for (((style, format), datefmt, record), expected) in cases.iter().zip(answers.lines()) {
        let expected: Option<String> = serde_json::from_str(expected).unwrap();
        let defaults = Node::new(Place::default(), Tree::Text("default".to_owned()));
        let mut all_defaults = Node::default();
        all_defaults.set("d", defaults);
        let mut given = vec![
            ("format", Tree::Text(format.clone())),
            ("style", Tree::Text((*style).to_owned())),
            ("zone", Tree::Text("UTC".to_owned())),
            ("validate", Tree::Bool(false)),
            ("defaults", all_defaults.tree),
        ];
        given.extend(
            datefmt
                .clone()
                .map(|datefmt| ("datefmt", Tree::Text(datefmt))),
        );
        let made = formatter("logging.Formatter", &given);
        let Some(expected) = expected else {
            continue;
        };
        let mut out = String::new();
        made.unwrap().format(record, &mut out);
        shown_by_both += 1;
        assert_eq!(out, expected, "{style} {format:?} {datefmt:?} {record:?}");
    }
    assert!(shown_by_both > 1500, "{shown_by_both}");
}
