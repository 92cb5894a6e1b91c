//! What dispatching promises to slow, broken and finished handlers.

use std::io;
use std::sync::Mutex;

use logbus_schemas::{Record, Topic};

use super::*;

type Seen = Arc<Mutex<Vec<String>>>;
type Act = fn(&str) -> Result<(), Fault>;

/// A handler that says when it is called, waits for a permission before each batch, does what it
/// was made for, and remembers what it saw.
struct Gated {
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
        "gated"
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
    let (called_in, called) = unbounded();
    let (permissions_in, permissions) = unbounded();
    let seen = Seen::default();
    let handler = Gated {
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
            received: 0,
        }))
    };
    texts.iter().map(record).collect()
}

fn counts(report: &HandlerReport) -> (u64, u64, u64) {
    (report.written, report.skipped, report.failed)
}

#[test]
fn a_handler_that_stands_still_loses_its_own_records_only() {
    let (slow, slow_gate) = gated(|_| Ok(()));
    let (quick, quick_gate) = gated(|_| Ok(()));
    let seen = quick_gate.seen.clone();
    let dispatcher = Dispatcher::with_queues(vec![slow, quick], &quiet(), 8).unwrap();
    for at in 0..100 {
        dispatcher.dispatch(&batch(&[&at.to_string()]));
        quick_gate.permissions.send(()).unwrap();
        while dispatcher.lanes[1].shared.waiting.load(Ordering::Acquire) > 0 {
            std::thread::yield_now();
        }
    }
    drop((slow_gate, quick_gate));
    let reports = dispatcher.close();
    assert_eq!(counts(&reports[0]), (8, 92, 0));
    assert_eq!(counts(&reports[1]), (100, 0, 0));
    assert_eq!(seen.lock().unwrap().len(), 101);
}

#[test]
fn a_slow_handler_is_told_where_records_are_missing_and_how_many() {
    let (slow, gate) = gated(|_| Ok(()));
    let seen = gate.seen.clone();
    let dispatcher = Dispatcher::with_queues(vec![slow], &quiet(), 3).unwrap();
    for texts in [&["1", "2"][..], &["3"], &["4", "5"], &["6"]] {
        dispatcher.dispatch(&batch(texts));
    }
    for _ in 0..2 {
        gate.permissions.send(()).unwrap();
    }
    while seen.lock().unwrap().len() < 3 {
        std::thread::yield_now();
    }
    drop(gate);
    dispatcher.dispatch(&batch(&["7"]));
    let reports = dispatcher.close();
    let told = "this handler was too slow: 3 records skipped";
    assert_eq!(*seen.lock().unwrap(), ["1", "2", "3", told, "7", "closed"]);
    assert_eq!(counts(&reports[0]), (4, 3, 0));
}

#[test]
fn many_small_batches_have_as_much_room_as_few_large_ones() {
    let (slow, gate) = gated(|_| Ok(()));
    let dispatcher = Dispatcher::start(vec![slow], &quiet()).unwrap();
    for _ in 0..QUEUE + 10 {
        dispatcher.dispatch(&batch(&["x"]));
    }
    drop(gate);
    assert_eq!(counts(&dispatcher.close()[0]), (QUEUE as u64, 10, 0));
}

#[test]
fn a_batch_beyond_the_bound_is_taken_when_nothing_else_waits() {
    let (handler, gate) = gated(|_| Ok(()));
    drop(gate);
    let dispatcher = Dispatcher::with_queues(vec![handler], &quiet(), 2).unwrap();
    dispatcher.dispatch(&batch(&["1", "2", "3"]));
    assert_eq!(counts(&dispatcher.close()[0]), (3, 0, 0));
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
    let dispatcher = Dispatcher::start(vec![handler], &say).unwrap();
    for text in ["one", "bad", "two", "bad"] {
        dispatcher.dispatch(&batch(&[text]));
    }
    assert_eq!(counts(&dispatcher.close()[0]), (2, 0, 2));
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
    let dispatcher = Dispatcher::start(vec![handler], &quiet()).unwrap();
    for text in ["one", "last", "never", "seen"] {
        dispatcher.dispatch(&batch(&[text]));
    }
    while !dispatcher.has_ended() {
        std::thread::yield_now();
    }
    assert_eq!(counts(&dispatcher.close()[0]), (1, 0, 3));
    assert_eq!(*seen.lock().unwrap(), ["one", "closed"]);
}

#[test]
fn a_handler_that_panics_is_still_accounted_for() {
    let (handler, gate) = gated(|text| match text {
        "panic" => panic!("on purpose"),
        _ => Ok(()),
    });
    drop(gate);
    let dispatcher = Dispatcher::start(vec![handler], &quiet()).unwrap();
    for text in ["one", "panic", "two"] {
        dispatcher.dispatch(&batch(&[text]));
    }
    assert_eq!(counts(&dispatcher.close()[0]), (1, 0, 2));
}

#[test]
fn a_handler_that_stands_still_at_the_end_is_not_waited_for() {
    let (handler, gate) = gated(|_| Ok(()));
    let told = Seen::default();
    let said = told.clone();
    let say: Say = Arc::new(move |line| said.lock().unwrap().push(line.to_owned()));
    let dispatcher = Dispatcher::start(vec![handler], &say).unwrap();
    gate.permissions.send(()).unwrap();
    dispatcher.dispatch(&batch(&["one"]));
    dispatcher.dispatch(&batch(&["two", "three"]));
    for _ in 0..2 {
        gate.called.recv().unwrap();
    }
    let reports = dispatcher.close_within(Duration::ZERO);
    assert_eq!(counts(&reports[0]), (1, 0, 2));
    assert_eq!(
        *told.lock().unwrap(),
        ["gated: not finished within 0ns: 2 records not written"]
    );
}
