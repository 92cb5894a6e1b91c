//! Events that wait on disk: a queue that outlives the program.
//!
//! The store is redb, which is checksummed and crash-safe; a commit has happened or has not. Events
//! have ascending numbers, so they leave in the order in which they came. Nothing is deleted but
//! what was delivered, or given up and counted. The queue is bounded in bytes: beyond, it takes
//! nothing more.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};

const EVENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");
/// Memory for the store's pages; events are read once and in order.
const CACHE: usize = 8 << 20;

/// The queue; see the head of this file.
pub(super) struct Spool {
    store: Database,
    /// The number of the next event.
    next: u64,
    waiting: u64,
    bytes: u64,
    most: u64,
}

/// Some events from the front of the queue.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// The number of each event and its line.
    pub(super) events: Vec<(u64, String)>,
}

impl Spool {
    /// Opens a queue of `most` bytes, or makes it, readable for nobody else.
    pub(super) fn open(path: &Path, most: u64) -> anyhow::Result<Self> {
        if let Some(parent) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            let mut builder = DirBuilder::new();
            let made = builder.recursive(true).mode(0o700).create(parent);
            made.with_context(|| format!("cannot make {}", parent.display()))?;
        }
        let opened = Database::builder().set_cache_size(CACHE).create(path);
        let store = opened.map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => anyhow::anyhow!(
                "another logsub uses the spool {}; give this one another: spool: PATH",
                path.display()
            ),
            other => anyhow::anyhow!("cannot open the spool {}: {other}", path.display()),
        })?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        let mut spool = Self {
            store,
            next: 0,
            waiting: 0,
            bytes: 0,
            most,
        };
        spool
            .count()
            .with_context(|| format!("cannot read the spool {}", path.display()))?;
        Ok(spool)
    }

    /// Finds what an earlier run has left.
    fn count(&mut self) -> Result<(), redb::Error> {
        let write = self.store.begin_write()?;
        {
            let table = write.open_table(EVENTS)?;
            for entry in table.iter()? {
                let (number, event) = entry?;
                self.next = number.value() + 1;
                self.waiting += 1;
                self.bytes += event.value().len() as u64;
            }
        }
        Ok(write.commit()?)
    }

    /// Events that wait.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Appends events; they are on disk when this returns. Says how many had no room.
    pub(super) fn push(&mut self, events: &[String]) -> Result<u64, redb::Error> {
        let write = self.store.begin_write()?;
        let (mut taken, mut bytes) = (0, 0);
        {
            let mut table = write.open_table(EVENTS)?;
            for event in events {
                let more = event.len() as u64;
                if self.bytes + bytes + more > self.most {
                    break;
                }
                table.insert(self.next + taken, event.as_bytes())?;
                taken += 1;
                bytes += more;
            }
        }
        write.commit()?;
        self.next += taken;
        self.waiting += taken;
        self.bytes += bytes;
        Ok(events.len() as u64 - taken)
    }

    /// The first events, up to so many and so many bytes, but at least one.
    pub(super) fn front(&self, most: usize, most_bytes: usize) -> Result<Waiting, redb::Error> {
        let table = self.store.begin_read()?.open_table(EVENTS)?;
        let (mut waiting, mut bytes) = (Waiting::default(), 0);
        for entry in table.iter()?.take(most) {
            let (number, event) = entry?;
            bytes += event.value().len() + 1;
            if bytes > most_bytes && !waiting.events.is_empty() {
                break;
            }
            let line = String::from_utf8_lossy(event.value()).into_owned();
            waiting.events.push((number.value(), line));
        }
        Ok(waiting)
    }

    /// Deletes events that were delivered or given up.
    pub(super) fn remove(&mut self, numbers: &[u64]) -> Result<(), redb::Error> {
        let write = self.store.begin_write()?;
        let (mut removed, mut bytes) = (0, 0);
        {
            let mut table = write.open_table(EVENTS)?;
            for number in numbers {
                if let Some(event) = table.remove(number)? {
                    removed += 1;
                    bytes += event.value().len() as u64;
                }
            }
        }
        write.commit()?;
        self.waiting = self.waiting.saturating_sub(removed);
        self.bytes = self.bytes.saturating_sub(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn front(spool: &Spool) -> Vec<String> {
        let front = spool.front(100, 1000).unwrap().events;
        front.into_iter().map(|(_, event)| event).collect()
    }

    #[test]
    fn what_waits_is_there_after_a_restart_in_its_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/a.redb");
        let mut spool = Spool::open(&path, 100).unwrap();
        assert_eq!(spool.push(&events(&["one", "two"])).unwrap(), 0);
        drop(spool);
        let mut spool = Spool::open(&path, 100).unwrap();
        spool.push(&events(&["three"])).unwrap();
        assert_eq!(front(&spool), ["one", "two", "three"]);
        let first = spool.front(1, 1000).unwrap().events[0].0;
        spool.remove(&[first]).unwrap();
        assert_eq!(
            (front(&spool), spool.waiting()),
            (events(&["two", "three"]), 2)
        );
    }

    #[test]
    fn what_has_no_room_is_counted_and_room_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(&dir.path().join("a.redb"), 7).unwrap();
        assert_eq!(spool.push(&events(&["one", "two", "three"])).unwrap(), 1);
        spool.remove(&[0, 1]).unwrap();
        assert_eq!(spool.push(&events(&["three"])).unwrap(), 0);
        assert_eq!(front(&spool), ["three"]);
    }

    #[test]
    fn a_batch_has_its_bounds_but_never_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(&dir.path().join("a.redb"), 1000).unwrap();
        spool
            .push(&events(&["longer than that", "b", "c"]))
            .unwrap();
        assert_eq!(spool.front(9, 5).unwrap().events.len(), 1);
        assert_eq!(spool.front(2, 500).unwrap().events.len(), 2);
    }

    #[test]
    fn two_programs_cannot_share_a_spool_and_are_told_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.redb");
        let _held = Spool::open(&path, 7).unwrap();
        let error = Spool::open(&path, 7).err().unwrap().to_string();
        assert!(error.contains("another logsub uses the spool"), "{error}");
    }
}
