//! What the streaming view promises: order, filters, losses in their place, and exact ends.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser;
use logbus_schemas::wire::ledger::{self, Sender};
use logbus_schemas::wire::{Identity, SenderId};
use logbus_schemas::{Record, Topic, Value};

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

/// A pipe of which so many writes are read, or a disk that has room for them.
struct Narrow(usize, std::io::ErrorKind);

impl Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(1).ok_or(self.1)?;
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
        (
            &["-o", "json"],
            r#""notice":"lost","records":2,"sender":"p1:1","topic":"shop","first":3,"last":4,"reason":"on the way"#,
        ),
        (&["-o", "clef"], r#""reason":"on the way"#),
        (
            &["-o", "logfmt"],
            "notice=lost records=2 sender=p1:1 topic=shop first=3 last=4 reason=\"on the way",
        ),
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
fn programs_are_told_who_sent_a_record_and_under_which_topic() {
    for (args, expected) in [
        (
            ["-o", "json"],
            r#""process":1,"sender":"p1:1","topic":"shop""#,
        ),
        (["-o", "logfmt"], " sender=p1:1 topic=shop"),
    ] {
        let shown = Viewed::shown(&args, &[said(1, 0, "a")]);
        assert!(shown.contains(expected), "{shown}");
    }
    let own = with(1, 0, "a", &[("sender", "mine".into())]);
    let shown = Viewed::shown(&["-o", "json"], &[own]);
    assert!(
        shown.contains(r#""sender":"mine","topic":"shop""#),
        "{shown}"
    );
}

#[test]
fn badges_are_as_wide_as_the_widest_that_is_shown() {
    let args = ["--reorder", "0", "--exclude", "unseen"];
    let shown = Viewed::shown(&args, &[said(1_000_000, 0, "unseen"), said(1, 0, "a")]);
    assert_eq!(shown, "INF p1 │ a\n");
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
fn of_the_last_records_losses_stand_between_and_who_comes_is_told_at_once() {
    let joined = Item::Notice(Notice::Ledger(ledger::Notice::Joined(sender(1))));
    let mut viewed = Viewed::new(&["-v", "--tail", "2", "--reorder", "0"]);
    let items = [joined, said(1, 0, "a"), lost(1), said(1, 0, "b"), lost(1)];
    viewed.stream.emit(&items).unwrap();
    assert_eq!(viewed.aside.text(), "+ p1 joined\n");
    viewed
        .stream
        .emit(&[said(1, 0, "c"), said(1, 0, "d")])
        .unwrap();
    assert_eq!(viewed.out.text(), "");
    viewed.stream.close().unwrap();
    let text = viewed.out.text();
    let (loss, last) = text.split_once('\n').unwrap();
    assert!(loss.starts_with("── p1 lost 2 records"), "{text}");
    assert_eq!(messages(last), ["c", "d"]);
    assert_eq!(viewed.stream.held_back(), 2);
    let many: Vec<Item> = (0..100_000).map(|n| said(1, 0, &n.to_string())).collect();
    let args = ["--tail", "50000", "--reorder", "0"];
    assert_eq!(Viewed::shown(&args, &many).lines().count(), 50_000);
}

#[test]
fn what_was_waited_for_is_not_missed_when_it_comes_at_the_very_end() {
    let config = |args: &[&str]| {
        let cli = Cli::parse_from([&["logsub"], args].concat());
        Config::resolve(&cli, &Surroundings::default()).unwrap()
    };
    assert!(!config(&[]).goal.is_missed());
    for (text, is_missed) in [("not yet", true), ("ready", false)] {
        let config = config(&["--until", "ready", "--reorder", "10s"]);
        let goal = config.goal.clone();
        let (out, aside) = (Screen::default(), Screen::default());
        let mut stream = Stream::new(config, Arc::new(|| {}), Box::new(out), Box::new(aside));
        stream.emit(&[said(1, 0, text)]).unwrap();
        assert!(goal.is_missed());
        stream.close().unwrap();
        assert_eq!(goal.is_missed(), is_missed, "{text}");
    }
}

#[test]
fn a_successor_has_its_colour_from_its_first_record_on() {
    let mut viewed = Viewed::new(&["--color", "always", "--theme", "dark"]);
    viewed.stream.emit(&[said(1, 90, "before")]).unwrap();
    viewed.stream.release(u64::MAX).unwrap();
    let restarted = Item::Notice(Notice::Ledger(ledger::Notice::Restarted {
        sender: sender(5),
        previous: sender(1),
    }));
    let items = [said(2, 0, "other"), restarted, said(5, 30, "after")];
    viewed.stream.emit(&items).unwrap();
    viewed.stream.close().unwrap();
    let text = viewed.out.text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[1].contains("takes the place") && lines[2].contains("after"));
    let color = |line: &str, name: &str| line.split(name).next().unwrap().to_owned();
    assert_eq!(color(lines[0], "p1"), color(lines[2], "p5"), "{text}");
}

/// What is reported of four batches of a record to show and one to filter out, of which so many
/// could be written.
fn report(reorder: &str, writes: usize, kind: std::io::ErrorKind) -> (u64, u64, u64) {
    let cli = Cli::parse_from(["logsub", "-e", "no", "--reorder", reorder]);
    let config = Config::resolve(&cli, &Surroundings::default()).unwrap();
    let out = Box::new(Narrow(writes, kind));
    let stream = Stream::new(config, Arc::new(|| {}), out, Box::new(Screen::default()));
    let handler: Box<dyn Handler> = Box::new(stream);
    let say: crate::handler::Say = Arc::new(|_| {});
    let mut lanes = crate::lane::Lanes::new(&say);
    let outlet = lanes.start(handler.into(), None).unwrap();
    for _ in 0..4 {
        outlet.offer(&Arc::from([said(1, 0, "yes"), said(1, 0, "no")]));
    }
    drop(outlet);
    let report = lanes.close().remove(0);
    assert_eq!(report.skipped, 0);
    (report.written, report.filtered, report.failed)
}

#[test]
fn what_could_not_be_written_is_counted_as_that_wherever_it_was_when_it_showed() {
    use std::io::ErrorKind::{BrokenPipe, StorageFull};
    assert_eq!(report("0", 4, StorageFull), (4, 4, 0));
    assert_eq!(report("0", 1, StorageFull), (1, 4, 3));
    // Two batches are not taken in any more.
    assert_eq!(report("0", 1, BrokenPipe), (1, 2, 5));
    // All of it waits in the window until the end.
    assert_eq!(report("1h", 9, BrokenPipe), (4, 4, 0));
    assert_eq!(report("1h", 0, StorageFull), (0, 4, 4));
    assert_eq!(report("1h", 0, BrokenPipe), (0, 4, 4));
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
