//! The journal: native messages on disk, by offset, topic and time.
//!
//! It knows no sockets. `entry.rs` and `rows.rs` say what is stored, `store.rs` where; `book.rs`
//! appends, `retain.rs` deletes, `read.rs` reads, `rescue.rs` opens whatever it finds. One thread
//! writes (`writer.rs`) and keeps house (`housekeeping.rs`), and whoever has something for it puts it
//! into a bounded queue (`intake.rs`). Everybody else reads through a [`Journal`]; the first to do so
//! looks for damage (`check.rs`). A database that does not open, or that cannot be worked with
//! (`doubt.rs`), is replaced by one of what is whole in it (`anew.rs`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use logbus_schemas::{Topic, TopicFilter};

mod limits;
mod entry;
mod rows;
mod store;
mod window;
mod book;
mod retain;
mod shares;
mod read;
mod subs;
mod rescue;
mod anew;
mod intake;
mod batch;
mod counts;
mod housekeeping;
mod check;
mod doubt;
mod writer;
mod scan;
mod offline;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
#[cfg(test)]
mod tests;

pub(crate) use book::{Placed, Refusal};
pub use counts::JournalCounts;
pub(crate) use entry::{Draft, Entry};
pub(crate) use intake::{Intake, Outcome};
pub use limits::{BadLimit, Fsync, Keep, Limits, parse_age, parse_size};
pub use offline::{Damage, Offline, TopicInfo, Verified};
pub(crate) use read::{Cause, Chunk, Gap, Item, Wanted};
pub(crate) use rows::Consumer;
pub use store::JournalError;
pub(crate) use store::Watch;
pub use subs::ConsumerInfo;
pub(crate) use writer::Writer;

use book::{Book, Cursors};
use limits::Classes;
use store::Store;

/// A subscription that is further behind is not counted to the end: others wait meanwhile.
const LINES_COUNTED: u64 = 200_000;
/// And who wants the last records of some topics begins no further back.
const LINES_LOOKED_AT: usize = 200_000;

/// What a journal is told.
#[derive(Debug, Clone)]
pub struct JournalConfig {
    /// The folder of its files.
    pub dir: PathBuf,
    /// When what was written is synced.
    pub fsync: Fsync,
    /// How much is kept of topics that no prefix names.
    pub limits: Limits,
    /// How much is kept of the topics below a prefix.
    pub keep: Vec<Keep>,
    /// Percent of the bytes of a class with a limit that one publisher may have; `None` is all.
    pub share: Option<u8>,
    /// Which PUB/SUB traffic is journalled; `None` is none, an empty list all.
    pub topics: Option<Vec<TopicFilter>>,
}

impl JournalConfig {
    /// A journal in this folder that keeps everything, synced every 50 ms.
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            fsync: Fsync::Interval(std::time::Duration::from_millis(50)),
            limits: Limits::default(),
            keep: Vec::new(),
            share: None,
            topics: None,
        }
    }

    fn classes(&self) -> Classes {
        Classes::new(self.keep.clone(), self.limits)
    }
}

/// The readers' half of a journal.
#[derive(Debug)]
pub(crate) struct Journal {
    id: u64,
    /// `None` while it is opened again.
    store: RwLock<Option<Store>>,
    /// Those that it has, and which state of the book they are of.
    topics: RwLock<(u64, Arc<[Topic]>)>,
    tail: AtomicU64,
    purged_to: AtomicU64,
    damaged: AtomicU64,
    cursors: Cursors,
}

impl Journal {
    fn new(id: u64, book: &Book) -> Self {
        let journal = Self {
            id,
            store: RwLock::new(None),
            topics: RwLock::new((0, Arc::new([]))),
            tail: AtomicU64::new(0),
            purged_to: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
            cursors: book.cursors.clone(),
        };
        journal.show(book);
        journal
    }

    /// Lets readers see what the book has.
    fn show(&self, book: &Book) {
        let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
        *store = Some(book.store.clone());
        self.advance(book);
    }

    /// Lets readers see what was appended, and where there is nothing any more.
    fn advance(&self, book: &Book) {
        let known = self.topics.read().unwrap_or_else(PoisonError::into_inner).0;
        if known != book.topics_state {
            let topics = book.totals.keys().cloned().collect();
            *self.topics.write().unwrap_or_else(PoisonError::into_inner) =
                (book.topics_state, topics);
        }
        self.purged_to.fetch_max(book.purged_to, Ordering::Release);
        self.tail.store(book.next, Ordering::Release);
    }

    /// Lets go of the database, so that it can be opened again.
    fn hide(&self) {
        *self.store.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn topics(&self) -> Arc<[Topic]> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.1.clone()
    }

    fn with<T>(
        &self,
        ask: impl FnOnce(&Store) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        ask(store.as_ref().ok_or(JournalError::Closed)?)
    }

    /// Random for each journal.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The next entry's offset.
    pub(crate) fn tail(&self) -> u64 {
        self.tail.load(Ordering::Acquire)
    }

    /// Marks of deleted entries below this one may have been deleted themselves since the broker
    /// started: what they said is in the accounts of the durable subscriptions.
    pub(crate) fn purged_to(&self) -> u64 {
        self.purged_to.load(Ordering::Acquire)
    }

    /// Notes how far a durable subscription has come: what is deleted before that was handed out, or it
    /// was told of it.
    pub(crate) fn reached(&self, name: &str, cursor: u64) {
        let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        cursors.insert(name.to_owned(), cursor);
    }

    /// Entries that were found damaged, as often as somebody came by them.
    pub(crate) fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Reads from `at` on, never further than what readers may see.
    pub(crate) fn read(&self, at: u64, wanted: &Wanted) -> Result<Chunk, JournalError> {
        let tail = self.tail();
        let topics = self.topics();
        let bounded = Wanted {
            until: wanted.until.min(tail),
            ..wanted.clone()
        };
        let chunk = self.with(|store| store.read(at, &bounded, &topics))?;
        let gaps = chunk.items.iter().filter_map(|item| match item {
            Item::Gone(gap) if gap.cause == Cause::Damage => Some(gap.to - gap.from),
            _ => None,
        });
        self.damaged.fetch_add(gaps.sum(), Ordering::Relaxed);
        Ok(chunk)
    }

    /// The first entry that came then or later, or the next one that will.
    pub(crate) fn at_time(&self, time: u64) -> Result<u64, JournalError> {
        self.with(|store| store.at_time(time, self.tail()))
    }

    /// The oldest entry that is there.
    pub(crate) fn oldest(&self) -> Result<u64, JournalError> {
        self.with(|store| store.oldest(self.tail()))
    }

    /// Where the last so many records of some topics begin.
    pub(crate) fn at_last(&self, records: u64, wanted: &Wanted) -> Result<u64, JournalError> {
        let (topics, bounds) = (self.topics(), (LINES_LOOKED_AT, self.tail()));
        self.with(|store| store.at_last(records, wanted, &topics, bounds))
    }

    /// What people want to know of the durable subscriptions.
    pub(crate) fn consumer_infos(&self) -> Result<Vec<ConsumerInfo>, JournalError> {
        self.with(|store| store.consumer_infos(LINES_COUNTED))
    }

    /// All durable subscriptions, by name.
    pub(crate) fn consumers(&self) -> Result<BTreeMap<String, Consumer>, JournalError> {
        self.with(Store::consumers)
    }

    /// A durable subscription.
    pub(crate) fn consumer(&self, name: &str) -> Result<Option<Consumer>, JournalError> {
        self.with(|store| store.consumer(name))
    }
}
