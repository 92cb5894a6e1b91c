//! Reading a part of a journal: what is there, and what should be and is not.
//!
//! A reader goes through the catalog, or through the index of its topics where those are few, and
//! fetches only what it wants. An entry that retention has deleted, and one whose bytes are not
//! what was written, becomes a gap with the number of its records. One call looks at a bounded
//! number of lines.

use std::ops::Bound;

use fjall::{Readable, Snapshot};
use logbus_schemas::{Topic, TopicFilter};

use super::book::ANY_TOPIC;
use super::entry::Entry;
use super::rows::{Line, key, number, topic_key, topic_offset};
use super::store::{JournalError, Store};

/// Lines of the catalog that one call looks at.
const LINES: usize = 8192;
/// Bytes of entries that one call returns, about.
const BYTES: usize = 4 << 20;
/// With so many topics or fewer their index is read, and with more the catalog.
const INDEXED: usize = 16;
/// Offsets that are tried one by one where the catalog is damaged.
const TRIED: u64 = 256;

/// What a reader wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Wanted {
    /// These topics; none is all.
    pub(crate) topics: Vec<TopicFilter>,
    /// Only entries before this one.
    pub(crate) until: u64,
    /// It is not told of what was deleted before this time.
    pub(crate) since: u64,
    /// Entries and gaps, at most.
    pub(crate) most: usize,
}

/// Why an entry is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It was deleted to make room.
    Retention,
    /// Its bytes are not what was written.
    Damage,
}

/// Entries that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) from: u64,
    /// Behind the last of them.
    pub(crate) to: u64,
    pub(crate) records: u64,
    pub(crate) cause: Cause,
}

/// A thing that a reader comes by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    Entry(Entry),
    Gone(Gap),
}

/// A part of a journal.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Chunk {
    pub(crate) items: Vec<Item>,
    /// Where to go on.
    pub(crate) next: u64,
}

impl Wanted {
    pub(crate) fn wants(&self, topic: &str) -> bool {
        self.topics.is_empty() || self.topics.iter().any(|filter| filter.matches(topic))
    }
}

impl Store {
    /// Reads from `at` on. `known` are the topics that the journal has.
    pub(crate) fn read(
        &self,
        at: u64,
        wanted: &Wanted,
        known: &[Topic],
    ) -> Result<Chunk, JournalError> {
        let mut reading = Reading {
            store: self,
            snapshot: self.db.snapshot(),
            wanted,
            items: Vec::new(),
            bytes: 0,
        };
        let mine: Vec<&Topic> = known
            .iter()
            .filter(|topic| wanted.wants(topic.as_str()))
            .collect();
        let next = if wanted.topics.is_empty() || mine.len() > INDEXED {
            reading.by_catalog(at)?
        } else {
            reading.by_topics(at, &mine)?
        };
        Ok(Chunk {
            items: reading.items,
            next,
        })
    }

    /// The first entry that came then or later; where there is none, `end`.
    pub(crate) fn at_time(&self, time: u64, end: u64) -> Result<u64, JournalError> {
        let before = (Bound::Unbounded, Bound::Excluded(key(time)));
        let near = self.times.range(before).next_back();
        let near = near.map(fjall::Guard::value).transpose()?;
        let from = near.and_then(|offset| number(&offset)).unwrap_or(0);
        for row in self.catalog.range(key(from)..key(end)) {
            let (offset, line) = row.into_inner()?;
            if let (Some(offset), Some(line)) = (number(&offset), Line::read(&line))
                && !line.is_gone
                && line.received >= time
            {
                return Ok(offset);
            }
        }
        Ok(end)
    }

    /// The oldest entry that is there; where there is none, `end`.
    pub(crate) fn oldest(&self, end: u64) -> Result<u64, JournalError> {
        for row in self.catalog.range(..key(end)) {
            let (offset, line) = row.into_inner()?;
            if Line::read(&line).is_none_or(|line| !line.is_gone) {
                return Ok(number(&offset).unwrap_or(end));
            }
        }
        Ok(end)
    }

    /// Where to begin, so that this many records of some topics come before `end`: at most so far back
    /// that `most` lines were looked at. `known` are the topics that the journal has.
    pub(crate) fn at_last(
        &self,
        records: u64,
        wanted: &Wanted,
        known: &[Topic],
        (most, end): (usize, u64),
    ) -> Result<u64, JournalError> {
        let mut found = Vec::new();
        let mut begin = 0;
        if wanted.topics.is_empty() {
            let rows = self.catalog.range(..key(end)).rev();
            let offsets = rows.map(|row| Ok(number(&row.key()?)));
            begin = self.look_back(offsets, records, most, &mut found)?;
        } else {
            // Those of other topics are not looked at, however many there are.
            let mine = known.iter().map(Topic::as_str).filter(|t| wanted.wants(t));
            let mine: Vec<&str> = mine.collect();
            for topic in &mine {
                let (from, to) = (topic_key(topic, 0), topic_key(topic, end));
                let rows = self.topics.range(from..to).rev();
                let offsets = rows.map(|row| Ok(topic_offset(&row.key()?)));
                let stopped = self.look_back(offsets, records, most / mine.len(), &mut found)?;
                begin = begin.max(stopped);
            }
        }
        found.sort_unstable();
        let (mut at, mut left) = (end, records);
        while let Some((offset, its)) = found.pop().filter(|_| left > 0) {
            at = offset;
            left = left.saturating_sub(its);
        }
        Ok(at.max(begin))
    }

    /// Finds the last entries that are there with so many records, by where lines are, newest first.
    /// Returns where it stopped because there were more lines than it may look at; else 0.
    fn look_back(
        &self,
        offsets: impl Iterator<Item = Result<Option<u64>, JournalError>>,
        records: u64,
        most: usize,
        found: &mut Vec<(u64, u64)>,
    ) -> Result<u64, JournalError> {
        let (mut last, mut left) = (u64::MAX, records);
        for (seen, offset) in offsets.enumerate() {
            if left == 0 {
                break;
            }
            if seen >= most {
                return Ok(last);
            }
            let Some(offset) = offset? else { continue };
            last = offset;
            let line = self.catalog.get(key(offset))?;
            let line = line.and_then(|line| Line::read(&line));
            if let Some(line) = line.filter(|line| !line.is_gone && line.records > 0) {
                left = left.saturating_sub(u64::from(line.records));
                found.push((offset, u64::from(line.records)));
            }
        }
        Ok(0)
    }
}

struct Reading<'a> {
    store: &'a Store,
    snapshot: Snapshot,
    wanted: &'a Wanted,
    items: Vec<Item>,
    bytes: usize,
}

impl Reading<'_> {
    fn by_catalog(&mut self, at: u64) -> Result<u64, JournalError> {
        let rows = self
            .snapshot
            .range(&self.store.catalog, key(at)..key(self.wanted.until));
        let mut next = at;
        for (seen, row) in rows.enumerate() {
            if seen == LINES || self.is_full() {
                return Ok(next);
            }
            let Ok((name, line)) = row.into_inner() else {
                return self.one_by_one(next);
            };
            let Some(offset) = number(&name) else {
                continue;
            };
            match Line::read(&line) {
                Some(line) => self.look(offset, &line),
                None => self.look_alone(offset),
            }
            next = offset + 1;
        }
        Ok(self.wanted.until)
    }

    /// The catalog cannot be read here: entries tell for themselves what they are.
    fn one_by_one(&mut self, at: u64) -> Result<u64, JournalError> {
        let until = self.wanted.until.min(at + TRIED);
        for offset in at..until {
            if self.is_full() {
                return Ok(offset);
            }
            self.look_alone(offset);
        }
        Ok(until)
    }

    fn by_topics(&mut self, at: u64, topics: &[&Topic]) -> Result<u64, JournalError> {
        let mut offsets = Vec::new();
        let names = topics.iter().map(|topic| topic.as_str());
        for topic in names.chain([ANY_TOPIC]) {
            let from = topic_key(topic, at);
            let to = topic_key(topic, self.wanted.until);
            let rows = self.snapshot.range(&self.store.topics, from..to);
            for row in rows.take(self.wanted.most) {
                let Ok(name) = row.key() else {
                    return self.by_catalog(at);
                };
                offsets.extend(topic_offset(&name));
            }
        }
        offsets.sort_unstable();
        offsets.truncate(self.wanted.most);
        let is_all = offsets.len() < self.wanted.most;
        let mut next = at;
        for offset in offsets {
            if self.is_full() {
                return Ok(next);
            }
            self.look_alone(offset);
            next = offset + 1;
        }
        Ok(if is_all { self.wanted.until } else { next })
    }

    fn is_full(&self) -> bool {
        self.items.len() >= self.wanted.most || self.bytes >= BYTES
    }

    /// Looks at an entry of whose line nothing is known yet.
    fn look_alone(&mut self, offset: u64) {
        match self.snapshot.get(&self.store.catalog, key(offset)) {
            Ok(None) => {}
            Ok(Some(line)) if Line::read(&line).is_some() => {
                if let Some(line) = Line::read(&line) {
                    self.look(offset, &line);
                }
            }
            _ => match self.entry(offset) {
                Some(entry) => self.take(entry),
                None => self.miss(offset, 0, Cause::Damage),
            },
        }
    }

    fn look(&mut self, offset: u64, line: &Line) {
        if line.is_lost {
            if line.received >= self.wanted.since {
                self.miss(offset, 0, Cause::Damage);
            }
            return;
        }
        if !self.wanted.wants(line.topic.as_str()) {
            return;
        }
        if line.is_gone {
            if line.received >= self.wanted.since {
                self.miss(offset, line.records, Cause::Retention);
            }
            return;
        }
        match self.entry(offset) {
            Some(entry) => self.take(entry),
            None => self.miss(offset, line.records, Cause::Damage),
        }
    }

    fn entry(&self, offset: u64) -> Option<Entry> {
        let row = self.snapshot.get(&self.store.entries, key(offset));
        let entry = Entry::read(&row.ok()??)?;
        (entry.offset == offset).then_some(entry)
    }

    fn take(&mut self, entry: Entry) {
        if self.wanted.wants(entry.topic.as_str()) {
            self.bytes += entry.bytes().len();
            self.items.push(Item::Entry(entry));
        }
    }

    /// Adds to the last gap, or begins one.
    fn miss(&mut self, offset: u64, records: u32, cause: Cause) {
        let records = u64::from(records);
        match self.items.last_mut() {
            Some(Item::Gone(gap)) if gap.cause == cause => {
                gap.to = offset + 1;
                gap.records += records;
            }
            _ => self.items.push(Item::Gone(Gap {
                from: offset,
                to: offset + 1,
                records,
                cause,
            })),
        }
    }
}
