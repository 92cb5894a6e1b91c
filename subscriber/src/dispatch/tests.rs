//! The tree of loggers, held against CPython's own.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use logbus_schemas::{Record, Topic, Value, codec};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::handler::{Fault, Handler};
use crate::item::{Delivered, Notice};
use crate::lane::{Config, Lanes};

/// Remembers which records it got.
struct Memo(String, Arc<Mutex<Vec<i64>>>);

impl Handler for Memo {
    fn name(&self) -> &str {
        &self.0
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        for item in batch {
            self.1.lock().unwrap().push(match item {
                Item::Record(delivered) => delivered.record.get("n").unwrap().as_i64().unwrap(),
                Item::Notice(_) => -1,
            });
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

/// What each of so many handlers gets of a stream, and what none gets.
fn delivered(
    handlers: usize,
    root: Logger,
    loggers: Vec<(String, Logger)>,
    mut items: Vec<Item>,
) -> (Vec<Vec<i64>>, Undelivered) {
    let say: crate::handler::Say = Arc::new(|_| {});
    let (mut lanes, mut outlets, mut seen) = (Lanes::new(&say), Vec::new(), Vec::new());
    for at in 0..handlers {
        let memo = Arc::<Mutex<Vec<i64>>>::default();
        seen.push(memo.clone());
        let handler: Box<dyn Handler> = Box::new(Memo(format!("h{at}"), memo));
        outlets.push(lanes.start(Config::from(handler), None).unwrap());
    }
    let mut dispatcher = Dispatcher::new(root, loggers, outlets);
    dispatcher.dispatch(&mut items, 0);
    let undelivered = dispatcher.undelivered();
    drop(dispatcher);
    lanes.close();
    let seen = seen.iter().map(|seen| seen.lock().unwrap().clone());
    (seen.collect(), undelivered)
}

fn record(name: &str, level: i64, n: i64) -> Item {
    let mut record = Record::new(name, level, "m");
    record.set("n", n);
    Item::Record(Arc::new(Delivered {
        record,
        topic: Topic::new("a").unwrap(),
        origin: None,
        sender: None,
        offset: None,
        received: 0,
    }))
}

/// A tree and records, as both sides are given them.
#[derive(Debug, Clone)]
struct Case {
    root: (i64, Vec<usize>),
    loggers: Vec<(String, i64, Vec<usize>, bool)>,
    records: Vec<(String, i64)>,
}

const HANDLERS: usize = 4;

/// Builds each tree with dictConfig and says which handler got which record, a line a case. What
/// would come from the handler of last resort does not count: logsub has none.
const ORACLE: &str = r#"
import json, logging, logging.config, sys

made = []

class Memo(logging.Handler):
    def __init__(self):
        super().__init__()
        self.seen = []
        made.append(self)
    def emit(self, record):
        self.seen.append(record.n)

logging.lastResort = None
logging.raiseExceptions = False
for line in sys.stdin:
    case = json.loads(line)
    for name in list(logging.root.manager.loggerDict):
        del logging.root.manager.loggerDict[name]
    config = {"version": 1, "disable_existing_loggers": False}
    config["handlers"] = {f"h{n}": {"class": "__main__.Memo"} for n in range(case["handlers"])}
    named = lambda numbers: [f"h{n}" for n in numbers]
    config["root"] = {"level": case["root"][0], "handlers": named(case["root"][1])}
    config["loggers"] = {
        name: {"level": level, "handlers": named(numbers), "propagate": propagate}
        for name, level, numbers, propagate in case["loggers"]
    }
    made.clear()
    logging.config.dictConfig(config)
    for n, (name, level) in enumerate(case["records"]):
        logging.getLogger(name).log(level, "m", extra={"n": n})
    print(json.dumps([handler.seen for handler in made]))
"#;

fn case() -> impl Strategy<Value = Case> {
    let name = "(a|b|root)(\\.(a|b)){0,3}";
    let level = prop_oneof![Just(0i64), Just(10), Just(20), Just(25), Just(30), Just(50)];
    let numbers = proptest::sample::subsequence((0..HANDLERS).collect::<Vec<_>>(), 0..=2);
    let logger = (name, level.clone(), numbers.clone(), any::<bool>());
    (
        (level.clone(), numbers),
        proptest::collection::vec(logger, 0..5),
        // Python makes no records of level 0; those that other senders make are above none.
        proptest::collection::vec((name, 1..60i64), 0..12),
    )
        .prop_map(|(root, mut loggers, records)| {
            loggers.retain(|(name, ..)| name != "root");
            loggers.sort();
            loggers.dedup_by(|a, b| a.0 == b.0);
            Case {
                root,
                loggers,
                records,
            }
        })
}

impl Case {
    fn to_json(&self) -> Vec<u8> {
        let numbers = |numbers: &[usize]| {
            let numbers = numbers.iter().map(|n| Value::from(*n as i64));
            Value::List(numbers.collect())
        };
        let list = |items: Vec<Value>| Value::List(items);
        let loggers = self
            .loggers
            .iter()
            .map(|(name, level, handlers, propagate)| {
                let name = Value::from(name.as_str());
                list(vec![
                    name,
                    (*level).into(),
                    numbers(handlers),
                    (*propagate).into(),
                ])
            });
        let records = self.records.iter();
        let records =
            records.map(|(name, level)| list(vec![Value::from(name.as_str()), (*level).into()]));
        let mut case = Record::default();
        case.set("handlers", HANDLERS as i64);
        case.set(
            "root",
            list(vec![self.root.0.into(), numbers(&self.root.1)]),
        );
        case.set("loggers", loggers.collect::<Vec<_>>());
        case.set("records", records.collect::<Vec<_>>());
        let mut bytes = Vec::new();
        codec::JSON.encode(&case, &mut bytes);
        bytes
    }

    fn delivered(&self) -> Vec<Vec<i64>> {
        let logger = |level: i64, handlers: &[usize], propagate| Logger {
            level: Some(Level(level)),
            handlers: handlers.to_vec(),
            propagate,
            ..Logger::default()
        };
        let loggers = self.loggers.iter();
        let loggers = loggers.map(|(name, level, handlers, propagate)| {
            (name.clone(), logger(*level, handlers, *propagate))
        });
        let records = self.records.iter().enumerate();
        let records = records.map(|(n, (name, level))| record(name, *level, n as i64));
        let root = logger(self.root.0, &self.root.1, true);
        delivered(HANDLERS, root, loggers.collect(), records.collect()).0
    }
}

#[test]
fn a_record_goes_where_python_would_have_taken_it() {
    let mut runner = TestRunner::deterministic();
    let cases: Vec<Case> = (0..300)
        .map(|_| case().new_tree(&mut runner).unwrap().current())
        .collect();
    let input: Vec<u8> = cases.iter().flat_map(Case::to_json).collect();
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
    for (case, answer) in cases.iter().zip(answers.lines()) {
        let expected: Vec<Vec<i64>> = serde_json::from_str(answer).unwrap();
        assert_eq!(case.delivered(), expected, "{case:?}");
    }
}

#[test]
fn what_no_handler_wants_is_counted_and_notices_go_to_all() {
    let root = Logger {
        level: Some(Level::WARNING),
        ..Logger::default()
    };
    let quiet = Logger {
        handlers: vec![0],
        disabled: true,
        ..Logger::default()
    };
    let loud = Logger {
        handlers: vec![1],
        ..Logger::default()
    };
    let loggers = vec![("quiet".to_owned(), quiet), ("loud".to_owned(), loud)];
    let items = vec![
        record("other", 20, 0),
        record("other", 40, 1),
        record("quiet", 40, 2),
        record("quiet.child", 40, 3),
        record("loud", 40, 4),
        Item::Notice(Notice::Behind { records: 1 }),
    ];
    let (seen, undelivered) = delivered(2, root, loggers, items);
    assert_eq!(seen, [vec![3, -1], vec![4, -1]]);
    let expected = Undelivered {
        filtered: 2,
        unhandled: 1,
    };
    assert_eq!(undelivered, expected);
}

#[test]
fn a_record_without_a_level_is_below_none() {
    let root = Logger {
        level: Some(Level::CRITICAL),
        handlers: vec![0],
        ..Logger::default()
    };
    let Item::Record(mut nameless) = record("a", 0, 7) else {
        unreachable!();
    };
    Arc::get_mut(&mut nameless).unwrap().record = Record::default();
    Arc::get_mut(&mut nameless).unwrap().record.set("n", 7);
    let (seen, _) = delivered(1, root, Vec::new(), vec![Item::Record(nameless)]);
    assert_eq!(seen, [vec![7]]);
}
