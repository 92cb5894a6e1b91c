//! What every filter promises, held against every row of [`FILTERS`], and what each is for.

use logbus_schemas::{Record, Topic, Value};

use super::*;
use crate::config::node::{Entry, Node, Place};
use crate::config::options::{Options, Problems};

/// A filter as a configuration gives it, from YAML.
fn filter(class: &str, yaml: &str) -> Result<Box<dyn Filter>, Vec<String>> {
    let mut forms = FILTERS.iter().flat_map(|row| row.forms);
    let form = forms.find(|form| form.class == class).unwrap();
    let node: Node = crate::config::read_yaml(yaml);
    let entries: Vec<Entry> = node.entries().unwrap_or(&[]).to_vec();
    let mut problems = Problems::default();
    let place = Place::of("x");
    let mut options = Options::new("f", &place, entries, form.parameters, &mut problems);
    let made = (form.read)(&mut options);
    let is_good = options.finish();
    let said = problems.errors.iter().map(ToString::to_string).collect();
    made.filter(|_| is_good).ok_or(said)
}

fn delivered(record: Record) -> Arc<Delivered> {
    Arc::new(Delivered {
        record,
        topic: Topic::new("a").unwrap(),
        origin: None,
        sender: None,
        offset: None,
        received: 0,
    })
}

fn passes(class: &str, yaml: &str, record: &Record) -> bool {
    let mut filter = filter(class, yaml).unwrap();
    filter.pass(&mut delivered(record.clone()), 0, &mut Vec::new())
}

/// A usable configuration of each row.
const USUAL: &[(&str, &str)] = &[
    ("subtree", "name: a"),
    ("level", "max: WARNING"),
    ("regex", "pattern: a+"),
    ("field", "{field: n, equals: 1}"),
    ("expression", "where: level >= warn"),
    ("rate", "{records: 2, per: 1s}"),
    ("repeat", "window: 5s"),
    ("add-fields", "fields: {env: prod}"),
];

#[test]
fn every_row_has_a_name_of_its_own_and_takes_odd_records() {
    let rows: Vec<&str> = FILTERS.iter().map(|row| row.name).collect();
    assert_eq!(
        rows,
        USUAL.iter().map(|(name, _)| *name).collect::<Vec<_>>()
    );
    let mut nested = Record::new("a", i64::MIN, "%d");
    nested.set("args", vec![Value::from("x")]);
    nested.set("n", logbus_schemas::Map::from_iter([("n", f64::NAN)]));
    for (name, yaml) in USUAL {
        let mut filter = filter(name, yaml).unwrap();
        for record in [Record::default(), nested.clone(), Record::new("\0", 99, "")] {
            for now in [u64::MAX, 0] {
                filter.pass(&mut delivered(record.clone()), now, &mut Vec::new());
                filter.tick(now, &mut Vec::new());
            }
        }
    }
}

#[test]
fn what_is_let_through_and_what_is_held_back_is_everything() {
    for (name, yaml) in USUAL
        .iter()
        .filter(|(name, _)| ["rate", "repeat"].contains(name))
    {
        let first = filter(name, yaml).unwrap();
        // One for another place remembers nothing of this one.
        for mut filter in [first.again(), first] {
            let (mut passed, mut notices) = (0, Vec::new());
            for at in 0..10_000_u64 {
                let name = format!("a.{}", at % 7);
                let mut record = delivered(Record::new(&name, 20, "again"));
                passed += u64::from(filter.pass(&mut record, at * 9_000_000, &mut notices));
            }
            filter.tick(u64::MAX, &mut notices);
            let held_back: u64 = notices
                .iter()
                .map(|notice| match notice {
                    Notice::HeldBack { records, .. } => *records,
                    other => panic!("{other}"),
                })
                .sum();
            assert!(passed > 0 && held_back > 0, "{name}");
            assert_eq!(passed + held_back, 10_000, "{name}");
        }
    }
}

#[test]
fn more_keys_than_can_be_remembered_cost_no_count() {
    let mut filter = filter("repeat", "window: 1000d").unwrap();
    let (mut passed, mut held_back) = (0, 0);
    let mut notices = Vec::new();
    for at in 0..30_000_u64 {
        let record = Record::new("a", 20, &format!("{}", at / 2));
        passed += u64::from(filter.pass(&mut delivered(record), at, &mut notices));
    }
    filter.tick(u64::MAX, &mut notices);
    for notice in &notices {
        if let Notice::HeldBack { records, .. } = notice {
            held_back += records;
        }
    }
    assert_eq!((passed, held_back), (15_000, 15_000));
}

#[test]
fn subtrees_are_pythons() {
    for (filter, name, expected) in [
        ("a.b", "a.b", true),
        ("a.b", "a.b.c", true),
        ("a.b", "a.bc", false),
        ("a.b", "a", false),
        ("", "x", true),
    ] {
        let yaml = format!("name: '{filter}'");
        let passed = passes("logging.Filter", &yaml, &Record::new(name, 20, "m"));
        assert_eq!(passed, expected, "{filter} {name}");
    }
}

#[test]
fn levels_texts_and_fields_are_compared() {
    let mut record = Record::new("a", 30, "GET %s");
    record.set("args", vec![Value::from("/orders")]);
    record.set("status", 503);
    for (class, yaml, expected) in [
        ("level", "max: WARNING", true),
        ("level", "min: 31", false),
        ("regex", "pattern: '/ord.rs$'", true),
        ("regex", "{pattern: GET, invert: true}", false),
        ("regex", "{pattern: '^5', field: status}", true),
        ("regex", "{pattern: '', field: none}", false),
        ("field", "{field: status, equals: 503}", true),
        ("field", "{field: status, one_of: [200, 204]}", false),
        ("field", "{field: status, above: 499, below: 600}", true),
        ("field", "{field: user, exists: false}", true),
        ("field", "{field: user, below: 9}", false),
    ] {
        assert_eq!(passes(class, yaml, &record), expected, "{class} {yaml}");
    }
}

#[test]
fn added_fields_are_seen_behind_and_nowhere_else() {
    let mut filter = filter("add-fields", "fields: {env: prod, name: x}").unwrap();
    let original = delivered(Record::new("a", 20, "m"));
    let mut changed = original.clone();
    assert!(filter.pass(&mut changed, 0, &mut Vec::new()));
    assert_eq!(changed.record.text("env"), Some("prod"));
    assert_eq!(changed.record.name(), Some("a"));
    assert_eq!(original.record.get("env"), None);
}

#[test]
fn what_is_held_back_is_said_in_words() {
    let mut rate = filter("rate", "{records: 1, per: 2s, by: [name]}").unwrap();
    let mut notices = Vec::new();
    for now in [0, 1, 2, 3_000_000_000] {
        rate.pass(
            &mut delivered(Record::new("db", 20, "m")),
            now,
            &mut notices,
        );
    }
    assert_eq!(
        notices[0].to_string(),
        "2 records held back: more than 1 in 2 s of db"
    );
    let mut repeat = filter("repeat", "window: 1s").unwrap();
    let mut notices = Vec::new();
    for now in [0, 1, 2] {
        repeat.pass(
            &mut delivered(Record::new("db", 40, "refused")),
            now,
            &mut notices,
        );
    }
    repeat.tick(1_000_000_000, &mut notices);
    assert_eq!(
        notices[0].to_string(),
        "2 records held back: the same as \"refused\" of db"
    );
}

#[test]
fn a_bad_option_is_named() {
    for (class, yaml, part) in [
        ("level", "{}", "min or max is missing"),
        (
            "regex",
            "pattern: '('",
            "f.pattern: \"(\" is no regular expression: unclosed group",
        ),
        ("regex", "{}", "pattern is missing"),
        (
            "field",
            "field: a",
            "equals, one_of, exists, above or below is missing",
        ),
        ("rate", "records: 0", "at least one record"),
        ("repeat", "widow: 1s", "did you mean \"window\"?"),
    ] {
        let said = filter(class, yaml).unwrap_err();
        assert!(
            said.iter().any(|said| said.contains(part)),
            "{class} {yaml}: {said:?}"
        );
    }
}
