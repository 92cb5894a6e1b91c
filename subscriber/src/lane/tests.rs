//! What a lane promises to slow, broken and finished handlers.

use std::io;
use std::sync::Mutex;

use logbus_schemas::{Record, Topic};

use super::*;

type Seen = Arc<Mutex<Vec<String>>>;
type Act = fn(&str) -> Result<(), Fault>;

/// A handler that says when it is called, waits for a permission before each batch, does what it
/// was made for, and remembers what it saw.
struct Gated {
    name: &'static str,
    called: Sender<()>,
    permissions: Receiver<()>,
    seen: Seen,
    act: Act,
}

/// The other end of a [`Gated`]: dropped, it lets everything through.
struct Gate {
    called: Receiver<()>,
    permissions: Sender<()>,
    seen: Seen,
}

impl Handler for Gated {
    fn name(&self) -> &str {
        self.name
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        let _told = self.called.send(());
        let _permitted = self.permissions.recv();
        for item in batch {
            let text = match item {
                Item::Record(delivered) => delivered.record.get_message().into_owned(),
                Item::Notice(notice) => notice.to_string(),
            };
            (self.act)(&text)?;
            self.seen.lock().unwrap().push(text);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        self.seen.lock().unwrap().push("closed".to_owned());
        Ok(())
    }
}

fn gated(act: Act) -> (Box<dyn Handler>, Gate) {
    gated_as("gated", act)
}

fn gated_as(name: &'static str, act: Act) -> (Box<dyn Handler>, Gate) {
    let (called_in, called) = unbounded();
    let (permissions_in, permissions) = unbounded();
    let seen = Seen::default();
    let handler = Gated {
        name,
        called: called_in,
        permissions,
        seen: seen.clone(),
        act,
    };
    let gate = Gate {
        called,
        permissions: permissions_in,
        seen,
    };
    (Box::new(handler), gate)
}

fn quiet() -> Say {
    Arc::new(|_| {})
}

fn batch(texts: &[&str]) -> Batch {
    let record = |text: &&str| {
        Item::Record(std::sync::Arc::new(crate::item::Delivered {
            record: Record::new("a", 20, text),
            topic: Topic::new("a").unwrap(),
            origin: None,
            sender: None,
            offset: None,
            received: 0,
        }))
    };
    texts.iter().map(record).collect()
}

/// Handlers with so much room before each.
struct Bench {
    lanes: Lanes,
    outlets: Vec<Outlet>,
}

impl Bench {
    fn new(handlers: Vec<Box<dyn Handler>>, room: usize, say: &Say) -> Self {
        let configs = handlers.into_iter().map(|handler| Config {
            room,
            ..Config::from(handler)
        });
        Self::of(configs.collect(), say)
    }

    fn of(configs: Vec<Config>, say: &Say) -> Self {
        let mut lanes = Lanes::new(say);
        let outlets = configs
            .into_iter()
            .map(|config| lanes.start(config, None).unwrap())
            .collect();
        Self { lanes, outlets }
    }

    fn offer(&self, batch: &Batch) {
        for outlet in &self.outlets {
            outlet.offer(batch);
        }
    }

    fn close(self) -> Vec<HandlerReport> {
        self.close_within(CLOSE_WITHIN)
    }

    fn close_within(self, longest: Duration) -> Vec<HandlerReport> {
        drop(self.outlets);
        self.lanes.close_within(longest)
    }
}

fn counts(report: &HandlerReport) -> (u64, u64, u64) {
    (report.written, report.skipped, report.failed)
}

#[test]
fn a_handler_that_stands_still_loses_its_own_records_only() {
    let (slow, slow_gate) = gated(|_| Ok(()));
    let (quick, quick_gate) = gated_as("quick", |_| Ok(()));
    let seen = quick_gate.seen.clone();
    let bench = Bench::new(vec![slow, quick], 8, &quiet());
    for at in 0..100 {
        bench.offer(&batch(&[&at.to_string()]));
        quick_gate.permissions.send(()).unwrap();
        while bench.outlets[1].shared.waiting.load(Ordering::Acquire) > 0 {
            std::thread::yield_now();
        }
    }
    drop((slow_gate, quick_gate));
    let reports = bench.close();
    assert_eq!(counts(&reports[0]), (8, 92, 0));
    assert_eq!(counts(&reports[1]), (100, 0, 0));
    assert_eq!(seen.lock().unwrap().len(), 101);
}

#[test]
fn a_slow_handler_is_told_where_records_are_missing_and_how_many() {
    let (slow, gate) = gated(|_| Ok(()));
    let seen = gate.seen.clone();
    let bench = Bench::new(vec![slow], 3, &quiet());
    for texts in [&["1", "2"][..], &["3"], &["4", "5"], &["6"]] {
        bench.offer(&batch(texts));
    }
    for _ in 0..2 {
        gate.permissions.send(()).unwrap();
    }
    while seen.lock().unwrap().len() < 3 {
        std::thread::yield_now();
    }
    drop(gate);
    bench.offer(&batch(&["7"]));
    let reports = bench.close();
    let told = "this handler was too slow: 3 records skipped";
    assert_eq!(*seen.lock().unwrap(), ["1", "2", "3", told, "7", "closed"]);
    assert_eq!(counts(&reports[0]), (4, 3, 0));
}

#[test]
fn many_small_batches_have_as_much_room_as_few_large_ones() {
    let (slow, gate) = gated(|_| Ok(()));
    let bench = Bench::new(vec![slow], ROOM, &quiet());
    for _ in 0..ROOM + 10 {
        bench.offer(&batch(&["x"]));
    }
    drop(gate);
    assert_eq!(counts(&bench.close()[0]), (ROOM as u64, 10, 0));
}

#[test]
fn a_batch_beyond_the_bound_is_taken_when_nothing_else_waits() {
    let (handler, gate) = gated(|_| Ok(()));
    drop(gate);
    let bench = Bench::new(vec![handler], 2, &quiet());
    bench.offer(&batch(&["1", "2", "3"]));
    assert_eq!(counts(&bench.close()[0]), (3, 0, 0));
}

#[test]
fn an_error_costs_its_own_batch_and_is_told_once() {
    let (handler, gate) = gated(|text| match text {
        "bad" => Err(Fault::Io(io::ErrorKind::StorageFull.into())),
        _ => Ok(()),
    });
    drop(gate);
    let told = Seen::default();
    let said = told.clone();
    let say: Say = Arc::new(move |line| said.lock().unwrap().push(line.to_owned()));
    let bench = Bench::new(vec![handler], ROOM, &say);
    for text in ["one", "bad", "two", "bad"] {
        bench.offer(&batch(&[text]));
    }
    assert_eq!(counts(&bench.close()[0]), (2, 0, 2));
    assert_eq!(*told.lock().unwrap(), ["gated: no storage space"]);
}

#[test]
fn a_handler_whose_reader_has_gone_is_left_alone_and_the_program_can_end() {
    let (handler, gate) = gated(|text| match text {
        "last" => Err(Fault::Ended),
        _ => Ok(()),
    });
    let seen = gate.seen.clone();
    drop(gate);
    let bench = Bench::new(vec![handler], ROOM, &quiet());
    for text in ["one", "last", "never", "seen"] {
        bench.offer(&batch(&[text]));
    }
    while !bench.outlets[0].has_ended() {
        std::thread::yield_now();
    }
    assert_eq!(counts(&bench.close()[0]), (1, 0, 3));
    assert_eq!(*seen.lock().unwrap(), ["one", "closed"]);
}

/// A handler that always wants to be flushed at once.
struct Hasty;

impl Handler for Hasty {
    fn name(&self) -> &str {
        "hasty"
    }

    fn emit(&mut self, _: &[Item]) -> Result<(), Fault> {
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn due(&self) -> Option<Instant> {
        Some(Instant::now())
    }

    fn close(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

#[test]
fn a_handler_whose_reader_has_gone_costs_no_time_although_something_is_due() {
    let (over, _) = bounded(0);
    let runner = Runner {
        name: "hasty".into(),
        handler: Box::new(Hasty),
        sieve: Sieve::default(),
        shared: Arc::default(),
        say: quiet(),
        account: Account::new(None),
        complained: HashMap::new(),
        _over: over,
    };
    let flushed = Instant::now();
    assert!(runner.until_flush(flushed).is_zero());
    runner.shared.ended.store(true, Ordering::Relaxed);
    assert!(!runner.until_flush(flushed).is_zero());
}

#[test]
fn a_handler_that_panics_is_still_accounted_for() {
    let (handler, gate) = gated(|text| match text {
        "panic" => panic!("on purpose"),
        _ => Ok(()),
    });
    drop(gate);
    let bench = Bench::new(vec![handler], ROOM, &quiet());
    for text in ["one", "panic", "two"] {
        bench.offer(&batch(&[text]));
    }
    assert_eq!(counts(&bench.close()[0]), (1, 0, 2));
}

#[test]
fn a_handler_that_stands_still_at_the_end_is_not_waited_for() {
    let (handler, gate) = gated(|_| Ok(()));
    let told = Seen::default();
    let said = told.clone();
    let say: Say = Arc::new(move |line| said.lock().unwrap().push(line.to_owned()));
    let bench = Bench::new(vec![handler], ROOM, &say);
    gate.permissions.send(()).unwrap();
    bench.offer(&batch(&["one"]));
    bench.offer(&batch(&["two", "three"]));
    for _ in 0..2 {
        gate.called.recv().unwrap();
    }
    let reports = bench.close_within(Duration::ZERO);
    assert_eq!(counts(&reports[0]), (1, 0, 2));
    assert_eq!(
        *told.lock().unwrap(),
        ["gated: not finished within 0ns: 2 records not written"]
    );
}

#[test]
fn where_the_newest_count_most_the_oldest_make_room_and_that_is_told_in_their_place() {
    let (slow, gate) = gated(|_| Ok(()));
    let seen = gate.seen.clone();
    let config = Config {
        room: 3,
        overflow: Overflow::DiscardOldest,
        ..Config::from(slow)
    };
    let bench = Bench::of(vec![config], &quiet());
    bench.offer(&batch(&["1"]));
    gate.called.recv().unwrap();
    for text in ["2", "3", "4", "5", "6"] {
        bench.offer(&batch(&[text]));
    }
    drop(gate);
    assert_eq!(counts(&bench.close()[0]), (3, 3, 0));
    let told = "this handler was too slow: 3 records skipped";
    assert_eq!(*seen.lock().unwrap(), ["1", told, "5", "6", "closed"]);
}

#[test]
fn a_handlers_level_keeps_records_from_it_and_that_is_no_loss() {
    let (handler, gate) = gated(|_| Ok(()));
    let seen = gate.seen.clone();
    drop(gate);
    let mut config = Config::from(handler);
    config.sieve.level = logbus_schemas::Level::WARNING;
    let bench = Bench::of(vec![config], &quiet());
    bench.offer(&batch(&["info"]));
    let report = &bench.close()[0];
    assert_eq!((report.filtered, counts(report)), (1, (0, 0, 0)));
    assert_eq!(*seen.lock().unwrap(), ["closed"]);
}

#[test]
fn a_handler_that_takes_anothers_place_begins_when_that_one_has_ended() {
    let (first, first_gate) = gated(|_| Ok(()));
    let (second, second_gate) = gated(|_| Ok(()));
    let mut lanes = Lanes::new(&quiet());
    let outlet = lanes.start(Config::from(first), None).unwrap();
    outlet.offer(&batch(&["old"]));
    let (gate, after) = bounded(0);
    let next = lanes.start(Config::from(second), Some(after)).unwrap();
    next.offer(&batch(&["new"]));
    first_gate.called.recv().unwrap();
    assert!(second_gate.called.is_empty());
    drop((outlet, gate, first_gate));
    second_gate.called.recv().unwrap();
    drop((second_gate, next));
    // Both have the same name: to the reader of the report they are one.
    assert_eq!(lanes.close()[0].written, 2);
}
