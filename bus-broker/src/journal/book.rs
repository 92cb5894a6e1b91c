//! What the writer knows of a journal, and how it appends to it.
//!
//! A message gets the next offset, and in one batch with it go its line in the catalog, its place
//! in the indexes, its topic's totals and its sender's position. By the position a message that is
//! sent again is recognized. After an error a book is closed and opened again: what it knows is
//! then what is on disk.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use logbus_schemas::Topic;
use logbus_schemas::wire::Header;

use super::entry::{Draft, Entry};
use super::rows::{Line, Position, Totals, key, number, pack, position_key, topic_key, unpack};
use super::store::{JournalError, Store};
use super::window::Window;

/// In the index by topic lost entries stand here: which topic they had is not known.
pub(super) const ANY_TOPIC: &str = "";
/// So many places in a row are marked as lost, at most.
const MARKED_LOST: usize = 10_000;
/// So many ranges of numbers that a sender left out are remembered: the last ones.
const MISSING: usize = 128;
/// Senders, or topics, that are forgotten in one batch.
const FORGOTTEN: usize = 10_000;
/// The index by time has a row for so many ns.
const TIME_STEP: u64 = 100_000_000;

/// How far durable subscriptions have come that are read, or were since the broker started, by name.
pub(super) type Cursors = Arc<Mutex<BTreeMap<String, u64>>>;

/// A message to append.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) draft: Draft,
    /// Whether its publisher awaits an acknowledgement.
    pub(crate) is_durable: bool,
    /// Why it may not have a place, if it may not.
    pub(crate) refusal: Option<Refusal>,
    /// A number for the key of whoever sent it, where that is known.
    pub(crate) owner: Option<u64>,
    /// The place that it was given first. When writing fails after that it may be there already, and is
    /// news nevertheless.
    pub(crate) first: Option<u64>,
}

impl Arrival {
    /// Whose share it takes.
    pub(crate) fn publisher(&self) -> u64 {
        self.owner.unwrap_or(self.draft.header.sender.0)
    }
}

/// Why a message is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is larger than all that its topic may have.
    TooLarge,
    /// Its publisher has its share already.
    OverShare,
}

impl Refusal {
    /// As its publisher is told.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Refusal::TooLarge => "its topic's limit of bytes is smaller than this message",
            Refusal::OverShare => "its publisher has its share of the journal",
        }
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Its place; `None` where it was here before, or says nothing that is not known.
    pub(crate) offset: Option<u64>,
    /// The number of its sender's next record on its topic.
    pub(crate) next: u64,
}

/// The writer's half of a journal.
#[derive(Debug)]
pub(crate) struct Book {
    pub(super) store: Store,
    /// The next entry's offset.
    pub(super) next: u64,
    /// The catalog begins here or later.
    pub(super) floor: u64,
    pub(super) totals: HashMap<Topic, Totals>,
    /// Another one after each change of which topics there are.
    pub(super) topics_state: u64,
    /// Lines of entries that are gone.
    pub(super) gone_lines: u64,
    /// Behind the last of them that was deleted since the book was opened.
    pub(super) purged_to: u64,
    pub(super) cursors: Cursors,
    window: Window,
    last_received: u64,
    last_time: u64,
}

impl Book {
    /// Reads what must be known.
    pub(crate) fn open(store: Store) -> Result<Self, JournalError> {
        let floor = store.meta.get("floor")?.and_then(|row| number(&row));
        let floor = floor.unwrap_or(0);
        let mut totals = HashMap::new();
        for row in store.totals.iter() {
            let (topic, row) = row.into_inner()?;
            if let (Ok(topic), Some(row)) = (Topic::from_bytes(&topic), unpack(&row)) {
                totals.insert(topic, row);
            }
        }
        let last = store.catalog.last_key_value();
        let last = last.map(fjall::Guard::into_inner).transpose()?;
        let last_offset = last.as_ref().and_then(|(key, _)| number(key));
        let last_line = last.and_then(|(_, line)| Line::read(&line));
        let gone: u64 = totals.values().map(|t: &Totals| t.gone_entries).sum();
        let next = store.meta.get("next")?.and_then(|row| number(&row));
        let next = next.unwrap_or(0).max(floor);
        let purged = store.meta.get("purged")?.and_then(|row| number(&row));
        Ok(Self {
            next: last_offset.map_or(next, |last| next.max(last + 1)),
            floor,
            totals,
            topics_state: logbus_process::random(),
            gone_lines: gone.saturating_sub(purged.unwrap_or(0)),
            purged_to: 0,
            cursors: Cursors::default(),
            window: Window::default(),
            last_received: last_line.map_or(0, |line| line.received),
            last_time: 0,
            store,
        })
    }

    /// Appends what is new of these, all or nothing.
    pub(crate) fn append(
        &mut self,
        arrivals: &mut [Arrival],
        now: u64,
    ) -> Result<Vec<Placed>, JournalError> {
        let mut batch = self.store.batch();
        let mut positions = BTreeMap::new();
        let mut touched = BTreeMap::new();
        let mut placed = Vec::with_capacity(arrivals.len());
        let received = now.max(self.last_received);
        for arrival in arrivals {
            let header = arrival.draft.header;
            let topic = arrival.draft.topic.clone();
            let key = position_key(arrival.is_durable, header.sender.0, topic.as_str());
            let known = self.window.get(&self.store, &key)?;
            let is_news = is_news(&header, known.as_ref());
            if !is_news && arrival.refusal == Some(Refusal::OverShare) {
                // It takes no room: it is here already.
                arrival.refusal = None;
            }
            if arrival.refusal.is_some() {
                let next = known.map_or(0, |position| position.next);
                placed.push(Placed { offset: None, next });
                continue;
            }
            if is_news {
                arrival.first = Some(self.next);
                let totals = self.place(&mut batch, &mut arrival.draft, received);
                touched.insert(topic, totals);
            }
            let position = moved(&header, known, received);
            self.window.put(key.clone(), position.clone());
            placed.push(Placed {
                offset: arrival.first,
                next: position.next,
            });
            positions.insert(key, position);
        }
        for (key, position) in positions {
            batch.insert(&self.store.positions, key, pack(&position));
        }
        for (topic, totals) in touched {
            batch.insert(&self.store.totals, topic.as_str(), pack(&totals));
        }
        self.last_received = received;
        self.store.commit(batch, "append")?;
        Ok(placed)
    }

    /// Gives a message its place.
    fn place(
        &mut self,
        batch: &mut fjall::OwnedWriteBatch,
        draft: &mut Draft,
        received: u64,
    ) -> Totals {
        let offset = self.next;
        self.next += 1;
        let line = Line {
            is_gone: false,
            is_lost: false,
            received,
            records: draft.header.count,
            bytes: u32::try_from(draft.len()).unwrap_or(u32::MAX),
            topic: draft.topic.clone(),
        };
        self.index(batch, offset, &line);
        batch.insert(
            &self.store.entries,
            key(offset),
            draft.seal(offset, received),
        );
        self.count(&line)
    }

    fn index(&mut self, batch: &mut fjall::OwnedWriteBatch, offset: u64, line: &Line) {
        batch.insert(&self.store.catalog, key(offset), line.to_bytes());
        let name = topic_key(line.topic.as_str(), offset);
        batch.insert(&self.store.topics, name, "");
        if line.received >= self.last_time + TIME_STEP {
            self.last_time = line.received;
            batch.insert(&self.store.times, key(line.received), key(offset));
        }
    }

    fn count(&mut self, line: &Line) -> Totals {
        if !self.totals.contains_key(&line.topic) {
            self.topics_state = self.topics_state.wrapping_add(1);
        }
        let totals = self.totals.entry(line.topic.clone()).or_default();
        totals.entries += 1;
        totals.records += u64::from(line.records);
        totals.bytes += u64::from(line.bytes);
        *totals
    }

    /// Puts an entry at the place that it had, unless something is there. Says whether it did.
    pub(super) fn restore(&mut self, entry: &Entry) -> Result<bool, JournalError> {
        if entry.offset < self.floor || self.store.catalog.contains_key(key(entry.offset))? {
            return Ok(false);
        }
        let mut batch = self.store.batch();
        let line = Line::of(entry);
        self.index(&mut batch, entry.offset, &line);
        batch.insert(&self.store.entries, key(entry.offset), entry.bytes());
        let totals = self.count(&line);
        batch.insert(&self.store.totals, entry.topic.as_str(), pack(&totals));
        // Whoever sent it: what is known of both kinds of sender may only grow.
        for is_durable in [true, false] {
            let name = position_key(is_durable, entry.header.sender.0, entry.topic.as_str());
            let known = self.window.get(&self.store, &name)?;
            let position = moved(&entry.header, known, entry.received);
            self.window.put(name.clone(), position.clone());
            batch.insert(&self.store.positions, name, pack(&position));
        }
        self.next = self.next.max(entry.offset + 1);
        self.last_received = self.last_received.max(entry.received);
        self.store.commit(batch, "restore")?;
        Ok(true)
    }

    /// Marks the places from `from` on of which nothing is known: their entries were damaged.
    /// Returns how many those are.
    pub(super) fn mark_lost(&mut self, from: u64, now: u64) -> Result<u64, JournalError> {
        let mut batch = self.store.batch();
        let line = Line {
            is_gone: true,
            is_lost: true,
            received: now,
            records: 0,
            bytes: 0,
            topic: Topic::for_name("lost"),
        };
        let (mut expected, mut lost) = (from.max(self.floor), 0);
        let rows = self.lines_from(expected).map(fjall::Guard::key);
        let offsets = rows.filter_map(|row| row.ok().and_then(|key| number(&key)));
        for offset in offsets.chain([self.next]) {
            for missing in (expected..offset).take(MARKED_LOST) {
                lost += 1;
                batch.insert(&self.store.catalog, key(missing), line.to_bytes());
                batch.insert(&self.store.topics, topic_key(ANY_TOPIC, missing), "");
            }
            expected = offset + 1;
        }
        self.store.commit(batch, "lost")?;
        Ok(lost)
    }

    /// Leaves so many offsets out, so that none which readers may have seen is given twice.
    pub(super) fn skip(&mut self, offsets: u64) -> Result<(), JournalError> {
        let next = self.next + offsets;
        let mut batch = self.store.batch();
        batch.insert(&self.store.meta, "next", key(next));
        self.store.commit(batch, "skip")?;
        self.next = next;
        Ok(())
    }

    /// Goes on at this offset or later. What came before it and is not here is marked as lost; returns
    /// how many those are.
    pub(super) fn go_on_from(&mut self, offset: u64, now: u64) -> Result<u64, JournalError> {
        let end = self.next;
        if end >= offset {
            return Ok(0);
        }
        self.skip(offset - end)?;
        self.mark_lost(end, now)
    }

    /// Forgets senders that were not heard since then.
    pub(crate) fn forget_senders(&mut self, since: u64) -> Result<(), JournalError> {
        let mut batch = self.store.batch();
        for row in self.store.positions.iter() {
            let (key, row) = row.into_inner()?;
            if unpack::<Position>(&row).is_none_or(|position| position.heard < since) {
                batch.remove(&self.store.positions, key);
            }
            if batch.len() >= FORGOTTEN {
                self.store.commit(batch, "forget")?;
                batch = self.store.batch();
            }
        }
        self.store.commit(batch, "forget")
    }

    /// Forgets topics of which nothing is left, not even marks of what was deleted.
    pub(crate) fn forget_topics(&mut self) -> Result<(), JournalError> {
        let mut forgotten = Vec::new();
        for (topic, totals) in &self.totals {
            let marks = (
                topic_key(topic.as_str(), 0),
                topic_key(topic.as_str(), u64::MAX),
            );
            if totals.entries == 0
                && forgotten.len() < FORGOTTEN
                && self.store.topics.range(marks.0..marks.1).next().is_none()
            {
                forgotten.push(topic.clone());
            }
        }
        if forgotten.is_empty() {
            return Ok(());
        }
        // Deleted lines are those that topics tell of and that were not purged.
        let mut purged = self.purged()?;
        let mut batch = self.store.batch();
        for topic in &forgotten {
            purged = purged.saturating_sub(self.totals[topic].gone_entries);
            batch.remove(&self.store.totals, topic.as_str());
        }
        batch.insert(&self.store.meta, "purged", key(purged));
        self.store.commit(batch, "forget")?;
        for topic in &forgotten {
            self.totals.remove(topic);
        }
        self.topics_state = self.topics_state.wrapping_add(1);
        Ok(())
    }

    /// The first entry at `offset` or later that came then or later.
    pub(super) fn lines_from(&self, offset: u64) -> fjall::Iter {
        let from = Bound::Included(key(offset));
        self.store.catalog.range((from, Bound::Unbounded))
    }
}

/// Whether a message says what is not known yet.
fn is_news(header: &Header, known: Option<&Position>) -> bool {
    let Some(known) = known else { return true };
    if header.flags.is_heartbeat() {
        // One a second would be kept of each: only those that say something new are.
        return header.sequence >= known.next
            && (header.sequence > known.next
                || header.discarded != known.discarded
                || header.flags.is_goodbye() != known.is_over);
    }
    let (from, to) = numbers(header);
    let is_missing = |missing: &(u64, u64)| missing.0 < to && from < missing.1;
    to > known.next || known.missing.iter().any(is_missing)
}

fn moved(header: &Header, known: Option<Position>, now: u64) -> Position {
    let (from, to) = numbers(header);
    let known = known.unwrap_or_default();
    Position {
        next: known.next.max(to),
        discarded: known.discarded.max(header.discarded),
        is_over: header.flags.is_goodbye() || (known.is_over && header.count == 0),
        heard: now,
        missing: still_missing(known.missing, known.next, (from, to)),
    }
}

/// The numbers of a message's records: from, and up to where.
fn numbers(header: &Header) -> (u64, u64) {
    (header.sequence, header.sequence + u64::from(header.count))
}

/// What is missing of a sender when these numbers have come, of which `next` was to be the first.
fn still_missing(missing: Vec<(u64, u64)>, next: u64, (from, to): (u64, u64)) -> Vec<(u64, u64)> {
    if missing.is_empty() && from <= next {
        return missing;
    }
    let before = missing.iter().map(|(start, end)| (*start, from.min(*end)));
    let behind = missing.iter().map(|(start, end)| (to.max(*start), *end));
    let passed = [(next, from)];
    let mut left: Vec<(u64, u64)> = before.chain(behind).chain(passed).collect();
    left.retain(|(start, end)| start < end);
    left.sort_unstable();
    left.drain(..left.len().saturating_sub(MISSING));
    left
}
