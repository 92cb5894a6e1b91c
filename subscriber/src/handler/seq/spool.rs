//! Events that wait on disk: a queue that outlives the program.
//!
//! The store is redb, which is checksummed and crash-safe; a commit has happened or has not. Events
//! have ascending numbers, so they leave in the order in which they came. Nothing is deleted but
//! what was delivered, or given up and counted. The queue is bounded in bytes: beyond, it takes
//! nothing more.
//!
//! A row of the store holds some events, a line each, under the number of the first; one that was
//! delivered leaves an empty line. That a delivery is done is on disk with the next events, or after
//! some deliveries, or when nothing waits any more: a sync for each would take longer than all the
//! rest, and what a crash brings back is only sent twice.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;
use redb::{Database, DatabaseError, Durability, ReadableDatabase, ReadableTable, TableDefinition};

const EVENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");
/// Memory for the store's pages; events are read once and in order.
const CACHE: usize = 8 << 20;
/// Events of one row at most: a row is written again when only some of them were delivered.
const ROW: usize = 100;
/// Deliveries that may be done and not be on disk as such.
const UNSETTLED: u32 = 8;

/// The queue; see the head of this file.
pub(super) struct Spool {
    store: Database,
    /// The number of the next event.
    next: u64,
    waiting: u64,
    bytes: u64,
    most: u64,
    /// Deliveries since the last sync.
    unsettled: u32,
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
            unsettled: 0,
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
                let (first, row) = entry?;
                self.next = first.value();
                for event in lines(row.value()) {
                    self.next += 1;
                    self.waiting += u64::from(!event.is_empty());
                    self.bytes += event.len() as u64;
                }
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
                taken += 1;
                bytes += more;
            }
            let (taken, _) = events.split_at(taken);
            for (row, first) in taken.chunks(ROW).zip((self.next..).step_by(ROW)) {
                table.insert(first, row.join("\n").as_bytes())?;
            }
        }
        write.commit()?;
        self.unsettled = 0;
        let taken = taken as u64;
        self.next += taken;
        self.waiting += taken;
        self.bytes += bytes;
        Ok(events.len() as u64 - taken)
    }

    /// The first events, up to so many and so many bytes, but at least one.
    pub(super) fn front(&self, most: usize, most_bytes: usize) -> Result<Waiting, redb::Error> {
        let table = self.store.begin_read()?.open_table(EVENTS)?;
        let (mut waiting, mut bytes) = (Waiting::default(), 0);
        for entry in table.iter()? {
            let (first, row) = entry?;
            for (number, event) in (first.value()..).zip(lines(row.value())) {
                if event.is_empty() {
                    continue;
                }
                bytes += event.len() + 1;
                let is_full = waiting.events.len() >= most || bytes > most_bytes;
                if is_full && !waiting.events.is_empty() {
                    return Ok(waiting);
                }
                let line = String::from_utf8_lossy(event).into_owned();
                waiting.events.push((number, line));
            }
        }
        Ok(waiting)
    }

    /// Deletes events that were delivered or given up.
    pub(super) fn remove(&mut self, numbers: &[u64]) -> Result<(), redb::Error> {
        let mut write = self.store.begin_write()?;
        let (mut removed, mut bytes) = (0, 0);
        let is_last = numbers.len() as u64 >= self.waiting;
        if !is_last && self.unsettled < UNSETTLED {
            write.set_durability(Durability::None)?;
        }
        {
            let mut table = write.open_table(EVENTS)?;
            let mut rows: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
            for number in numbers {
                if let Some((first, _)) = table.range(..=*number)?.next_back().transpose()? {
                    rows.entry(first.value()).or_default().push(*number);
                }
            }
            for (first, numbers) in rows {
                let Some(row) = table.remove(first)?.map(|row| row.value().to_vec()) else {
                    continue;
                };
                let mut events: Vec<&[u8]> = lines(&row).collect();
                for number in numbers {
                    if let Some(event) = events.get_mut((number - first) as usize) {
                        removed += u64::from(!event.is_empty());
                        bytes += std::mem::take(event).len() as u64;
                    }
                }
                if events.iter().any(|event| !event.is_empty()) {
                    table.insert(first, events.join(&b'\n').as_slice())?;
                }
            }
        }
        write.commit()?;
        self.unsettled = match is_last || self.unsettled >= UNSETTLED {
            true => 0,
            false => self.unsettled + 1,
        };
        self.waiting = self.waiting.saturating_sub(removed);
        self.bytes = self.bytes.saturating_sub(bytes);
        Ok(())
    }

    /// Has it on disk what was delivered.
    pub(super) fn settle(&mut self) -> Result<(), redb::Error> {
        if self.unsettled > 0 {
            self.store.begin_write()?.commit()?;
            self.unsettled = 0;
        }
        Ok(())
    }
}

fn lines(row: &[u8]) -> impl Iterator<Item = &[u8]> {
    row.split(|byte| *byte == b'\n')
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
    fn what_was_delivered_out_of_many_does_not_come_again_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.redb");
        let texts: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        let mut spool = Spool::open(&path, 10_000).unwrap();
        spool.push(&texts).unwrap();
        for number in [0, 999, 250] {
            spool.remove(&[number]).unwrap();
        }
        spool.remove(&(1..200).collect::<Vec<_>>()).unwrap();
        assert_eq!(spool.front(1, 1000).unwrap().events[0].0, 200);
        spool.settle().unwrap();
        drop(spool);
        let mut spool = Spool::open(&path, 10_000).unwrap();
        assert_eq!(spool.waiting(), 798);
        spool.push(&events(&["the last"])).unwrap();
        let all = spool.front(10_000, 100_000).unwrap().events;
        let numbers: Vec<u64> = all.iter().map(|(number, _)| *number).collect();
        let expected = (200..999).filter(|number| *number != 250);
        assert_eq!(numbers, expected.chain([1000]).collect::<Vec<_>>());
        assert_eq!(all[0].1, "200");
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
