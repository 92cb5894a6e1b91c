//! A look at every entry after each start, so that damage is told before a reader comes by it.
//!
//! It reads as readers do, beside everything else and not faster than disks like, up to where the
//! journal ended when it began. What it finds it says in one line at its end; it repairs nothing.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use logbus_process as process;

use super::Journal;
use super::read::{Cause, Item, Wanted};
use super::store::JournalError;
use super::writer::Say;

/// Between two reads of about 4 MiB.
const PAUSE: Duration = Duration::from_millis(50);
/// Where the journal cannot be read at the moment.
const CLOSED_PAUSE: Duration = Duration::from_secs(1);

/// Damage that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Found {
    /// Entries beside one another are one place.
    pub(super) places: u64,
    pub(super) entries: u64,
    /// Records in them, as far as that is known.
    pub(super) records: u64,
}

/// A look that is going on.
pub(super) struct Check {
    stop: Sender<()>,
    thread: JoinHandle<Found>,
}

impl Check {
    /// Begins to look.
    pub(super) fn start(journal: Arc<Journal>, dir: &Path, say: Say) -> Result<Self, JournalError> {
        let (stop, stopped) = bounded(1);
        let dir = dir.display().to_string();
        let thread = std::thread::Builder::new()
            .name("logbus-check".to_owned())
            .spawn(move || {
                process::block_signals();
                let found = look(&journal, &stopped);
                if found.places > 0 {
                    say(&found.line(&dir));
                }
                found
            })?;
        Ok(Self { stop, thread })
    }

    /// Ends, at once. What was found by then comes back.
    pub(super) fn close(self) -> Found {
        self.stop.try_send(()).ok();
        self.thread.join().unwrap_or_default()
    }
}

fn look(journal: &Journal, stopped: &Receiver<()>) -> Found {
    let mut found = Found::default();
    let (mut at, end) = (0, journal.tail());
    while at < end {
        let mut pause = PAUSE;
        match journal.check(at, end) {
            Ok(chunk) => {
                found.add(&chunk.items);
                at = chunk.next.max(at + 1);
            }
            Err(_) => pause = CLOSED_PAUSE,
        }
        if at < end && stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            break;
        }
    }
    found
}

impl Found {
    fn add(&mut self, items: &[Item]) {
        for item in items {
            if let Item::Gone(gap) = item
                && gap.cause == Cause::Damage
            {
                self.places += 1;
                self.entries += gap.to - gap.from;
                self.records += gap.records;
            }
        }
    }

    fn line(&self, dir: &str) -> String {
        let Self {
            places,
            entries,
            records,
        } = self;
        format!(
            "damaged places in the journal: {places}; they cost {entries} messages with at least {records} records; when no broker runs, bus-broker journal verify --journal {dir} names them"
        )
    }
}

impl Journal {
    /// A part of what a reader of everything would be sent, not counted as a reader's.
    fn check(&self, at: u64, end: u64) -> Result<super::Chunk, JournalError> {
        let wanted = Wanted {
            until: end,
            most: usize::MAX,
            ..Wanted::default()
        };
        self.with(|store| store.read(at, &wanted, &[]))
    }
}
