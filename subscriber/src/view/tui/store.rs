//! The buffer: records and notices in order, bounded by bytes, and which of them are visible.
//!
//! Every entry has a number that it keeps. When there is no more room the oldest go, and are
//! counted. What is visible is kept as an index (`index.rs`), which is made anew in slices when the
//! choice changes, so that nobody waits for it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::choice::Choice;
use super::index::{Index, Verdict};
use crate::item::Delivered;
use crate::view::styled::Styled;

/// What an entry takes beside its record.
const OVERHEAD: usize = 96;
/// Entries that are looked at before the clock is.
const STRIDE: usize = 32;
/// A record whose time is farther from when it came than this counts when it came, in ns.
const FAR: i64 = 3_600_000_000_000;

/// What was received.
#[derive(Debug, Clone)]
pub(crate) enum Thing {
    /// A record.
    Record(Arc<Delivered>),
    /// What was told of a notice, and whether that is part of an orderly day.
    Notice(Styled, bool),
}

/// A place in the buffer.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// What it holds.
    pub(crate) thing: Thing,
    /// Its time in ns since 1970; it never goes back from one entry to the next.
    pub(crate) time: i64,
    /// It came too late for its place.
    pub(crate) is_late: bool,
    bytes: usize,
    /// The second in which it is counted.
    second: i64,
}

/// The buffer.
#[derive(Debug)]
pub(crate) struct Store {
    entries: VecDeque<Entry>,
    /// The number of the first one.
    first: u64,
    bytes: usize,
    max_bytes: usize,
    dropped: u64,
    choice: Choice,
    index: Index,
}

impl Store {
    /// An empty buffer of so many bytes.
    pub(crate) fn new(max_bytes: usize, choice: Choice) -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
            bytes: 0,
            max_bytes,
            dropped: 0,
            choice,
            index: Index::default(),
        }
    }

    /// Takes an entry in that has a time, in ns since 1970, and about so many bytes.
    pub(crate) fn push(&mut self, thing: Thing, time: i64, is_late: bool, bytes: usize) {
        let last = self.entries.back().map_or(i64::MIN, |entry| entry.time);
        let second = match &thing {
            Thing::Record(delivered) => {
                let received = delivered.received as i64;
                let is_far = received.saturating_sub(time).saturating_abs() > FAR;
                (if is_far { received } else { time }).div_euclid(1_000_000_000)
            }
            Thing::Notice(..) => 0,
        };
        let entry = Entry {
            thing,
            time: time.max(last),
            is_late,
            bytes: bytes + OVERHEAD,
            second,
        };
        self.bytes += entry.bytes;
        self.index.push_newest(verdict(&self.choice, &entry));
        self.entries.push_back(entry);
        while self.bytes > self.max_bytes && self.entries.len() > 1 {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let Some(entry) = self.entries.pop_front() else {
            return;
        };
        if self.is_complete() {
            let is_shown = self.index.shown().front() == Some(&self.first);
            self.index.forget_first(verdict_as(is_shown, &entry));
        }
        self.first += 1;
        self.bytes -= entry.bytes;
        self.dropped += u64::from(matches!(entry.thing, Thing::Record(_)));
    }

    /// What decides what is visible.
    pub(crate) fn choice(&self) -> &Choice {
        &self.choice
    }

    /// Chooses anew; [`Store::work`] brings the index up to date.
    pub(crate) fn choose(&mut self, choice: Choice) {
        self.choice = choice;
        self.index = Index::new(self.next());
    }

    /// Goes on with the index until it is complete or `is_over`; says whether it is complete.
    pub(crate) fn work(&mut self, is_over: &mut dyn FnMut() -> bool) -> bool {
        while self.index.covered().start > self.first {
            for _ in 0..STRIDE {
                let at = self.index.covered().start;
                if at == self.first {
                    break;
                }
                let entry = &self.entries[(at - 1 - self.first) as usize];
                self.index.push_older(verdict(&self.choice, entry));
            }
            if is_over() {
                break;
            }
        }
        self.is_complete()
    }

    /// Whether every entry has been asked whether it is visible.
    pub(crate) fn is_complete(&self) -> bool {
        self.index.covered().start <= self.first
    }

    /// How much of the buffer has been asked, in percent.
    pub(crate) fn progress(&self) -> usize {
        let covered = self.next() - self.index.covered().start;
        (covered * 100 / (self.entries.len() as u64).max(1)) as usize
    }

    /// The index.
    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// An entry, when it is still there.
    pub(crate) fn entry(&self, number: u64) -> Option<&Entry> {
        self.entries.get(number.checked_sub(self.first)? as usize)
    }

    /// The number of the first entry that is there.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// The number of the entry that comes next.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Bytes that are taken, and bytes that may be.
    pub(crate) fn room(&self) -> (usize, usize) {
        (self.bytes, self.max_bytes)
    }

    /// Records that have fallen out.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Where in the index the first visible entry at or behind `number` stands.
    pub(crate) fn position(&self, number: u64) -> usize {
        self.index.shown().partition_point(|shown| *shown < number)
    }
}

/// What a choice says of an entry. Losses are always told; who comes and goes, only where nothing
/// is left out.
fn verdict(choice: &Choice, entry: &Entry) -> Verdict {
    let is_shown = match &entry.thing {
        Thing::Record(delivered) => choice.admits(delivered),
        Thing::Notice(_, is_routine) => !is_routine || choice.is_open(),
    };
    verdict_as(is_shown, entry)
}

fn verdict_as(is_shown: bool, entry: &Entry) -> Verdict {
    match (&entry.thing, is_shown) {
        (Thing::Record(delivered), true) => {
            let level = delivered.record.level().map_or(0, |level| level.0);
            Verdict::Shown(entry.second, sixth(level))
        }
        (Thing::Record(_), false) => Verdict::Hidden,
        (Thing::Notice(..), true) => Verdict::Told,
        (Thing::Notice(..), false) => Verdict::Untold,
    }
}

/// Which sixth of the levels: below debug, debug, info, warning, error, critical.
pub(crate) fn sixth(level: i64) -> usize {
    (level.div_euclid(10)).clamp(0, 5) as usize
}

#[cfg(test)]
mod tests;
