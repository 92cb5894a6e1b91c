//! Durable subscriptions through all stages: what is done is what handlers have safe.

use std::sync::atomic::AtomicUsize;

use crossbeam_channel::unbounded;
use logbus_schemas::wire::durable::{From, Read};

use super::*;
use crate::handler::{Fault, Handler};
use crate::history::tests::board::{Board, message, pause};
use crate::lane;
use crate::levels::Levels;

/// A handler that is safe when a test says so, and remembers what it took.
struct Late {
    name: &'static str,
    taken: Arc<Mutex<Vec<String>>>,
    is_safe: Arc<AtomicBool>,
    /// Calls of `emit` that fail first.
    faults: Arc<AtomicUsize>,
    is_slow: bool,
    /// Records that are enough.
    enough: usize,
}

impl Late {
    fn new(name: &'static str, is_safe: bool) -> Self {
        Self {
            name,
            taken: Arc::default(),
            is_safe: Arc::new(AtomicBool::new(is_safe)),
            faults: Arc::default(),
            is_slow: false,
            enough: usize::MAX,
        }
    }

    /// The same handler, for a test to look at.
    fn seen(&self) -> Self {
        Self {
            name: self.name,
            taken: self.taken.clone(),
            is_safe: self.is_safe.clone(),
            faults: self.faults.clone(),
            is_slow: false,
            enough: self.enough,
        }
    }

    fn count(&self) -> usize {
        self.taken.lock().unwrap().len()
    }
}

impl Handler for Late {
    fn name(&self) -> &str {
        self.name
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        if self.is_slow {
            pause(1);
        }
        if self.faults.load(Ordering::Relaxed) > 0 {
            self.faults.fetch_sub(1, Ordering::Relaxed);
            return Err(Fault::Io(std::io::Error::other("no room")));
        }
        let mut taken = self.taken.lock().unwrap();
        for item in batch {
            if let Item::Record(delivered) = item {
                taken.push(delivered.record.get_message().into_owned());
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn secure(&mut self) -> Result<bool, Fault> {
        Ok(self.is_safe.load(Ordering::Relaxed))
    }

    fn has_left_some(&self) -> bool {
        self.count() > self.enough
    }

    fn close(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

/// Everything behind the sockets of a `logsub --durable audit`.
struct Run {
    running: Running,
    events: Receiver<Event>,
    is_closing: Arc<AtomicBool>,
    decoding: JoinHandle<Outcome>,
    lanes: Lanes,
}

impl Run {
    fn start(board: &Board, handlers: Vec<Late>) -> Self {
        let request = Read {
            from: From::Begin,
            follow: true,
            name: Some("audit".to_owned()),
            ..Read::default()
        };
        Self::of(board, request, handlers)
    }

    fn of(board: &Board, request: Read, handlers: Vec<Late>) -> Self {
        let is_durable = request.name.is_some();
        let wanted = Wanted {
            endpoint: board.endpoint(),
            request,
            is_optional: false,
            is_live_next: false,
        };
        let say: Say = Arc::new(|_| {});
        let history = History::connect(wanted, None).unwrap().unwrap();
        let progress = history.progress();
        let (is_closing, (events_in, received)) = (Arc::<AtomicBool>::default(), events());
        let mut lanes = Lanes::new(&say);
        if is_durable {
            lanes = lanes.accountable_to(progress.clone());
        }
        let outlets = handlers.into_iter().map(|handler| {
            let boxed: Box<dyn Handler> = Box::new(handler);
            // Room for nothing: credit is the only bound.
            let config = lane::Config {
                room: 1,
                ..boxed.into()
            };
            lanes.start(config, None).unwrap()
        });
        let dispatcher = Dispatcher::plain(outlets.collect());
        let (_, taker) = tap(&[]);
        let refused = Box::new(|| {});
        let (intake, running) =
            Intake::journal(taker, history, Instant::now(), &say, refused).unwrap();
        let config = decode::Config {
            topics: Vec::new(),
            levels: Levels::default(),
            max_message: 1 << 20,
            rejects: None,
        };
        let stage = Stage {
            decoder: Decoder::new(config, process::now()),
            intake,
            progress: Some(progress),
            is_durable,
            number: None,
            is_at_end: false,
            is_closing: is_closing.clone(),
            dispatcher,
            events: events_in,
            next: Arc::default(),
        };
        let decoding = std::thread::spawn(move || stage.run());
        Self {
            running,
            events: received,
            is_closing,
            decoding,
            lanes,
        }
    }

    fn close(self) -> (Outcome, Vec<HandlerReport>) {
        self.is_closing.store(true, Ordering::Relaxed);
        self.running.stop();
        let outcome = self.decoding.join().unwrap();
        let reports = self.lanes.close();
        self.running.finish();
        (outcome, reports)
    }
}

fn until(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "it did not happen");
        pause(2);
    }
}

fn journal(count: u64) -> Board {
    Board::new((0..count).map(|at| message("a", at, &[&at.to_string()])))
}

#[test]
fn an_entry_is_done_when_the_last_handler_has_it_safe() {
    let board = journal(50);
    let (quick, late) = (Late::new("quick", true), Late::new("late", false));
    let seen = late.seen();
    let run = Run::start(&board, vec![quick, late]);
    until(|| seen.count() == 50);
    pause(50);
    assert_eq!(board.look(|state| state.noted), 0);
    seen.is_safe.store(true, Ordering::Relaxed);
    board.wait_for(|state| state.noted == 50);
    run.close();
}

#[test]
fn a_handler_that_is_slow_makes_the_journal_wait_and_misses_nothing() {
    let board = journal(5000);
    let late = Late::new("late", false);
    let seen = late.seen();
    let run = Run::start(&board, vec![late]);
    until(|| seen.count() == 500);
    pause(50);
    assert_eq!(seen.count(), 500, "no more than credit allows");
    seen.is_safe.store(true, Ordering::Relaxed);
    until(|| seen.count() == 5000);
    let (_, reports) = run.close();
    assert_eq!((reports[0].skipped, reports[0].written), (0, 5000));
    assert_eq!(
        board.look(|state| state.noted),
        5000,
        "the end is noted, too"
    );
}

#[test]
fn a_replay_is_read_to_its_end_by_the_slowest_handler() {
    let board = journal(3000);
    let request = Read {
        from: From::Begin,
        ..Read::default()
    };
    let slow = Late {
        is_slow: true,
        ..Late::new("slow", true)
    };
    let seen = slow.seen();
    let run = Run::of(&board, request, vec![slow]);
    assert_eq!(
        run.events.recv_timeout(Duration::from_secs(60)),
        Ok(Event::End)
    );
    assert_eq!(seen.count(), 3000);
    let (_, reports) = run.close();
    assert_eq!((reports[0].skipped, reports[0].written), (0, 3000));
}

#[test]
fn what_was_not_safe_when_it_ended_comes_again() {
    let board = journal(20);
    let late = Late::new("late", true);
    let seen = late.seen();
    let run = Run::start(&board, vec![late]);
    board.wait_for(|state| state.noted == 20);
    seen.is_safe.store(false, Ordering::Relaxed);
    for at in 20..30 {
        board.add(message("a", at, &[&at.to_string()]));
    }
    until(|| seen.count() == 30);
    run.close();
    assert_eq!(board.look(|state| state.noted), 20);
    let next = Late::new("next", true);
    let seen = next.seen();
    let run = Run::start(&board, vec![next]);
    until(|| seen.count() == 10);
    let ((summary, _), _) = run.close();
    assert_eq!(seen.taken.lock().unwrap()[0], "20");
    assert_eq!(summary.totals.lost, 0, "what was done before is no loss");
}

#[test]
fn what_a_handler_had_no_use_for_any_more_is_for_the_next_run() {
    let board = journal(20);
    let few = Late {
        enough: 7,
        ..Late::new("few", true)
    };
    let (all, seen) = (Late::new("all", true), few.seen());
    let run = Run::start(&board, vec![few, all]);
    until(|| seen.count() == 20);
    run.close();
    assert_eq!(board.look(|state| state.noted), 7);
}

#[test]
fn a_batch_that_fails_is_tried_until_it_is_taken() {
    let board = journal(3);
    let faulty = Late::new("faulty", true);
    faulty.faults.store(2, Ordering::Relaxed);
    let seen = faulty.seen();
    let run = Run::start(&board, vec![faulty]);
    board.wait_for(|state| state.noted == 3);
    assert_eq!(*seen.taken.lock().unwrap(), ["0", "1", "2"]);
    run.close();
}

#[test]
fn without_handlers_what_was_read_is_done() {
    let board = journal(3);
    let run = Run::start(&board, Vec::new());
    board.wait_for(|state| state.noted == 3);
    run.close();
}

#[test]
fn a_refusal_ends_the_run() {
    let (events, received) = events();
    events.refuse();
    let (_, never) = unbounded::<()>();
    assert_eq!(
        (received.recv(), never.is_empty()),
        (Ok(Event::Refused), true)
    );
}
