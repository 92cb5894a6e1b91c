//! Making room: the oldest entries of a class go first, and are counted.
//!
//! An entry that goes leaves its line in the catalog, marked: by it a reader that comes too late is
//! told exactly what it lost. When too many lines are marked the oldest go as well, and what they
//! held is then written to the account of each durable subscription that had not come to it: what it has
//! in hand it may still do, and of what it was told it knows.
//!
//! The bytes of what goes are freed by whole tables: where nothing older stays, what goes is not even
//! removed one by one. Between entries of other classes that stay it must be, and compactions free it.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use logbus_schemas::{Topic, TopicFilter};

use super::book::{ANY_TOPIC, Book};
use super::limits::Classes;
use super::rows::{Consumer, Line, Totals, key, number, pack, topic_key};
use super::store::JournalError;

/// Entries that go in one batch.
const BATCH: usize = 1000;
/// Marked lines that are kept.
const MARKED: u64 = 200_000;
/// The rest of a line besides an entry's bytes, about: its rows in catalog and indexes.
pub(super) const OVERHEAD: u64 = 160;
/// When so much was deleted, tables that hold nothing else are let go of: about what one holds.
const DROP: u64 = 8 << 20;

/// What retention deleted, by class.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Trimmed {
    /// Entries and records, for each class that had to give some.
    pub(crate) by_class: BTreeMap<usize, (u64, u64)>,
    /// Their bytes.
    pub(crate) bytes: BTreeMap<usize, u64>,
    /// Whether there is more to do at once.
    pub(crate) is_more: bool,
}

/// Deletes what the limits do not allow.
#[derive(Debug)]
pub(crate) struct Retention {
    classes: Classes,
    /// For each class, where its oldest entry is or later.
    oldest: Vec<u64>,
    /// Bytes that a class still gives for the disk's sake.
    owed: Vec<u64>,
    /// Bytes of those that it gave and that compactions will free.
    given: Vec<u64>,
    /// Bytes that were deleted since tables were let go of.
    undropped: u64,
    /// Below this offset tables were let go of.
    dropped: u64,
}

/// How much of a class must go.
struct Excess {
    bytes: u64,
    before: u64,
    /// Below this offset no other class has anything.
    alone_below: u64,
}

impl Retention {
    pub(crate) fn new(classes: Classes) -> Self {
        Self {
            oldest: vec![0; classes.len()],
            owed: vec![0; classes.len()],
            given: vec![0; classes.len()],
            undropped: 0,
            dropped: 0,
            classes,
        }
    }

    pub(crate) fn classes(&self) -> &Classes {
        &self.classes
    }

    /// Bytes of the largest message that a topic can have at all.
    pub(crate) fn room(&self, topic: &str) -> u64 {
        let limits = self.classes.limits(self.classes.of(topic));
        limits.max_bytes.unwrap_or(u64::MAX)
    }

    /// The most bytes that any class wants free.
    pub(crate) fn min_free(&self) -> u64 {
        let all = (0..self.classes.len()).filter_map(|class| self.classes.limits(class).min_free);
        all.max().unwrap_or(0)
    }

    /// The journal was opened again, and has what was saved of it: old entries may be back.
    pub(crate) fn begin_anew(&mut self) {
        self.oldest.fill(0);
        self.dropped = 0;
    }

    /// Whether a class still gives something for the disk's sake.
    pub(crate) fn owes(&self) -> bool {
        self.owed.iter().any(|owed| *owed > 0)
    }

    /// Notes how much is free on the disk: what is missing the classes owe from now on. `is_settled`
    /// says that what they gave before is freed by now.
    pub(crate) fn measure(&mut self, free: u64, is_settled: bool) {
        for class in 0..self.classes.len() {
            let wanted = self.classes.limits(class).min_free.unwrap_or(0);
            if is_settled {
                self.given[class] = 0;
            }
            let missing = wanted.saturating_sub(free);
            self.owed[class] = missing.saturating_sub(self.given[class]);
        }
    }

    /// Bytes that there are of each class.
    pub(crate) fn used(&self, book: &Book) -> Vec<u64> {
        let mut used = vec![0; self.classes.len()];
        for (topic, totals) in &book.totals {
            used[self.classes.of(topic.as_str())] += totals.bytes + totals.entries * OVERHEAD;
        }
        used
    }

    /// Deletes some of what must go.
    pub(crate) fn trim(&mut self, book: &mut Book, now: u64) -> Result<Trimmed, JournalError> {
        let mut trimmed = Trimmed::default();
        let is_short = self.owes();
        let used = self.used(book);
        for class in 0..used.len() {
            let excess = self.excess(class, used[class], now);
            if used[class] == 0 || (excess.bytes == 0 && excess.before == 0) {
                continue;
            }
            let others = (0..used.len()).filter(|other| *other != class && used[*other] > 0);
            let alone_below = others.map(|other| self.oldest[other]).min();
            let excess = Excess {
                alone_below: alone_below.unwrap_or(u64::MAX),
                ..excess
            };
            let (entries, records, bytes) = self.delete(book, class, &excess, now)?;
            if entries > 0 {
                trimmed.by_class.insert(class, (entries, records));
                trimmed.bytes.insert(class, bytes);
                trimmed.is_more |= entries == BATCH as u64;
            }
        }
        if book.gone_lines > MARKED {
            purge(book, (book.gone_lines - MARKED).min(BATCH as u64 * 4))?;
            trimmed.is_more |= book.gone_lines > MARKED;
        }
        if self.undropped >= DROP || (is_short && !trimmed.is_more) {
            self.drop_tables(book, &used)?;
        }
        Ok(trimmed)
    }

    /// Lets go of tables in which nothing is left, where there may be some.
    fn drop_tables(&mut self, book: &Book, used: &[u64]) -> Result<(), JournalError> {
        let held = (0..used.len()).filter(|class| used[*class] > 0);
        let below = held.map(|class| self.oldest[class]).min();
        let below = below.unwrap_or(book.next);
        self.undropped = 0;
        if below > self.dropped {
            // That those entries are gone is known by the catalog alone, which must not be lost.
            book.store.sync()?;
            book.store.drop_below(below)?;
            self.dropped = below;
        }
        Ok(())
    }

    fn excess(&self, class: usize, used: u64, now: u64) -> Excess {
        let limits = self.classes.limits(class);
        let bytes = limits.max_bytes.map_or(0, |max| used.saturating_sub(max));
        let age = limits.max_age.map(|age| Duration::as_nanos(&age));
        let age = age.map(|age| u64::try_from(age).unwrap_or(u64::MAX));
        Excess {
            bytes: bytes.max(self.owed[class]),
            before: age.map_or(0, |age| now.saturating_sub(age)),
            alone_below: 0,
        }
    }

    fn delete(
        &mut self,
        book: &mut Book,
        class: usize,
        excess: &Excess,
        now: u64,
    ) -> Result<(u64, u64, u64), JournalError> {
        let mut batch = book.store.batch();
        let mut touched = BTreeMap::<Topic, Totals>::new();
        let (mut entries, mut records, mut bytes, mut removed) = (0, 0, 0, 0);
        let mut oldest = self.oldest[class];
        for row in book.lines_from(oldest) {
            let (name, line) = row.into_inner()?;
            let (Some(offset), Some(line)) = (number(&name), Line::read(&line)) else {
                continue;
            };
            let is_mine = !line.is_gone && self.classes.of(line.topic.as_str()) == class;
            if is_mine {
                let must_go = bytes < excess.bytes || line.received < excess.before;
                if !must_go || entries == BATCH as u64 {
                    break;
                }
                entries += 1;
                records += u64::from(line.records);
                bytes += u64::from(line.bytes) + OVERHEAD;
                let totals = book.totals.entry(line.topic.clone()).or_default();
                totals.entries = totals.entries.saturating_sub(1);
                totals.records = totals.records.saturating_sub(u64::from(line.records));
                totals.bytes = totals.bytes.saturating_sub(u64::from(line.bytes));
                totals.gone_entries += 1;
                totals.gone_records += u64::from(line.records);
                touched.insert(line.topic.clone(), *totals);
                if offset >= excess.alone_below {
                    batch.remove(&book.store.entries, key(offset));
                    removed += u64::from(line.bytes);
                }
                let marked = Line {
                    is_gone: true,
                    received: now,
                    ..line
                };
                batch.insert(&book.store.catalog, key(offset), marked.to_bytes());
            }
            oldest = offset + 1;
        }
        for (topic, totals) in touched {
            batch.insert(&book.store.totals, topic.as_str(), pack(&totals));
        }
        book.store.commit(batch, "retain")?;
        // Not before: whole tables go by it.
        self.oldest[class] = oldest;
        book.gone_lines += entries;
        if self.owed[class] > 0 {
            self.given[class] += removed;
        }
        self.owed[class] = self.owed[class].saturating_sub(bytes);
        self.undropped += bytes;
        Ok((entries, records, bytes))
    }
}

/// Deletes the oldest marked lines, and writes down who has lost what they say.
pub(super) fn purge(book: &mut Book, most: u64) -> Result<(), JournalError> {
    let mut consumers = book.consumers()?;
    let accounts = accounts(book, &consumers);
    let mut batch = book.store.batch();
    let mut purged = 0;
    let mut floor = book.next;
    for row in book.lines_from(book.floor) {
        let (name, line) = row.into_inner()?;
        let (Some(offset), Some(line)) = (number(&name), Line::read(&line)) else {
            continue;
        };
        if !line.is_gone || purged == most {
            floor = floor.min(offset);
            if purged == most {
                break;
            }
            continue;
        }
        purged += 1;
        for (consumer, account) in consumers.values_mut().zip(&accounts) {
            charge(consumer, account, offset, &line);
        }
        book.purged_to = book.purged_to.max(offset + 1);
        batch.remove(&book.store.catalog, key(offset));
        let topic = if line.is_lost {
            ANY_TOPIC
        } else {
            line.topic.as_str()
        };
        batch.remove(&book.store.topics, topic_key(topic, offset));
    }
    for row in book.store.times.iter().take(BATCH) {
        let (time, offset) = row.into_inner()?;
        if number(&offset).is_some_and(|offset| offset >= floor) {
            break;
        }
        batch.remove(&book.store.times, time);
    }
    for (name, consumer) in &consumers {
        batch.insert(&book.store.consumers, name.as_str(), consumer.to_row(name));
    }
    let total = book.purged()? + purged;
    batch.insert(&book.store.meta, "purged", key(total));
    batch.insert(&book.store.meta, "floor", key(floor));
    book.store.commit(batch, "purge")?;
    book.floor = floor;
    book.gone_lines -= purged.min(book.gone_lines);
    Ok(())
}

/// What is charged to a durable subscription.
struct Account {
    topics: Vec<TopicFilter>,
    /// It has come this far.
    reached: u64,
}

fn accounts(book: &Book, consumers: &BTreeMap<String, Consumer>) -> Vec<Account> {
    let cursors = book.cursors.lock().unwrap_or_else(PoisonError::into_inner);
    let account = |(name, consumer): (&String, &Consumer)| {
        let parsed = consumer.topics.iter().map(|text| TopicFilter::parse(text));
        let cursor = cursors.get(name).copied().unwrap_or(consumer.below);
        Account {
            topics: parsed.filter_map(Result::ok).collect(),
            reached: cursor.max(consumer.below).max(consumer.lost_to),
        }
    };
    consumers.iter().map(account).collect()
}

fn charge(consumer: &mut Consumer, account: &Account, offset: u64, line: &Line) {
    let (topic, topics) = (line.topic.as_str(), &account.topics);
    let wants = topics.is_empty() || topics.iter().any(|filter| filter.matches(topic));
    let had = account.reached > offset || consumer.also.contains(&offset);
    if wants && !had && !line.is_lost && consumer.since <= line.received {
        consumer.missed += u64::from(line.records);
        consumer.charged += u64::from(line.records);
        consumer.missed_to = offset + 1;
    }
}
