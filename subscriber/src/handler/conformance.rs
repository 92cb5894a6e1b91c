//! What every handler promises, held against every row of [`HANDLERS`].
//!
//! A handler that is new gets a row in [`BENCHES`], which says how to make one whose output can be
//! looked at; the promises then apply to it.

use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use logbus_schemas::{Record, Topic, Value};
use proptest::prelude::*;

use super::*;
use crate::format;
use crate::item::Delivered;

/// What has come to where a handler writes: the message of each record, and the text of each
/// notice, on a line of its own.
pub(super) type Look = Box<dyn Fn() -> String>;

/// How a handler is put on the bench: its row's name, and one that may write into a directory.
struct Bench {
    name: &'static str,
    make: fn(&Path, bool) -> (Box<dyn Handler>, Look),
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "console",
        make: |_, verbose| on_screen(verbose),
    },
    Bench {
        name: "file",
        make: |dir, verbose| {
            let path = dir.join("app.log");
            let file = file::tests::at(&path, verbose);
            let look = move || std::fs::read_to_string(&path).unwrap();
            (file, Box::new(look))
        },
    },
    Bench {
        name: "seq",
        make: |dir, verbose| seq::tests::on_server(dir, verbose),
    },
    Bench {
        name: "memory",
        make: |_, verbose| memory::tests::through_memory(verbose),
    },
    Bench {
        name: "socket",
        make: |_, verbose| socket::tests::to_server(verbose),
    },
    Bench {
        name: "syslog",
        make: |_, verbose| syslog::tests::to_server(verbose),
    },
    Bench {
        name: "exec",
        make: |dir, verbose| exec::tests::to_tee(dir, verbose),
    },
    Bench {
        name: "bus",
        make: |dir, verbose| bus::tests::to_bus(dir, verbose),
    },
];

/// A handler that knows how many lines it should have written: for those whose other side takes
/// its time.
pub(super) fn counted(
    handler: Box<dyn Handler>,
    verbose: bool,
) -> (Box<dyn Handler>, impl Fn() -> usize) {
    let lines = Arc::<AtomicUsize>::default();
    let counted = lines.clone();
    let count = move || counted.load(Ordering::Relaxed);
    let counted = Counted {
        handler,
        verbose,
        lines,
    };
    (Box::new(counted), count)
}

struct Counted {
    handler: Box<dyn Handler>,
    verbose: bool,
    lines: Arc<AtomicUsize>,
}

impl Handler for Counted {
    fn name(&self) -> &str {
        self.handler.name()
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        let is_line = |item: &&Item| match item {
            Item::Record(_) => true,
            Item::Notice(notice) => is_shown(notice, self.verbose),
        };
        let more = batch.iter().filter(is_line).count();
        self.lines.fetch_add(more, Ordering::Relaxed);
        self.handler.emit(batch)
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.handler.flush()
    }

    fn close(&mut self) -> Result<(), Fault> {
        self.handler.close()
    }

    fn dropped(&self) -> u64 {
        self.handler.dropped()
    }
}

/// A console on a terminal that remembers.
pub(super) fn on_screen(verbose: bool) -> (Box<dyn Handler>, Look) {
    let screen = Screen::default();
    let held = screen.0.clone();
    let console =
        console::Console::new("console", format::message_only(), verbose, Box::new(screen));
    let look = move || String::from_utf8(held.lock().unwrap().clone()).unwrap();
    (Box::new(console), Box::new(look))
}

/// A terminal that remembers.
#[derive(Default)]
pub(super) struct Screen(pub(super) Arc<Mutex<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn item(record: Record) -> Item {
    Item::Record(Arc::new(Delivered {
        record,
        topic: Topic::new("a").unwrap(),
        origin: None,
        sender: None,
        offset: None,
        received: 0,
    }))
}

fn text(message: &str) -> Item {
    item(Record::new("a", 20, message))
}

fn behind(records: u64) -> Item {
    Item::Notice(Notice::Behind { records })
}

/// Does this with a handler of each kind.
fn with_each(verbose: bool, check: impl Fn(&'static str, Box<dyn Handler>, Look)) {
    for bench in BENCHES {
        let dir = tempfile::tempdir().unwrap();
        let (handler, look) = (bench.make)(dir.path(), verbose);
        check(bench.name, handler, look);
    }
}

#[test]
fn every_row_has_a_bench_and_a_name_of_its_own() {
    // A mail is no line: what that handler promises is told beside it. And nothing is nothing.
    let rows = HANDLERS.iter().map(|row| row.name);
    let rows: Vec<&str> = rows
        .filter(|name| !["smtp", "null"].contains(name))
        .collect();
    let benches: Vec<&str> = BENCHES.iter().map(|bench| bench.name).collect();
    assert_eq!(rows, benches);
    for (at, row) in HANDLERS.iter().enumerate() {
        let is_new = HANDLERS[..at].iter().all(|other| other.name != row.name);
        assert!(!row.summary.is_empty() && is_new);
    }
    with_each(false, |name, handler, _| assert_eq!(handler.name(), name));
}

#[test]
fn flushed_is_visible_and_notices_stand_where_they_came() {
    with_each(false, |name, mut handler, look| {
        handler
            .emit(&[text("one"), behind(2), text("two")])
            .unwrap();
        handler.flush().unwrap();
        let shown = look();
        let lines: Vec<&str> = shown.lines().collect();
        let [first, notice, last] = lines[..] else {
            panic!("{name}: {shown}");
        };
        assert_eq!((first, last), ("one", "two"), "{name}");
        let told = "this handler was too slow: 2 records skipped";
        assert!(notice.contains(told), "{name}: {notice}");
    });
}

#[test]
fn nothing_is_written_after_close() {
    with_each(false, |name, mut handler, look| {
        handler.emit(&[text("last")]).unwrap();
        handler.close().unwrap();
        assert_eq!(look(), "last\n", "{name}");
        drop(handler);
        assert_eq!(look(), "last\n", "{name}");
    });
}

#[test]
fn reopening_loses_and_repeats_nothing() {
    with_each(false, |name, mut handler, look| {
        handler.emit(&[text("one")]).unwrap();
        handler.reopen().unwrap();
        handler.emit(&[text("two")]).unwrap();
        handler.close().unwrap();
        assert_eq!(look(), "one\ntwo\n", "{name}");
        assert_eq!(handler.dropped(), 0, "{name}");
    });
}

#[test]
fn joins_and_ends_are_shown_only_when_asked_for() {
    use logbus_schemas::wire::{SenderId, ledger};
    let id = SenderId(7);
    let sender = Arc::new(ledger::Sender { id, identity: None });
    let joined = Item::Notice(Notice::Ledger(ledger::Notice::Joined(sender)));
    for (verbose, lines) in [(false, 1), (true, 2)] {
        with_each(verbose, |name, mut handler, look| {
            handler.emit(&[joined.clone(), text("x")]).unwrap();
            handler.close().unwrap();
            assert_eq!(look().lines().count(), lines, "{name}");
        });
    }
}

#[test]
fn a_sender_that_lies_about_its_name_makes_one_line_all_the_same() {
    use logbus_schemas::wire::{Identity, SenderId, ledger};
    let identity = Identity {
        program: "web --\n2026 CRITICAL forged\x1b[2J".to_owned(),
        ..Identity::default()
    };
    let sender = Arc::new(ledger::Sender {
        id: SenderId(7),
        identity: Some(identity),
    });
    let silent = Item::Notice(Notice::Ledger(ledger::Notice::Silent(sender)));
    with_each(false, |name, mut handler, look| {
        handler.emit(std::slice::from_ref(&silent)).unwrap();
        handler.close().unwrap();
        let shown = look();
        assert_eq!(shown.matches('\n').count(), 1, "{name}: {shown}");
        assert!(!shown.contains('\x1b'), "{name}: {shown}");
    });
}

#[test]
fn odd_records_do_not_spoil_those_beside_them() {
    let mut mismatched = Record::new("a", 20, "%d of %d");
    mismatched.set("args", vec![Value::from("x")]);
    let mut timeless = Record::new("a", 20, "timeless");
    timeless.set("created", f64::NAN);
    let odd = [
        Record::default(),
        mismatched,
        timeless,
        Record::new("", -5, ""),
        Record::new("a\0b", i64::MAX, "\0\x1b[2J\r\u{202e}"),
        Record::new("a", 20, &"long".repeat(100_000)),
    ];
    with_each(false, |name, mut handler, look| {
        for record in &odd {
            handler
                .emit(&[text("before"), item(record.clone()), text("after")])
                .unwrap();
        }
        handler.close().unwrap();
        let shown = look();
        for good in ["before", "after"] {
            let found = shown.lines().filter(|line| *line == good).count();
            assert_eq!(found, odd.len(), "{name}");
        }
        assert_eq!(handler.dropped(), 0, "{name}");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_record_is_a_whole_line_in_its_order(
        batches in proptest::collection::vec(
            proptest::collection::vec("[a-zäπ ]{0,20}", 0..5),
            0..10,
        ),
    ) {
        let expected: String = batches.iter().flatten().map(|line| format!("{line}\n")).collect();
        with_each(false, |name, mut handler, look| {
            for batch in &batches {
                let items: Vec<Item> = batch.iter().map(|line| text(line)).collect();
                handler.emit(&items).unwrap();
                handler.flush().unwrap();
                let shown = look();
                assert!(shown.is_empty() || shown.ends_with('\n'), "{name}");
            }
            handler.close().unwrap();
            assert_eq!(look(), expected, "{name}");
        });
    }
}
