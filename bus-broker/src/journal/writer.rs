//! The one thread that writes.
//!
//! It takes what waits, writes it as one batch, syncs as it was told to, and only then says what
//! became of it: a sync serves all that waited. Between batches it deletes what the limits do not
//! allow. When the disk refuses something it keeps the batch, says so once, and tries again until
//! the disk takes it; nobody is told that anything was kept meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use logbus_process as process;

use super::book::{Arrival, Book, Refusal};
use super::intake::{Gauge, Intake, Job, Outcome, intake};
use super::limits::Fsync;
use super::rescue::{self, Rescue};
use super::retain::Retention;
use super::rows::Consumer;
use super::shares::{self, Shares};
use super::store::{JournalError, Watch};
use super::{Journal, JournalConfig};

/// The most that is written as one batch.
const BATCH_MESSAGES: usize = 2048;
const BATCH_BYTES: usize = 8 << 20;
/// How often limits are looked at, and a disk is tried that refused.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the free space is measured while some is owed: what was deleted is freed by and by.
const MEASURE_EVERY: Duration = Duration::from_secs(15);
/// A sender that was not heard for so long is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(30 * 86_400);
const FORGET_EVERY: Duration = Duration::from_secs(86_400);

/// What a journal did from start to end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalCounts {
    /// Messages that were kept.
    pub entries: u64,
    /// Records in them.
    pub records: u64,
    /// Messages that were there before.
    pub known: u64,
    /// Records of PUB/SUB traffic for which it was too slow.
    pub not_kept: u64,
    /// Records beyond their publishers' shares, which were not kept.
    pub over_share: u64,
    /// Damaged entries that readers came by.
    pub damaged: u64,
    /// Records that retention deleted, by prefix.
    pub deleted: BTreeMap<String, u64>,
}

/// Told what an operator should know.
pub(crate) type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// A journal at work.
pub(crate) struct Writer {
    pub(crate) journal: Arc<Journal>,
    pub(crate) intake: Intake,
    pub(crate) outcomes: Receiver<Outcome>,
    stop: Sender<()>,
    thread: JoinHandle<JournalCounts>,
}

impl Writer {
    /// Opens a journal. `wake` is called when there are outcomes or new entries.
    pub(crate) fn start(
        config: &JournalConfig,
        say: Say,
        wake: Box<dyn Fn() + Send>,
        watch: Option<Watch>,
    ) -> Result<Self, JournalError> {
        let (book, rescued) = rescue::open(&config.dir, config.fsync, watch.clone())?;
        tell(&rescued, &say);
        let journal = Arc::new(Journal::new(book.id()?, &book));
        let (intake, queue, gauge) = intake(config.topics.as_deref());
        let (outcomes, outcomes_here) = unbounded();
        let (stop, stopped) = bounded(1);
        let now = Instant::now();
        let retention = Retention::new(config.classes());
        let mut work = Work {
            shares: Shares::new(config.share, &retention, &retention.used(&book)),
            dir: config.dir.clone(),
            fsync: config.fsync,
            watch,
            retention,
            book: Some(book),
            journal: journal.clone(),
            outcomes,
            gauge,
            say,
            wake,
            stopped,
            counts: JournalCounts::default(),
            unsynced: false,
            next_sync: now,
            next_look: now,
            next_measure: now,
            next_forget: now + FORGET_EVERY,
            told_lost: 0,
        };
        let thread = std::thread::Builder::new()
            .name("logbus-journal".to_owned())
            .spawn(move || {
                process::block_signals();
                work.run(&queue)
            })?;
        Ok(Self {
            journal,
            intake,
            outcomes: outcomes_here,
            stop,
            thread,
        })
    }

    /// Writes what waits, and ends.
    pub(crate) fn close(self) -> JournalCounts {
        self.stop.try_send(()).ok();
        self.intake.end();
        self.thread.join().unwrap_or_default()
    }
}

fn tell(rescued: &Rescue, say: &Say) {
    for notice in rescued.notices() {
        say(&notice);
    }
}

struct Work {
    dir: PathBuf,
    fsync: Fsync,
    watch: Option<Watch>,
    retention: Retention,
    shares: Shares,
    /// `None` while it is opened again.
    book: Option<Book>,
    journal: Arc<Journal>,
    outcomes: Sender<Outcome>,
    gauge: Arc<Gauge>,
    say: Say,
    wake: Box<dyn Fn() + Send>,
    stopped: Receiver<()>,
    counts: JournalCounts,
    unsynced: bool,
    next_sync: Instant,
    next_look: Instant,
    next_measure: Instant,
    next_forget: Instant,
    told_lost: u64,
}

/// What is written together.
#[derive(Default)]
struct Batch {
    arrivals: Vec<Arrival>,
    notes: BTreeMap<String, Consumer>,
    forgotten: BTreeSet<String>,
    bytes: usize,
    /// Whether nothing comes after it.
    is_last: bool,
}

impl Batch {
    fn add(&mut self, job: Job) {
        match job {
            Job::Append(arrival) => {
                self.bytes += arrival.draft.len();
                self.arrivals.push(arrival);
            }
            Job::Note(name, consumer) => {
                self.forgotten.remove(&name);
                self.notes.insert(name, consumer);
            }
            Job::Forget(name) => {
                self.notes.remove(&name);
                self.forgotten.insert(name);
            }
            Job::End => self.is_last = true,
        }
    }

    fn is_full(&self) -> bool {
        self.is_last || self.arrivals.len() >= BATCH_MESSAGES || self.bytes >= BATCH_BYTES
    }
}

impl Work {
    fn run(&mut self, queue: &Receiver<Job>) -> JournalCounts {
        loop {
            let mut batch = Batch::default();
            match queue.recv_deadline(self.deadline()) {
                Ok(job) => batch.add(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while !batch.is_full()
                && let Ok(job) = queue.try_recv()
            {
                batch.add(job);
            }
            if !self.write_until_done(&mut batch) || batch.is_last {
                break;
            }
        }
        self.finish()
    }

    fn finish(&mut self) -> JournalCounts {
        if let Some(book) = self.book.take()
            && book.store.sync().is_ok()
        {
            self.journal.hide();
            drop(book);
            rescue::closed(&self.dir);
        }
        self.counts.not_kept = self.gauge.lost();
        std::mem::take(&mut self.counts)
    }

    fn deadline(&self) -> Instant {
        if self.unsynced {
            self.next_sync.min(self.next_look)
        } else {
            self.next_look
        }
    }

    /// Writes a batch, however long the disk takes for it; `false` when it was told to stop first.
    fn write_until_done(&mut self, batch: &mut Batch) -> bool {
        let mut failed: Option<Instant> = None;
        loop {
            match self.step(batch) {
                Ok(()) => break,
                Err(error) if failed.is_none() => {
                    failed = Some(Instant::now());
                    (self.say)(&format!(
                        "the journal cannot be written: {error}; PUB/SUB goes on, durable publishers wait"
                    ));
                }
                Err(_) => {}
            }
            self.journal.hide();
            self.book = None;
            if self.stopped.recv_timeout(LOOK_EVERY).is_ok() {
                return false;
            }
        }
        if let Some(failed) = failed {
            let seconds = failed.elapsed().as_secs();
            (self.say)(&format!("the journal is written again, after {seconds} s"));
            self.tell_lost();
        }
        true
    }

    /// One batch and what is due after it. Doing it again after an error does nothing twice.
    fn step(&mut self, batch: &mut Batch) -> Result<(), JournalError> {
        self.open_again()?;
        self.write(batch)?;
        self.sync_when_due()?;
        let now = Instant::now();
        if self.next_look <= now {
            self.look(now)?;
            self.tell_lost();
        }
        Ok(())
    }

    fn open_again(&mut self) -> Result<(), JournalError> {
        if self.book.is_none() {
            let (book, rescued) = rescue::open(&self.dir, self.fsync, self.watch.clone())?;
            tell(&rescued, &self.say);
            self.journal.show(&book);
            self.book = Some(book);
        }
        Ok(())
    }

    fn write(&mut self, batch: &mut Batch) -> Result<(), JournalError> {
        let Some(book) = &mut self.book else {
            return Err(JournalError::Closed);
        };
        if batch.arrivals.is_empty() && batch.notes.is_empty() && batch.forgotten.is_empty() {
            return Ok(());
        }
        judge(&mut batch.arrivals, &self.retention, &self.shares);
        let placed = book.append(&mut batch.arrivals, process::now())?;
        book.note(&batch.notes)?;
        for name in &batch.forgotten {
            book.remove_consumer(name)?;
        }
        if self.fsync == Fsync::Always {
            book.store.sync()?;
        } else if let (Fsync::Interval(every), false) = (self.fsync, self.unsynced) {
            self.unsynced = true;
            self.next_sync = Instant::now() + every;
        }
        book.store.watch("ack")?;
        self.journal.advance(book);
        for (arrival, placed) in batch.arrivals.drain(..).zip(placed) {
            self.gauge.left(&arrival);
            let class = self.retention.classes().of(arrival.draft.topic.as_str());
            if placed.offset.is_some() {
                let bytes = arrival.draft.len();
                self.shares.enter(class, arrival.publisher(), bytes);
            }
            let outcome = match arrival.refusal {
                Some(refusal) => {
                    self.refuse(&arrival, class, refusal);
                    Outcome::Refused(refusal)
                }
                None => {
                    self.counts.count(&arrival, placed.offset.is_some());
                    Outcome::Placed(placed)
                }
            };
            if arrival.is_durable {
                self.outcomes.send(outcome).ok();
            }
        }
        for (name, consumer) in std::mem::take(&mut batch.notes) {
            self.outcomes
                .send(Outcome::Noted(name, consumer.below))
                .ok();
        }
        (self.wake)();
        Ok(())
    }

    /// Counts what a publisher wanted kept beyond its share, and tells of it.
    fn refuse(&mut self, arrival: &Arrival, class: usize, refusal: Refusal) {
        if refusal != Refusal::OverShare {
            return;
        }
        let header = &arrival.draft.header;
        self.counts.over_share += u64::from(header.count);
        let who = format!("the publisher with the sender id {}", header.sender);
        let name = self.retention.classes().name(class);
        if let Some(line) = self.shares.refused(&who, &name, Instant::now()) {
            (self.say)(&line);
        }
    }

    fn sync_when_due(&mut self) -> Result<(), JournalError> {
        if self.unsynced
            && self.next_sync <= Instant::now()
            && let Some(book) = &self.book
        {
            book.store.sync()?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// Looks at the limits, and deletes some of what must go.
    fn look(&mut self, now: Instant) -> Result<(), JournalError> {
        let Some(book) = &mut self.book else {
            return Ok(());
        };
        if self.next_measure <= now && self.retention.min_free() > 0 {
            self.retention.measure(free_space(&self.dir));
            self.next_measure = now + MEASURE_EVERY;
        }
        let trimmed = self.retention.trim(book, process::now())?;
        for (class, (_, records)) in &trimmed.by_class {
            let name = self.retention.classes().name(*class);
            *self.counts.deleted.entry(name).or_default() += records;
        }
        for (class, bytes) in &trimmed.bytes {
            self.shares.forget(*class, *bytes);
        }
        if self.next_forget <= now {
            let since = FORGET_AFTER.as_nanos();
            book.forget_senders(process::now().saturating_sub(u64::try_from(since).unwrap_or(0)))?;
            self.next_forget = now + FORGET_EVERY;
        }
        self.next_look = if trimmed.is_more {
            now
        } else {
            now + LOOK_EVERY
        };
        Ok(())
    }

    fn tell_lost(&mut self) {
        let lost = self.gauge.lost();
        if lost > self.told_lost {
            let more = lost - self.told_lost;
            (self.say)(&format!(
                "{more} records of PUB/SUB traffic were not journalled: the disk is too slow for them"
            ));
            self.told_lost = lost;
        }
    }
}

/// Decides of each message whether it may be kept.
fn judge(arrivals: &mut [Arrival], retention: &Retention, shares: &Shares) {
    let mut in_hand = BTreeMap::<(usize, u64), u64>::new();
    for arrival in arrivals {
        let topic = arrival.draft.topic.as_str();
        let (class, bytes) = (retention.classes().of(topic), arrival.draft.len());
        let besides = in_hand.entry((class, arrival.publisher())).or_default();
        arrival.refusal = if bytes as u64 > retention.room(topic) {
            Some(Refusal::TooLarge)
        } else if !shares.has_room(class, arrival.publisher(), *besides, bytes) {
            Some(Refusal::OverShare)
        } else {
            *besides += shares::size(bytes);
            None
        };
    }
}

impl JournalCounts {
    fn count(&mut self, arrival: &Arrival, is_new: bool) {
        if is_new {
            self.entries += 1;
            self.records += u64::from(arrival.draft.header.count);
        } else {
            self.known += 1;
        }
    }
}

/// `journalled 1000 records in 20 messages, 3 messages sent again`.
impl fmt::Display for JournalCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "journalled {} records in {} messages",
            self.records, self.entries
        )?;
        for (count, what) in [
            (self.known, "messages sent again"),
            (self.not_kept, "records not journalled"),
            (self.over_share, "records beyond their publishers' shares"),
            (self.damaged, "damaged messages met"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        for (prefix, count) in &self.deleted {
            write!(f, ", {count} records of {prefix} deleted")?;
        }
        Ok(())
    }
}

/// Bytes that are free on the disk; where that cannot be told, plenty.
fn free_space(dir: &Path) -> u64 {
    let told = nix::sys::statvfs::statvfs(dir);
    told.map_or(u64::MAX, |told| {
        told.blocks_available().saturating_mul(told.fragment_size())
    })
}
