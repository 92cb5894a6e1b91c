//! The one thread that writes.
//!
//! It takes what waits, writes it as one batch, syncs as it was told to, and only then says what
//! became of it: a sync serves all that waited. Between batches it keeps house
//! (`housekeeping.rs`). When the disk refuses something it keeps the batch, says so once, and tries
//! again until the disk takes it; nobody is told that anything was kept meanwhile.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use logbus_process as process;

use super::batch::Batch;
use super::book::{Arrival, Book, Refusal};
use super::check::Check;
use super::counts::JournalCounts;
use super::doubt::Doubt;
use super::housekeeping::Housekeeping;
use super::intake::{Gauge, Intake, Job, Outcome, intake};
use super::limits::Fsync;
use super::rescue::{self, Rescue};
use super::store::{JournalError, Watch};
use super::{Journal, JournalConfig};

/// How often a disk is tried that refused.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// Told what an operator should know.
pub(crate) type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// A journal at work.
pub(crate) struct Writer {
    pub(crate) journal: Arc<Journal>,
    pub(crate) intake: Intake,
    pub(crate) outcomes: Receiver<Outcome>,
    stop: Sender<()>,
    thread: JoinHandle<JournalCounts>,
    check: Check,
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
        let check = Check::start(journal.clone(), &config.dir, say.clone())?;
        let mut work = Work {
            dir: config.dir.clone(),
            fsync: config.fsync,
            watch,
            housekeeping: Housekeeping::new(config, &book),
            book: Some(book),
            journal: journal.clone(),
            outcomes,
            gauge,
            say,
            wake,
            stopped,
            counts: JournalCounts::default(),
            unsettled: rescued.was_open,
            unsynced: false,
            next_sync: Instant::now(),
            told_lost: 0,
            doubt: Doubt::default(),
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
            check,
        })
    }

    /// Writes what waits, and ends.
    pub(crate) fn close(self) -> JournalCounts {
        let found = self.check.close();
        self.stop.try_send(()).ok();
        self.intake.end();
        JournalCounts {
            found_damaged: found.entries,
            ..self.thread.join().unwrap_or_default()
        }
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
    housekeeping: Housekeeping,
    /// `None` while it is opened again.
    book: Option<Book>,
    journal: Arc<Journal>,
    outcomes: Sender<Outcome>,
    gauge: Arc<Gauge>,
    say: Say,
    wake: Box<dyn Fn() + Send>,
    stopped: Receiver<()>,
    counts: JournalCounts,
    /// Whether what came before the book was opened may never have come to the disk.
    unsettled: bool,
    unsynced: bool,
    next_sync: Instant,
    told_lost: u64,
    doubt: Doubt,
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
        self.journal.hide();
        if let Some(book) = self.book.take() {
            // Where the disk refuses, the next start finds that it did not end properly.
            drop(rescue::close(book, &self.dir));
        }
        self.counts.not_kept = self.gauge.lost();
        std::mem::take(&mut self.counts)
    }

    fn deadline(&self) -> Instant {
        if self.unsynced {
            self.next_sync.min(self.housekeeping.due())
        } else {
            self.housekeeping.due()
        }
    }

    /// Writes a batch, however long the disk takes for it; `false` when it was told to stop first.
    fn write_until_done(&mut self, batch: &mut Batch) -> bool {
        let mut failed: Option<Instant> = None;
        while let Err(error) = self.step(batch) {
            if failed.is_none() {
                failed = Some(Instant::now());
                (self.say)(&format!(
                    "the journal cannot be written: {error}; PUB/SUB goes on, durable publishers wait"
                ));
            }
            self.doubt.meet(&error);
            self.journal.hide();
            self.book = None;
            if self.stopped.recv_timeout(TRY_EVERY).is_ok() {
                return false;
            }
        }
        self.doubt.is_over();
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
        self.settle()?;
        self.write(batch)?;
        self.sync_when_due()?;
        if self.housekeeping.is_due(Instant::now()) {
            if let Some(book) = &mut self.book {
                self.housekeeping.look(book, &mut self.counts)?;
                self.journal.advance(book);
            }
            self.tell_lost();
        }
        Ok(())
    }

    fn open_again(&mut self) -> Result<(), JournalError> {
        if self.book.is_none() {
            let (mut book, mut rescued) = self.open_whole()?;
            // What readers may have seen is not given to other messages.
            rescued.lost += book.go_on_from(self.journal.tail(), process::now())?;
            self.unsettled = true;
            tell(&rescued, &self.say);
            book.cursors = self.journal.cursors.clone();
            self.housekeeping.begin_anew();
            self.book = Some(book);
        }
        Ok(())
    }

    /// A disk says once that it did not take what was written, and a sync that comes later says nothing of
    /// that. In tables all of it is written anew, and then readers may see it.
    fn settle(&mut self) -> Result<(), JournalError> {
        if self.unsettled
            && let Some(book) = &self.book
        {
            book.store.settle()?;
            self.journal.show(book);
            self.unsettled = false;
        }
        Ok(())
    }

    /// Opens the journal in a database that can be worked with.
    fn open_whole(&mut self) -> Result<(Book, Rescue), JournalError> {
        if !self.doubt.is_certain() {
            let opened = rescue::open(&self.dir, self.fsync, self.watch.clone())?;
            if !self.doubt.finds_damage(&opened.0.store, Instant::now()) {
                return Ok(opened);
            }
        }
        rescue::open_anew(&self.dir, self.fsync, self.watch.clone())
    }

    fn write(&mut self, batch: &mut Batch) -> Result<(), JournalError> {
        let Some(book) = &mut self.book else {
            return Err(JournalError::Closed);
        };
        if batch.arrivals.is_empty() && batch.notes.is_empty() && batch.forgotten.is_empty() {
            return Ok(());
        }
        self.housekeeping.judge(&mut batch.arrivals);
        let placed = book.append(&mut batch.arrivals, process::now())?;
        for name in &batch.forgotten {
            book.remove_consumer(name)?;
        }
        book.note(&batch.notes)?;
        if self.fsync == Fsync::Always {
            book.store.sync()?;
        } else if let (Fsync::Interval(every), false) = (self.fsync, self.unsynced) {
            self.unsynced = true;
            self.next_sync = Instant::now() + every;
        }
        book.store.watch("ack")?;
        self.journal.advance(book);
        self.housekeeping.wrote(std::mem::take(&mut batch.bytes));
        for (arrival, placed) in batch.arrivals.drain(..).zip(placed) {
            self.gauge.left(&arrival);
            if placed.offset.is_some() {
                self.housekeeping.enter(&arrival);
            }
            let outcome = match arrival.refusal {
                Some(refusal) => {
                    self.refuse(&arrival, refusal);
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
                .send(Outcome::Noted(name, consumer.below, consumer.handed))
                .ok();
        }
        (self.wake)();
        Ok(())
    }

    /// Counts what a publisher wanted kept beyond its share, and tells of it.
    fn refuse(&mut self, arrival: &Arrival, refusal: Refusal) {
        if refusal != Refusal::OverShare {
            return;
        }
        self.counts.over_share += u64::from(arrival.draft.header.count);
        if let Some(line) = self.housekeeping.refused(arrival) {
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
