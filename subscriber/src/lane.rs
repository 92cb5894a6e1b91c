//! A handler's lane: its bounded queue, and the thread that works it off.
//!
//! Nobody waits who offers a batch to a lane, unless it comes from a journal. What a slow handler has no room for is counted, and
//! told at the place where it is missing: the newest batch or, where the configuration says so,
//! the oldest. A handler's level and filters are applied on its own thread, so that not even an
//! expensive filter holds up anybody else. A handler is flushed when its stream pauses and at
//! least once a second. For a durable subscription nothing is skipped: credit bounds what waits
//! (`history/mod.rs`), a batch that fails is tried again, and the lane says what it has written
//! safely. To the record, `offered = written + filtered + skipped + failed` for every
//! lane. The next step is `handler/`.

mod account;

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, never, unbounded};
use logbus_process as process;

use self::account::Account;
use crate::filter::Sieve;
use crate::handler::{Fault, Handler, Say};
use crate::history::progress::{Mark, Progress};
use crate::item::{Batch, Item, Notice};

/// Items that may wait for one handler when nothing else is said, the batch that it works on
/// included. A larger batch is taken when nothing else waits.
pub const ROOM: usize = 65_536;
/// A handler is flushed at least this often.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// The least time between two complaints about one handler.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);
/// How often it is looked whether a lane has room that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How long a batch of a durable subscription rests that a handler could not write.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How long all handlers together may take to write what is queued when the program ends.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Which batch goes when there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// The one that comes.
    #[default]
    DiscardNewest,
    /// Those that wait longest.
    DiscardOldest,
}

/// A handler with what stands before it.
pub struct Config {
    /// The handler.
    pub handler: Box<dyn Handler>,
    /// Its level and filters.
    pub sieve: Sieve,
    /// Items that may wait for it.
    pub room: usize,
    /// Which of them go when more come.
    pub overflow: Overflow,
}

impl From<Box<dyn Handler>> for Config {
    fn from(handler: Box<dyn Handler>) -> Self {
        Self {
            handler,
            sieve: Sieve::default(),
            room: ROOM,
            overflow: Overflow::default(),
        }
    }
}

/// What a handler did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandlerReport {
    /// Its name.
    pub name: String,
    /// Records it wrote.
    pub written: u64,
    /// Records that its level or its filters kept from it.
    pub filtered: u64,
    /// Records it had no room for.
    pub skipped: u64,
    /// Records it could not write.
    pub failed: u64,
    /// Whether it ended because nobody reads what it writes: then nobody misses what failed.
    pub is_unread: bool,
}

/// Every lane, by its handler's name.
pub struct Lanes {
    lanes: Vec<Lane>,
    /// Of handlers that a later configuration no longer has.
    ended: Vec<HandlerReport>,
    /// Where lanes say how far they are, for a durable subscription.
    progress: Option<Arc<Progress>>,
    say: Say,
}

/// A handler's queue and its thread.
struct Lane {
    outlet: Outlet,
    /// Closed when the thread is over.
    over: Receiver<Infallible>,
}

/// The way into a lane. A lane ends when every outlet to it is gone.
#[derive(Clone)]
pub struct Outlet {
    name: Arc<str>,
    room: usize,
    overflow: Overflow,
    queue: Sender<Load>,
    /// The other end, for discarding what waits longest.
    oldest: Receiver<Load>,
    shared: Arc<Shared>,
}

/// What is shared with a handler's thread.
#[derive(Default)]
struct Shared {
    /// Items in the queue and in the handler's hands.
    waiting: AtomicUsize,
    /// Records that found the queue full and were not told of yet.
    untold: AtomicU64,
    /// Records that were discarded before what now waits longest, and were not told of yet.
    untold_before: AtomicU64,
    /// Records there was no room for.
    skipped: AtomicU64,
    /// Records there was.
    accepted: AtomicU64,
    filtered: AtomicU64,
    written: AtomicU64,
    reopen: AtomicBool,
    ended: AtomicBool,
    /// It has ended because nobody reads any more.
    is_unread: AtomicBool,
}

/// A batch in a queue, with the number of records that are missing before it.
struct Load {
    skipped: u64,
    batch: Batch,
    /// Everything up to this number of `history/progress.rs` came with it or before it.
    number: Option<u64>,
}

impl Lanes {
    /// No lane yet.
    pub fn new(say: &Say) -> Self {
        Self {
            lanes: Vec::new(),
            ended: Vec::new(),
            progress: None,
            say: say.clone(),
        }
    }

    /// Lanes that skip nothing, and say there what they have written safely.
    pub fn accountable_to(self, progress: Arc<Progress>) -> Self {
        Self {
            progress: Some(progress),
            ..self
        }
    }

    /// Starts a lane. Its thread begins when `after` is closed: what the handler's predecessor
    /// still has to write comes first.
    pub fn start(
        &mut self,
        config: Config,
        after: Option<Receiver<Infallible>>,
    ) -> std::io::Result<Outlet> {
        let mark = self.progress.as_ref().map(Progress::join);
        let lane = Lane::start(config, self.say.clone(), after, mark)?;
        let outlet = lane.outlet.clone();
        self.lanes.push(lane);
        Ok(outlet)
    }

    /// The way into the lane of this handler; of two, into the later one.
    pub fn outlet(&self, name: &str) -> Option<Outlet> {
        let mut lanes = self.lanes.iter().rev();
        let lane = lanes.find(|lane| *lane.outlet.name == *name)?;
        Some(lane.outlet.clone())
    }

    /// Asks every handler to open its file anew.
    pub fn reopen(&self) {
        for lane in &self.lanes {
            lane.outlet.shared.reopen.store(true, Ordering::Relaxed);
        }
    }

    /// Keeps the lanes that these lead to and lets the others write what is queued for them; all
    /// other outlets to those must be gone already.
    pub fn retain(&mut self, kept: &[Outlet]) {
        let lanes = std::mem::take(&mut self.lanes);
        let is_kept = |lane: &Lane| kept.iter().any(|outlet| outlet.leads_to(lane));
        let (kept, gone) = lanes.into_iter().partition(is_kept);
        self.lanes = kept;
        let reports = close(gone, CLOSE_WITHIN, &self.say);
        self.ended.extend(reports);
    }

    /// Lets every handler write what is queued, and closes it; a handler that stands still is not
    /// waited for longer than five seconds. All other outlets must be gone already.
    pub fn close(self) -> Vec<HandlerReport> {
        self.close_within(CLOSE_WITHIN)
    }

    /// The same, with another bound.
    pub fn close_within(self, longest: Duration) -> Vec<HandlerReport> {
        let ended = self.ended;
        let all = ended
            .into_iter()
            .chain(close(self.lanes, longest, &self.say));
        let mut reports: Vec<HandlerReport> = Vec::new();
        for report in all {
            // A handler that was replaced on the way is one handler to whoever reads the report.
            match reports.iter_mut().find(|known| known.name == report.name) {
                Some(known) => known.add(&report),
                None => reports.push(report),
            }
        }
        reports
    }
}

impl HandlerReport {
    fn add(&mut self, other: &HandlerReport) {
        self.written += other.written;
        self.filtered += other.filtered;
        self.skipped += other.skipped;
        self.failed += other.failed;
        self.is_unread = other.is_unread;
    }
}

fn close(lanes: Vec<Lane>, longest: Duration, say: &Say) -> Vec<HandlerReport> {
    let deadline = Instant::now() + longest;
    // Closed queues are how the threads end; closing all of them first lets all end at once.
    let closed: Vec<Closed> = lanes.into_iter().map(Lane::close).collect();
    closed
        .iter()
        .map(|closed| closed.wait(deadline, longest, say))
        .collect()
}

impl Lane {
    fn start(
        config: Config,
        say: Say,
        after: Option<Receiver<Infallible>>,
        mark: Option<Mark>,
    ) -> std::io::Result<Self> {
        let (queue, loads) = unbounded();
        let (over_in, over) = bounded(0);
        let name: Arc<str> = config.handler.name().into();
        let outlet = Outlet {
            name: name.clone(),
            // What waits for a durable subscription's lanes is bounded by credit.
            room: if mark.is_some() {
                usize::MAX
            } else {
                config.room
            },
            overflow: config.overflow,
            queue,
            oldest: loads.clone(),
            shared: Arc::default(),
        };
        let runner = Runner {
            name: name.clone(),
            handler: config.handler,
            sieve: config.sieve,
            shared: outlet.shared.clone(),
            say,
            complained: HashMap::new(),
            account: Account::new(mark),
            _over: over_in,
        };
        std::thread::Builder::new()
            .name(format!("logsub-{name}"))
            .spawn(move || {
                if let Some(after) = after {
                    // Nothing is ever sent: this waits for the end.
                    let _closed = after.recv();
                }
                runner.run(&loads);
            })?;
        Ok(Self { outlet, over })
    }

    fn close(self) -> Closed {
        let Outlet { name, shared, .. } = self.outlet;
        Closed {
            name,
            shared,
            over: self.over,
        }
    }
}

impl Outlet {
    /// Hands a batch over. Never waits.
    pub fn offer(&self, batch: &Batch) {
        let (count, shared) = (records(batch), &self.shared);
        if !self.has_room(batch.len()) {
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
        self.send(Load {
            skipped,
            batch: batch.clone(),
            number: None,
        });
    }

    /// The same when there is room for it, or when there is no more time for that: what comes from a
    /// journal need not be skipped, because the rest of it waits there.
    pub fn offer_patiently(&self, batch: &Batch, is_urgent: &AtomicBool) {
        let has_room = || {
            let waiting = self.shared.waiting.load(Ordering::Acquire);
            waiting == 0 || waiting.saturating_add(batch.len()) <= self.room
        };
        self.wait_until(has_room, is_urgent);
        self.offer(batch);
    }

    /// Waits until the handler has taken everything, or there is no more time for that.
    pub fn wait_until_idle(&self, is_urgent: &AtomicBool) {
        self.wait_until(|| self.is_idle(), is_urgent);
    }

    fn wait_until(&self, is_so: impl Fn() -> bool, is_urgent: &AtomicBool) {
        while !is_so() && !self.has_ended() && !is_urgent.load(Ordering::Relaxed) {
            // Nothing is ever sent: this waits.
            let _rested = never::<Infallible>().recv_timeout(LOOK_EVERY);
        }
    }

    /// Says that everything up to this number has been handed over.
    pub fn mark(&self, number: u64) {
        if !self.has_ended() {
            self.send(Load {
                skipped: 0,
                batch: Batch::default(),
                number: Some(number),
            });
        }
    }

    fn send(&self, load: Load) {
        if self.queue.send(load).is_err() {
            // The thread panicked, and has said so.
            self.shared.ended.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the handler has ended, because nobody reads what it writes.
    pub fn has_ended(&self) -> bool {
        self.shared.ended.load(Ordering::Relaxed)
    }

    /// Whether nothing waits, and the handler has nothing in its hands.
    pub(crate) fn is_idle(&self) -> bool {
        self.shared.waiting.load(Ordering::Acquire) == 0
    }

    fn leads_to(&self, lane: &Lane) -> bool {
        Arc::ptr_eq(&self.shared, &lane.outlet.shared)
    }

    /// Whether a batch of `more` items has room, which is made where that is the policy.
    fn has_room(&self, more: usize) -> bool {
        loop {
            let waiting = self.shared.waiting.load(Ordering::Acquire);
            if waiting == 0 || waiting.saturating_add(more) <= self.room {
                return true;
            }
            if self.overflow == Overflow::DiscardNewest || !self.discard_oldest() {
                return false;
            }
        }
    }

    /// Discards the batch that waits longest; `false` when only the handler's own is left.
    fn discard_oldest(&self) -> bool {
        let Ok(load) = self.oldest.try_recv() else {
            return false;
        };
        let (count, shared) = (records(&load.batch), &self.shared);
        shared.accepted.fetch_sub(count, Ordering::Relaxed);
        shared.skipped.fetch_add(count, Ordering::Relaxed);
        shared
            .untold_before
            .fetch_add(count + load.skipped, Ordering::Release);
        shared
            .waiting
            .fetch_sub(load.batch.len(), Ordering::Release);
        true
    }
}

fn records(batch: &[Item]) -> u64 {
    batch
        .iter()
        .filter(|item| matches!(item, Item::Record(_)))
        .count() as u64
}

/// A lane whose queue takes nothing more.
struct Closed {
    name: Arc<str>,
    shared: Arc<Shared>,
    over: Receiver<Infallible>,
}

impl Closed {
    fn wait(&self, deadline: Instant, longest: Duration, say: &Say) -> HandlerReport {
        let is_late = self.over.recv_deadline(deadline) == Err(RecvTimeoutError::Timeout);
        let written = self.shared.written.load(Ordering::Acquire);
        let filtered = self.shared.filtered.load(Ordering::Acquire);
        let accepted = self.shared.accepted.load(Ordering::Relaxed);
        let report = HandlerReport {
            name: self.name.to_string(),
            written,
            filtered,
            skipped: self.shared.skipped.load(Ordering::Relaxed),
            failed: accepted.saturating_sub(written + filtered),
            is_unread: self.shared.is_unread.load(Ordering::Relaxed),
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
    name: Arc<str>,
    handler: Box<dyn Handler>,
    sieve: Sieve,
    shared: Arc<Shared>,
    say: Say,
    /// When each kind of error was last complained about.
    complained: HashMap<std::io::ErrorKind, Instant>,
    account: Account,
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
            match loads.recv_timeout(self.until_flush(flushed)) {
                Ok(load) => self.take(&load),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let is_pause = loads.is_empty();
            if is_pause {
                self.tell_what_was_skipped();
            }
            if is_pause || self.until_flush(flushed).is_zero() {
                self.tick(process::now());
                if self.call(|handler| handler.flush()) {
                    self.settle();
                }
                flushed = Instant::now();
            }
        }
        self.tell_what_was_skipped();
        self.tick(u64::MAX);
        let result = self.handler.close();
        if self.judge(result) {
            self.settle();
        }
        self.close_account();
        // These were taken for written when they were taken in.
        let (dropped, held_back) = (self.handler.dropped(), self.handler.held_back());
        self.shared.filtered.fetch_add(held_back, Ordering::Release);
        let written = self.shared.written.load(Ordering::Acquire);
        let written = written.saturating_sub(dropped + held_back);
        self.shared.written.store(written, Ordering::Release);
    }

    /// How long until the handler is to be flushed, which it last was then.
    fn until_flush(&self, flushed: Instant) -> Duration {
        let usual = FLUSH_EVERY.saturating_sub(flushed.elapsed());
        let has_ended = self.shared.ended.load(Ordering::Relaxed);
        // One that has ended is not flushed any more, so what was due stays due.
        match self.handler.due().filter(|_| !has_ended) {
            Some(due) => usual.min(due.saturating_duration_since(Instant::now())),
            None => usual,
        }
    }

    fn take(&mut self, load: &Load) {
        let before = self.shared.untold_before.swap(0, Ordering::Acquire);
        if before + load.skipped > 0 {
            self.tell(before + load.skipped);
        }
        let (batch, filtered) = sifted(&mut self.sieve, &load.batch);
        self.shared.filtered.fetch_add(filtered, Ordering::Release);
        if batch.is_empty() || self.emit(&batch) {
            self.shared
                .written
                .fetch_add(records(&batch), Ordering::Release);
        }
        let length = load.batch.len();
        self.shared.waiting.fetch_sub(length, Ordering::Release);
        self.account.note(load.number, &*self.handler);
    }

    /// Has the handler take a batch in; of a durable subscription as often as it takes.
    fn emit(&mut self, batch: &[Item]) -> bool {
        while !self.call(|handler| handler.emit(batch)) {
            if !self.account.is_open() || self.shared.ended.load(Ordering::Relaxed) {
                return false;
            }
            // Nothing is ever sent: this waits.
            let _rested = never::<Infallible>().recv_timeout(TRY_AGAIN);
        }
        true
    }

    /// Says what is written safely.
    fn settle(&mut self) {
        let result = self.account.settle(&mut *self.handler, &self.say);
        self.judge(result);
    }

    fn close_account(&mut self) {
        let has_ended = self.shared.ended.load(Ordering::Relaxed);
        self.account.close(&*self.handler, has_ended);
    }

    /// Where nothing waits any more, what was skipped is missing at just this place.
    fn tell_what_was_skipped(&mut self) {
        let before = self.shared.untold_before.swap(0, Ordering::Acquire);
        let records = before + self.shared.untold.swap(0, Ordering::Acquire);
        if records > 0 {
            self.tell(records);
        }
    }

    fn tell(&mut self, records: u64) {
        self.call(|handler| handler.emit(&[Item::Notice(Notice::Behind { records })]));
    }

    fn tick(&mut self, now: u64) {
        let mut notices = Vec::new();
        self.sieve.tick(now, &mut notices);
        if !notices.is_empty() {
            let items: Vec<Item> = notices.into_iter().map(Item::Notice).collect();
            self.call(|handler| handler.emit(&items));
        }
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
            Err(Fault::Ended) => {
                self.shared.is_unread.store(true, Ordering::Relaxed);
                self.shared.ended.store(true, Ordering::Relaxed);
                self.close_account();
            }
            Err(Fault::Io(error)) => self.complain(&error),
            Err(Fault::Partly(error)) => {
                self.complain(&error);
                return true;
            }
        }
        false
    }

    fn complain(&mut self, error: &std::io::Error) {
        let now = Instant::now();
        let last = self.complained.insert(error.kind(), now);
        match last {
            Some(last) if now.duration_since(last) < COMPLAIN_EVERY => {
                self.complained.insert(error.kind(), last);
            }
            _ => (self.say)(&format!("{}: {error}", self.name)),
        }
    }
}

/// What of a batch its handler should have, and how many records it should not.
fn sifted<'a>(sieve: &mut Sieve, batch: &'a [Item]) -> (Cow<'a, [Item]>, u64) {
    if sieve.is_open() {
        return (Cow::Borrowed(batch), 0);
    }
    let (mut kept, mut notices, mut filtered) = (Vec::with_capacity(batch.len()), Vec::new(), 0);
    let now = process::now();
    for item in batch {
        let mut item = item.clone();
        if let Item::Record(delivered) = &mut item
            && !sieve.pass(delivered, now, &mut notices)
        {
            filtered += 1;
            continue;
        }
        kept.extend(notices.drain(..).map(Item::Notice));
        kept.push(item);
    }
    kept.extend(notices.drain(..).map(Item::Notice));
    (Cow::Owned(kept), filtered)
}

#[cfg(test)]
mod tests;
