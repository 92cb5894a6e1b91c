//! A journal that no broker has open: looking at it, checking it, copying it.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::anew;
use super::book::{Arrival, Book};
use super::entry::Entry;
use super::limits::Fsync;
use super::rescue::{self, Rescue};
use super::rows::{Line, key, number};
use super::scan::Scan;
use super::store::JournalError;
use super::subs::ConsumerInfo;

/// Entries that are imported as one batch.
const BATCH: usize = 500;
/// Entries that are removed as one batch.
const REMOVED: usize = 10_000;

/// A journal, opened for one command.
#[derive(Debug)]
pub struct Offline {
    book: Book,
    dir: PathBuf,
    rescue: Rescue,
}

/// What there is of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// The topic.
    pub topic: String,
    /// Entries that are there.
    pub entries: u64,
    /// Records in them.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records that were deleted to make room.
    pub deleted: u64,
}

/// An entry that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Its place.
    pub offset: u64,
    /// Its topic, where that is known.
    pub topic: Option<String>,
    /// Records in it; 0 where that is not known.
    pub records: u64,
    /// What is wrong.
    pub what: &'static str,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    /// Entries that are whole.
    pub entries: u64,
    /// Records in them.
    pub records: u64,
    /// Entries that are not.
    pub damaged: u64,
}

impl Offline {
    /// Opens the journal in this folder, which must be there.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        if !anew::is_there(dir) {
            let text = format!("{}: there is no journal", dir.display());
            return Err(std::io::Error::new(std::io::ErrorKind::NotFound, text).into());
        }
        Self::open_or_make(dir)
    }

    /// Opens the journal in this folder, or makes one.
    pub fn open_or_make(dir: &Path) -> Result<Self, JournalError> {
        let (book, rescue) = rescue::open(dir, Fsync::Always, None)?;
        Ok(Self {
            book,
            dir: dir.to_owned(),
            rescue,
        })
    }

    /// What had to be done to open it, where that was anything.
    pub fn notices(&self) -> Vec<String> {
        self.rescue.notices()
    }

    /// What there is, by topic.
    pub fn topics(&self) -> Vec<TopicInfo> {
        let all = self.book.totals.iter().map(|(topic, totals)| TopicInfo {
            topic: topic.to_string(),
            entries: totals.entries,
            records: totals.records,
            bytes: totals.bytes,
            deleted: totals.gone_records,
        });
        let mut all: Vec<TopicInfo> = all.collect();
        all.sort_by(|a, b| a.topic.cmp(&b.topic));
        all
    }

    /// The oldest entry and the newest: offset and time of each.
    pub fn ends(&self) -> Result<Option<[(u64, u64); 2]>, JournalError> {
        let present = |row: fjall::Guard| {
            let (name, line) = row.into_inner().ok()?;
            let line = Line::read(&line).filter(|line| !line.is_gone)?;
            Some((number(&name)?, line.received))
        };
        let first = self.book.store.catalog.iter().find_map(present);
        let last = self.book.store.catalog.iter().rev().find_map(present);
        Ok(first.zip(last).map(|(first, last)| [first, last]))
    }

    /// The next entry's offset.
    pub fn next(&self) -> u64 {
        self.book.next
    }

    /// Bytes on disk.
    pub fn disk_space(&self) -> u64 {
        super::store::space_of(&self.dir)
    }

    /// Checks every entry; what is damaged is told as it is found.
    pub fn verify(&self, mut tell: impl FnMut(Damage)) -> Result<Verified, JournalError> {
        let mut verified = Verified::default();
        let mut at = self.book.floor;
        while at < self.book.next {
            for row in self.book.lines_from(at) {
                let Ok((name, line)) = row.into_inner() else {
                    break;
                };
                let Some(offset) = number(&name) else {
                    continue;
                };
                at = offset + 1;
                self.check(offset, Line::read(&line), &mut verified, &mut tell);
            }
            if at < self.book.next && self.is_catalog_broken(at) {
                self.check(at, None, &mut verified, &mut tell);
                at += 1;
            } else {
                break;
            }
        }
        Ok(verified)
    }

    fn is_catalog_broken(&self, at: u64) -> bool {
        let next = self.book.lines_from(at).next();
        next.is_some_and(|row| row.into_inner().is_err())
    }

    fn check(
        &self,
        offset: u64,
        line: Option<Line>,
        verified: &mut Verified,
        tell: &mut impl FnMut(Damage),
    ) {
        let is_lost = line.as_ref().is_some_and(|line| line.is_lost);
        if line.as_ref().is_some_and(|line| line.is_gone) && !is_lost {
            return;
        }
        let what = match self.entry(offset) {
            _ if is_lost => "it was lost",
            Ok(entry) => {
                verified.entries += 1;
                verified.records += u64::from(entry.header.count);
                return;
            }
            Err(what) => what,
        };
        verified.damaged += 1;
        tell(Damage {
            offset,
            topic: line
                .as_ref()
                .filter(|_| !is_lost)
                .map(|line| line.topic.to_string()),
            records: line.map_or(0, |line| u64::from(line.records)),
            what,
        });
    }

    fn entry(&self, offset: u64) -> Result<Entry, &'static str> {
        let row = self.book.store.entries.get(key(offset));
        let bytes = row
            .map_err(|_| "it cannot be read")?
            .ok_or("it is missing")?;
        let entry = Entry::read(&bytes).ok_or("its checksum is wrong")?;
        let is_here = entry.offset == offset;
        is_here.then_some(entry).ok_or("it is another entry")
    }

    /// Writes every entry that is whole, one after the other. Returns how many.
    pub fn export(&self, to: &mut impl Write) -> Result<u64, JournalError> {
        let mut count = 0;
        for row in self.book.lines_from(self.book.floor) {
            let Ok((name, line)) = row.into_inner() else {
                continue;
            };
            if Line::read(&line).is_some_and(|line| line.is_gone) {
                continue;
            }
            if let Some(Ok(entry)) = number(&name).map(|offset| self.entry(offset)) {
                to.write_all(entry.bytes())?;
                count += 1;
            }
        }
        to.flush()?;
        Ok(count)
    }

    /// Appends exported entries. Returns how many were new, how many were here already, and how
    /// many bytes of the file belong to no whole entry.
    pub fn import(&mut self, from: &mut impl Read) -> Result<(u64, u64, u64), JournalError> {
        let mut scan = Scan::new(from);
        let (mut new, mut known) = (0, 0);
        loop {
            let mut arrivals = Vec::new();
            let mut received = 0;
            while arrivals.len() < BATCH
                && let Some(entry) = scan.next()?
            {
                received = entry.received;
                arrivals.push(Arrival {
                    draft: entry.to_draft(),
                    is_durable: true,
                    refusal: None,
                    owner: None,
                    first: None,
                });
            }
            if arrivals.is_empty() {
                break;
            }
            for placed in self.book.append(&mut arrivals, received)? {
                *(if placed.offset.is_some() {
                    &mut new
                } else {
                    &mut known
                }) += 1;
            }
        }
        self.book.store.sync()?;
        Ok((new, known, scan.passed_over()))
    }

    /// Frees what was deleted. Returns the bytes on disk before and after.
    pub fn compact(&self) -> Result<(u64, u64), JournalError> {
        let before = self.disk_space();
        self.remove_deleted()?;
        self.book.store.compact()?;
        Ok((before, self.disk_space()))
    }

    /// Removes what retention left for whole tables to take along.
    fn remove_deleted(&self) -> Result<(), JournalError> {
        let store = &self.book.store;
        let mut batch = store.batch();
        for row in store.entries.iter() {
            let Ok(name) = row.key() else { continue };
            let line = store.catalog.get(&name)?;
            let is_there = |line: &fjall::Slice| Line::read(line).is_none_or(|line| !line.is_gone);
            if !line.as_ref().is_some_and(is_there) {
                batch.remove(&store.entries, name);
            }
            if batch.len() >= REMOVED {
                store.commit(batch, "retain")?;
                batch = store.batch();
            }
        }
        store.commit(batch, "retain")
    }

    /// The durable subscriptions, by name.
    pub fn consumers(&self) -> Result<Vec<ConsumerInfo>, JournalError> {
        self.book.store.consumer_infos(u64::MAX)
    }

    /// Forgets a durable subscription; says whether there was one.
    pub fn remove_consumer(&mut self, name: &str) -> Result<bool, JournalError> {
        let was = self.book.remove_consumer(name)?;
        self.book.store.sync()?;
        Ok(was)
    }
}

impl Drop for Offline {
    fn drop(&mut self) {
        if self.book.store.settle().is_ok() {
            rescue::closed(&self.dir);
        }
    }
}
