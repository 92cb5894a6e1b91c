//! What the streaming view promises: order, filters, losses in their place, and exact ends.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser;
use logbus_schemas::wire::ledger::{self, Sender};
use logbus_schemas::wire::{Identity, SenderId};
use logbus_schemas::{Record, Value};

use super::*;
use crate::cli::Cli;
use crate::view::config::Surroundings;

/// Where a view writes, to be looked at.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Screen {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A view with what it has written and how often it said that it is done.
struct Viewed {
    stream: Stream,
    out: Screen,
    aside: Screen,
    done: Arc<AtomicUsize>,
}

impl Viewed {
    fn new(args: &[&str]) -> Self {
        let always = ["logsub", "--utc", "--hide", "time,logger"];
        let cli = Cli::parse_from([&always, args].concat());
        let config = Config::resolve(&cli, &Surroundings::default()).unwrap();
        let (out, aside, done) = (
            Screen::default(),
            Screen::default(),
            Arc::<AtomicUsize>::default(),
        );
        let told = done.clone();
        let tell: Done = Arc::new(move || {
            told.fetch_add(1, Ordering::Relaxed);
        });
        let stream = Stream::new(config, tell, Box::new(out.clone()), Box::new(aside.clone()));
        Self {
            stream,
            out,
            aside,
            done,
        }
    }

    fn shown(args: &[&str], items: &[Item]) -> String {
        let mut viewed = Self::new(args);
        viewed.stream.emit(items).unwrap();
        viewed.stream.close().unwrap();
        viewed.out.text()
    }
}

fn sender(id: u64) -> Arc<Sender> {
    let identity = Identity {
        program: format!("p{id}"),
        pid: id as u32,
        ..Identity::default()
    };
    Arc::new(Sender {
        id: SenderId(id),
        identity: Some(identity),
    })
}

/// A record of a sender, created so many ms before it came, which was at 1,000 s.
fn said(id: u64, age: i64, message: &str) -> Item {
    with(id, age, message, &[])
}

fn with(id: u64, age: i64, message: &str, extras: &[(&str, Value)]) -> Item {
    let mut record = Record::new("shop", 20, message);
    record.set("created", 1000.0 - age as f64 / 1000.0);
    record.set("process", id);
    for (key, value) in extras {
        record.set(*key, value.clone());
    }
    Item::Record(Arc::new(Delivered {
        record,
        topic: Topic::for_name("shop"),
        origin: Some((SenderId(id), 0)),
        sender: Some(sender(id)),
        received: 1_000_000_000_000,
        offset: None,
    }))
}

fn lost(id: u64) -> Item {
    Item::Notice(Notice::Ledger(ledger::Notice::Lost {
        sender: sender(id),
        topic: Topic::for_name("shop"),
        records: 3..5,
    }))
}

fn messages(text: &str) -> Vec<&str> {
    text.lines()
        .map(|line| line.split("│ ").last().unwrap())
        .collect()
}

#[test]
fn senders_interleave_in_the_order_of_time() {
    let items = [
        said(1, 30, "c"),
        said(2, 40, "b"),
        said(1, 20, "d"),
        said(3, 50, "a"),
    ];
    assert_eq!(messages(&Viewed::shown(&[], &items)), ["a", "b", "c", "d"]);
    assert_eq!(
        messages(&Viewed::shown(&["--reorder", "0"], &items)),
        ["c", "b", "d", "a"]
    );
    let by_arrival = Viewed::shown(&["--time", "received"], &items);
    assert_eq!(messages(&by_arrival), ["c", "b", "d", "a"]);
}

#[test]
fn what_comes_too_late_has_a_mark_in_the_first_column() {
    let mut viewed = Viewed::new(&["--reorder", "1ms"]);
    viewed.stream.emit(&[said(1, 0, "first")]).unwrap();
    viewed.stream.release(u64::MAX).unwrap();
    viewed.stream.emit(&[said(2, 5000, "late")]).unwrap();
    viewed.stream.close().unwrap();
    assert_eq!(viewed.out.text(), " INF p1 │ first\n!INF p2 │ late\n");
}

#[test]
fn a_loss_stands_where_the_records_are_missing_in_every_format() {
    let items = [
        said(1, 50, "a"),
        lost(1),
        said(2, 30, "b"),
        said(1, 20, "c"),
    ];
    for (args, expected) in [
        (&[][..], "── p1 lost 2 records of shop, 3..4: on the way"),
        (&["-o", "json"], r#""notice":"lost","records":2,"#),
        (&["-o", "clef"], r#""notice":"lost""#),
        (&["-o", "logfmt"], "notice=lost records=2"),
        (&["-o", "raw"], "lost 2 records of shop, 3..4"),
        (&["--format", "%(message)s"], "── p1 lost 2 records"),
        (&["--template", "{{ message }}"], "── p1 lost 2 records"),
    ] {
        let text = Viewed::shown(args, &items);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[1].contains(expected), "{args:?}: {text}");
    }
}

#[test]
fn who_comes_and_goes_is_told_beside_the_records() {
    let joined = Item::Notice(Notice::Ledger(ledger::Notice::Joined(sender(1))));
    let mut viewed = Viewed::new(&["-v"]);
    viewed
        .stream
        .emit(&[joined.clone(), said(1, 0, "a")])
        .unwrap();
    viewed.stream.close().unwrap();
    assert_eq!(viewed.aside.text(), "+ p1 joined\n");
    assert_eq!(viewed.out.text(), " INF p1 │ a\n");
    let mut quiet = Viewed::new(&["-v", "--quiet"]);
    quiet.stream.emit(&[joined]).unwrap();
    quiet.stream.close().unwrap();
    assert_eq!(quiet.aside.text() + &quiet.out.text(), "");
}

#[test]
fn exactly_so_many_are_shown_as_were_asked_for_and_the_end_is_told_once() {
    let items: Vec<Item> = (0..50).map(|n| said(1, 50 - n, &format!("m{n}"))).collect();
    let mut viewed = Viewed::new(&["--count", "3", "-i", "m.*[05]$"]);
    for batch in items.chunks(7) {
        viewed.stream.emit(batch).unwrap();
    }
    viewed.stream.close().unwrap();
    assert_eq!(messages(&viewed.out.text()), ["m0", "m5", "m10"]);
    assert_eq!(viewed.done.load(Ordering::Relaxed), 1);
    assert_eq!(viewed.stream.held_back(), 47);
    let until = Viewed::shown(&["--until", "m7$"], &items);
    assert_eq!(messages(&until).last(), Some(&"m7"));
    let tail = Viewed::shown(&["--tail", "2"], &items);
    assert_eq!(messages(&tail), ["m48", "m49"]);
}

#[test]
fn context_and_highlights_go_with_filters() {
    let items: Vec<Item> = (0..6)
        .map(|n| said(1 + n % 2, 50 - n as i64, &format!("m{n}")))
        .collect();
    assert_eq!(
        messages(&Viewed::shown(&["-i", "m2", "-C", "1"], &items)),
        ["m0", "m2", "m4"]
    );
    let colored = Viewed::shown(
        &["--color", "always", "--theme", "ansi", "-H", "red:m1"],
        &items,
    );
    assert!(
        colored.contains("\x1b[1;4;31mm1\x1b[0m") && colored.lines().count() == 6,
        "{colored}"
    );
}

#[test]
fn programs_get_what_was_sent_and_terminals_nothing_that_steers_them() {
    let item = [with(1, 0, "a\x1b[2J\nb\u{9b}", &[])];
    assert_eq!(Viewed::shown(&["-o", "raw"], &item), "a\x1b[2J\nb\u{9b}\n");
    assert_eq!(
        Viewed::shown(&["-o", "raw", "--output-delimiter", "nul"], &item),
        "a\x1b[2J\nb\u{9b}\0"
    );
    let json = Viewed::shown(&["-o", "json"], &item);
    assert!(json.is_ascii() && json.contains(r"b\u009b"), "{json}");
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["message"], "a\x1b[2J\nb\u{9b}");
}

#[test]
fn the_last_records_of_a_journal_are_shown_where_it_ends_and_then_what_is_live() {
    let mut viewed = Viewed::new(&["--tail", "2", "--reorder", "0"]);
    let caught_up = Item::Notice(Notice::CaughtUp { offset: 3 });
    let history = [said(1, 0, "one"), said(1, 0, "two"), said(1, 0, "three")];
    viewed.stream.emit(&history).unwrap();
    assert_eq!(viewed.out.text(), "");
    assert!(!viewed.stream.secure().unwrap());
    viewed.stream.emit(&[caught_up]).unwrap();
    assert_eq!(messages(&viewed.out.text()), ["two", "three"]);
    viewed.stream.emit(&[said(1, 0, "four")]).unwrap();
    assert_eq!(messages(&viewed.out.text()), ["two", "three", "four"]);
    assert!(viewed.stream.secure().unwrap());
}

#[test]
fn what_comes_behind_the_last_one_that_was_wanted_is_left() {
    let mut viewed = Viewed::new(&["--count", "2", "--reorder", "0"]);
    let wanted = [said(1, 0, "one"), said(1, 0, "two")];
    viewed.stream.emit(&wanted).unwrap();
    assert!(!viewed.stream.has_left_some());
    viewed.stream.emit(&[said(1, 0, "three")]).unwrap();
    assert!(viewed.stream.has_left_some());
}
