//! The files of a journal: a fjall database and what its keyspaces hold.
//!
//! ```text
//! entries    offset             -> the entry (entry.rs)
//! catalog    offset             -> what it is, without its payload (rows.rs)
//! topics     topic 0 offset     -> nothing: the index by topic
//! times      received           -> offset: the index by time, a row for every 100 ms
//! positions  sender and topic   -> how far that sender has come there
//! consumers  name               -> where a durable subscription is
//! totals     topic              -> how much there is of it
//! meta       word               -> the journal's id, and where its catalog begins
//! ```
//!
//! What belongs together is written in one batch, which is there after a crash or is not. Values
//! are stored uncompressed, so that what is whole can be found in files that are not.

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fjall::{
    AbstractTree, Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode,
};

use super::rows::key;

/// Where the database lies in the journal's folder.
pub(super) const FOLDER: &str = "store";
/// An entry of at least so many bytes lies in a file of values, where no compaction copies it.
const SEPARATE: u32 = 1024;
/// A file of values of which this part was deleted is written anew by the next compaction, however
/// young it is: so files take at most twice what is left in them.
const STALE: f32 = 0.5;
/// Bytes of entries held in memory before they go to a table, and again while they are written there;
/// what retention deletes is freed in such steps.
const MEMTABLE: u64 = 8 << 20;
/// The same of each of the other keyspaces. Rows that change with every batch fill these, too: each
/// change is held until the table is written.
const SMALL_MEMTABLE: u64 = 2 << 20;
/// Bytes of blocks and values kept in memory because they were read.
const CACHE: u64 = 16 << 20;
/// Files kept open because they were read; a process may often have 1024, and sockets are some.
const OPEN_FILES: usize = 256;
/// Bytes of sealed write-ahead files; fjall takes no smaller number, and seals at 64 MB.
const WRITE_AHEAD: u64 = 64 << 20;

/// How often it is looked whether tables are written.
const TABLE_WAIT: Duration = Duration::from_millis(1);
/// And how long they are waited for.
const TABLE_PATIENCE: Duration = Duration::from_secs(60);

/// What went wrong with a journal.
#[derive(Debug)]
#[non_exhaustive]
pub enum JournalError {
    /// Another program has it open.
    Locked(PathBuf),
    /// The system refused something.
    Disk(std::io::Error),
    /// What is on disk is not what was written.
    Damaged(String),
    /// It is closed at the moment, because of an earlier error.
    Closed,
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JournalError::Locked(path) => write!(
                f,
                "{}: another program has this journal open, most likely a running bus-broker; stop it first",
                path.display()
            ),
            JournalError::Disk(error) => write!(f, "{error}"),
            JournalError::Damaged(what) => write!(f, "damaged: {what}"),
            JournalError::Closed => write!(f, "closed because of an earlier error"),
        }
    }
}

impl std::error::Error for JournalError {}

impl From<std::io::Error> for JournalError {
    fn from(error: std::io::Error) -> Self {
        JournalError::Disk(error)
    }
}

impl From<fjall::Error> for JournalError {
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => {
                match error.kind() {
                    // Files that should be there are not, or end too early.
                    ErrorKind::NotFound | ErrorKind::UnexpectedEof | ErrorKind::InvalidData => {
                        JournalError::Damaged(error.to_string())
                    }
                    _ => JournalError::Disk(error),
                }
            }
            fjall::Error::Poisoned => JournalError::Closed,
            other => JournalError::Damaged(other.to_string()),
        }
    }
}

/// Called before and after each step that writes, with the step's name. Tests look at the files
/// then, or let the step fail.
pub(crate) type Watch = Arc<dyn Fn(&'static str) -> std::io::Result<()> + Send + Sync>;

/// The open database.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) db: Database,
    pub(crate) entries: Keyspace,
    pub(crate) catalog: Keyspace,
    pub(crate) topics: Keyspace,
    pub(crate) times: Keyspace,
    pub(crate) positions: Keyspace,
    pub(crate) consumers: Keyspace,
    pub(crate) totals: Keyspace,
    pub(crate) meta: Keyspace,
    pub(crate) watch: Option<Watch>,
}

impl Store {
    /// Opens the database in a journal's folder, or makes it.
    pub(crate) fn open(dir: &Path, watch: Option<Watch>) -> Result<Self, JournalError> {
        std::fs::create_dir_all(dir)?;
        let folder = dir.join(FOLDER);
        let db = Database::builder(&folder)
            .max_journaling_size(WRITE_AHEAD)
            .cache_size(CACHE)
            .max_cached_files(Some(OPEN_FILES))
            .worker_threads(2)
            .open()
            .map_err(|error| match error {
                fjall::Error::Locked => JournalError::Locked(dir.to_owned()),
                other => other.into(),
            })?;
        let small = || KeyspaceCreateOptions::default().max_memtable_size(SMALL_MEMTABLE);
        let separate = KvSeparationOptions::default()
            .separation_threshold(SEPARATE)
            .staleness_threshold(STALE)
            .age_cutoff(1.0);
        let large = KeyspaceCreateOptions::default()
            .max_memtable_size(MEMTABLE)
            .with_kv_separation(Some(separate));
        Ok(Self {
            entries: db.keyspace("entries", || large)?,
            catalog: db.keyspace("catalog", small)?,
            topics: db.keyspace("topics", small)?,
            times: db.keyspace("times", small)?,
            positions: db.keyspace("positions", small)?,
            consumers: db.keyspace("consumers", small)?,
            totals: db.keyspace("totals", small)?,
            meta: db.keyspace("meta", small)?,
            db,
            watch,
        })
    }

    /// A batch that goes to the operating system as one.
    pub(crate) fn batch(&self) -> fjall::OwnedWriteBatch {
        self.db.batch().durability(Some(PersistMode::Buffer))
    }

    /// Writes a batch; `step` is its name.
    pub(crate) fn commit(
        &self,
        batch: fjall::OwnedWriteBatch,
        step: &'static str,
    ) -> Result<(), JournalError> {
        self.watch(step)?;
        batch.commit()?;
        self.watch(step)?;
        Ok(())
    }

    /// Returns when all that was written is on disk.
    pub(crate) fn sync(&self) -> Result<(), JournalError> {
        self.watch("sync")?;
        self.db.persist(PersistMode::SyncData)?;
        self.watch("sync")?;
        Ok(())
    }

    /// Says that a step begins, or is over.
    pub(crate) fn watch(&self, step: &'static str) -> Result<(), JournalError> {
        logbus_process::crash_point("journal", step);
        match &self.watch {
            Some(watch) => Ok(watch(step)?),
            None => Ok(()),
        }
    }

    fn keyspaces(&self) -> [&Keyspace; 8] {
        [
            &self.entries,
            &self.catalog,
            &self.topics,
            &self.times,
            &self.positions,
            &self.consumers,
            &self.totals,
            &self.meta,
        ]
    }

    /// Write-ahead files that wait for tables to be written.
    pub(crate) fn sealed_files(&self) -> usize {
        self.db.journal_count().saturating_sub(1)
    }

    /// Has everything that is in memory written to tables, so that sealed write-ahead files can go:
    /// fjall itself waits for a second one. Does not wait for it.
    pub(crate) fn write_tables(&self) -> Result<(), JournalError> {
        for keyspace in self.keyspaces() {
            keyspace.rotate_memtable()?;
        }
        Ok(())
    }

    /// Returns when all that was written is on disk in tables.
    pub(crate) fn settle(&self) -> Result<(), JournalError> {
        self.sync()?;
        self.write_tables()?;
        let end = Instant::now() + TABLE_PATIENCE;
        let waits = |keyspace: &Keyspace| keyspace.tree.sealed_memtable_count() > 0;
        while self.keyspaces().into_iter().any(waits) {
            // This tells whether the threads that write them have ended.
            self.db.persist(PersistMode::Buffer)?;
            if Instant::now() > end {
                return Err(io::Error::from(ErrorKind::TimedOut).into());
            }
            // fjall tells nobody when a table is written.
            std::thread::park_timeout(TABLE_WAIT);
        }
        Ok(())
    }

    /// Lets go of the tables and files of values that hold nothing but entries below this offset.
    /// What is in others stays until they can go, or a compaction finds that it was removed.
    pub(crate) fn drop_below(&self, offset: u64) -> Result<(), JournalError> {
        self.watch("drop")?;
        self.entries
            .tree
            .drop_range(..key(offset))
            .map_err(fjall::Error::from)?;
        // The files go with the last view of the database that has them, and fjall looks for such
        // when a table is written, if something was written in between.
        let mut batch = self.batch();
        batch.insert(&self.meta, "dropped", key(offset));
        self.commit(batch, "drop")?;
        self.meta.rotate_memtable()?;
        Ok(())
    }

    /// Reads everything, up to what cannot be read.
    pub(crate) fn read_through(&self) -> Result<(), JournalError> {
        for keyspace in self.keyspaces() {
            for row in keyspace.iter() {
                row.into_inner()?;
            }
        }
        Ok(())
    }

    /// Frees what was deleted, at once.
    pub(crate) fn compact(&self) -> Result<(), JournalError> {
        self.settle()?;
        for keyspace in self.keyspaces() {
            keyspace.major_compact()?;
        }
        Ok(())
    }
}

/// Bytes that the files below a folder take on disk; what was only reserved for them is not counted.
pub(crate) fn space_of(folder: &Path) -> u64 {
    let listing = std::fs::read_dir(folder).into_iter().flatten();
    let paths = listing.filter_map(|item| Some(item.ok()?.path()));
    paths
        .map(|path| match path.metadata() {
            Ok(is) if is.is_dir() => space_of(&path),
            Ok(is) => is.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}
