//! One stream to every handler: a bounded queue and a thread for each.
//!
//! `dispatch` never waits. A handler that is slow loses batches of its own queue only, and is told
//! how many records those held at the place where they are missing. A handler is flushed when its
//! stream pauses and at least once a second. To the record,
//! `dispatched = written + skipped + failed` for every handler. The next step is `handler/`.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use crate::handler::{Fault, Handler, Say};
use crate::item::{Batch, Item, Notice};

/// Items that may wait for one handler, the batch that it works on included. A larger batch is
/// taken when nothing else waits.
const QUEUE: usize = 65_536;
/// A handler is flushed at least this often.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// The least time between two complaints about one handler.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);
/// How long all handlers together may take to write what is queued when the program ends.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// What a handler did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandlerReport {
    /// Its name.
    pub name: String,
    /// Records it wrote.
    pub written: u64,
    /// Records it had no room for.
    pub skipped: u64,
    /// Records it could not write.
    pub failed: u64,
}

/// Every handler with its queue.
pub struct Dispatcher {
    lanes: Vec<Lane>,
    say: Say,
}

/// A handler's queue, and what is known of its thread.
struct Lane {
    name: String,
    room: usize,
    queue: Sender<Load>,
    shared: Arc<Shared>,
    /// Closed when the thread is over.
    over: Receiver<Infallible>,
}

/// What is shared with a handler's thread.
#[derive(Default)]
struct Shared {
    /// Items in the queue and in the handler's hands.
    waiting: AtomicUsize,
    /// Records that found the queue full and were not told of yet.
    untold: AtomicU64,
    /// Records that found the queue full.
    skipped: AtomicU64,
    /// Records that did not.
    accepted: AtomicU64,
    written: AtomicU64,
    reopen: AtomicBool,
    ended: AtomicBool,
}

/// A batch in a queue, with the number of records that are missing before it.
struct Load {
    skipped: u64,
    batch: Batch,
}

impl Dispatcher {
    /// Starts a thread for each handler.
    pub fn start(handlers: Vec<Box<dyn Handler>>, say: &Say) -> std::io::Result<Self> {
        Self::with_queues(handlers, say, QUEUE)
    }

    fn with_queues(
        handlers: Vec<Box<dyn Handler>>,
        say: &Say,
        room: usize,
    ) -> std::io::Result<Self> {
        let lanes = handlers
            .into_iter()
            .map(|handler| Lane::start(handler, say.clone(), room));
        Ok(Self {
            lanes: lanes.collect::<Result<_, _>>()?,
            say: say.clone(),
        })
    }

    /// Hands a batch to every handler. Never waits. To be called from one thread at a time.
    pub fn dispatch(&self, batch: &Batch) {
        for lane in &self.lanes {
            lane.offer(batch);
        }
    }

    /// Asks every handler to open its file anew.
    pub fn reopen(&self) {
        for lane in &self.lanes {
            lane.shared.reopen.store(true, Ordering::Relaxed);
        }
    }

    /// Whether every handler has ended, because nobody reads what they write.
    pub fn has_ended(&self) -> bool {
        !self.lanes.is_empty() && self.lanes.iter().all(Lane::has_ended)
    }

    /// Lets every handler write what is queued, and closes it; a handler that stands still is not
    /// waited for longer than five seconds.
    pub fn close(self) -> Vec<HandlerReport> {
        self.close_within(CLOSE_WITHIN)
    }

    /// The same, with another bound.
    pub fn close_within(self, longest: Duration) -> Vec<HandlerReport> {
        let deadline = Instant::now() + longest;
        let Self { lanes, say } = self;
        // Closed queues are how the threads end; closing all of them first lets all end at once.
        let closed = lanes.into_iter().map(Lane::close).collect::<Vec<_>>();
        closed
            .iter()
            .map(|closed| closed.wait(deadline, longest, &say))
            .collect()
    }
}

fn records(batch: &[Item]) -> u64 {
    batch
        .iter()
        .filter(|item| matches!(item, Item::Record(_)))
        .count() as u64
}

impl Lane {
    fn start(handler: Box<dyn Handler>, say: Say, room: usize) -> std::io::Result<Self> {
        let (queue, loads) = unbounded();
        let (over_in, over) = bounded(0);
        let (name, shared) = (handler.name().to_owned(), Arc::<Shared>::default());
        let runner = Runner {
            name: name.clone(),
            handler,
            shared: shared.clone(),
            say,
            complained: None,
            _over: over_in,
        };
        std::thread::Builder::new()
            .name(format!("logsub-{name}"))
            .spawn(move || runner.run(&loads))?;
        Ok(Self {
            name,
            room,
            queue,
            shared,
            over,
        })
    }

    fn offer(&self, batch: &Batch) {
        let (count, shared) = (records(batch), &self.shared);
        let waiting = shared.waiting.load(Ordering::Acquire);
        if waiting > 0 && waiting + batch.len() > self.room {
            shared.skipped.fetch_add(count, Ordering::Relaxed);
            shared.untold.fetch_add(count, Ordering::Release);
            return;
        }
        shared.accepted.fetch_add(count, Ordering::Relaxed);
        if self.has_ended() {
            return;
        }
        shared.waiting.fetch_add(batch.len(), Ordering::Relaxed);
        let skipped = shared.untold.swap(0, Ordering::Acquire);
        let batch = batch.clone();
        if self.queue.send(Load { skipped, batch }).is_err() {
            // The thread panicked, and has said so.
            shared.ended.store(true, Ordering::Relaxed);
        }
    }

    fn has_ended(&self) -> bool {
        self.shared.ended.load(Ordering::Relaxed)
    }

    fn close(self) -> Closed {
        let Self {
            name, shared, over, ..
        } = self;
        Closed { name, shared, over }
    }
}

/// A lane whose queue takes nothing more.
struct Closed {
    name: String,
    shared: Arc<Shared>,
    over: Receiver<Infallible>,
}

impl Closed {
    fn wait(&self, deadline: Instant, longest: Duration, say: &Say) -> HandlerReport {
        let is_late = self.over.recv_deadline(deadline) == Err(RecvTimeoutError::Timeout);
        let written = self.shared.written.load(Ordering::Acquire);
        let accepted = self.shared.accepted.load(Ordering::Relaxed);
        let report = HandlerReport {
            name: self.name.clone(),
            written,
            skipped: self.shared.skipped.load(Ordering::Relaxed),
            failed: accepted.saturating_sub(written),
        };
        if is_late {
            say(&format!(
                "{}: not finished within {longest:?}: {} records not written",
                report.name, report.failed
            ));
        }
        report
    }
}

/// A handler's thread.
struct Runner {
    name: String,
    handler: Box<dyn Handler>,
    shared: Arc<Shared>,
    say: Say,
    complained: Option<Instant>,
    /// Dropped last of all, also when the handler panics.
    _over: Sender<Infallible>,
}

impl Runner {
    fn run(mut self, loads: &Receiver<Load>) {
        let mut flushed = Instant::now();
        loop {
            if self.shared.reopen.swap(false, Ordering::Relaxed) {
                self.call(|handler| handler.reopen());
            }
            match loads.recv_timeout(FLUSH_EVERY.saturating_sub(flushed.elapsed())) {
                Ok(load) => self.take(&load),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let is_pause = loads.is_empty();
            if is_pause {
                self.tell_what_was_skipped();
            }
            if is_pause || flushed.elapsed() >= FLUSH_EVERY {
                self.call(|handler| handler.flush());
                flushed = Instant::now();
            }
        }
        self.tell_what_was_skipped();
        let result = self.handler.close();
        self.judge(result);
        // These were taken for written when they were taken in.
        let dropped = self.handler.dropped();
        self.shared.written.fetch_sub(dropped, Ordering::Release);
    }

    fn take(&mut self, load: &Load) {
        if load.skipped > 0 {
            self.tell(load.skipped);
        }
        if self.call(|handler| handler.emit(&load.batch)) {
            let count = records(&load.batch);
            self.shared.written.fetch_add(count, Ordering::Release);
        }
        let length = load.batch.len();
        self.shared.waiting.fetch_sub(length, Ordering::Release);
    }

    /// Where nothing waits any more, what was skipped is missing at just this place.
    fn tell_what_was_skipped(&mut self) {
        let records = self.shared.untold.swap(0, Ordering::Acquire);
        if records > 0 {
            self.tell(records);
        }
    }

    fn tell(&mut self, records: u64) {
        self.call(|handler| handler.emit(&[Item::Notice(Notice::Behind { records })]));
    }

    /// Calls the handler unless it has ended; says whether that went well.
    fn call(&mut self, what: impl FnOnce(&mut dyn Handler) -> Result<(), Fault>) -> bool {
        if self.shared.ended.load(Ordering::Relaxed) {
            return false;
        }
        let result = what(&mut *self.handler);
        self.judge(result)
    }

    fn judge(&mut self, result: Result<(), Fault>) -> bool {
        match result {
            Ok(()) => return true,
            Err(Fault::Ended) => self.shared.ended.store(true, Ordering::Relaxed),
            Err(Fault::Io(error)) => self.complain(&error),
        }
        false
    }

    fn complain(&mut self, error: &std::io::Error) {
        if self
            .complained
            .is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY)
        {
            self.complained = Some(Instant::now());
            (self.say)(&format!("{}: {error}", self.name));
        }
    }
}

#[cfg(test)]
mod tests;
