//! Which entries of the buffer are visible, and how many records are not.
//!
//! It covers a run of entries without a gap, up to the newest. It grows at its end as entries come,
//! and at its beginning when it is made anew, from the newest backward: so what people look at is
//! there first.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

/// How many records of each sixth of the levels (`Theme::level`).
pub(crate) type Levels = [u64; 6];

/// What the index says of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A record that is visible: the second of its time, and which sixth of the levels.
    Shown(i64, usize),
    /// A record that is not.
    Hidden,
    /// A notice that is visible.
    Told,
    /// A notice that is not.
    Untold,
}

/// The index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Index {
    shown: VecDeque<u64>,
    covered: Range<u64>,
    hidden: u64,
    records: u64,
    /// Visible records in each second.
    seconds: BTreeMap<i64, Levels>,
}

impl Index {
    /// An index that covers nothing yet; `next` is the number of the entry that comes next.
    pub(crate) fn new(next: u64) -> Self {
        Self {
            covered: next..next,
            ..Self::default()
        }
    }

    /// The numbers of the visible entries, in order.
    pub(crate) fn shown(&self) -> &VecDeque<u64> {
        &self.shown
    }

    /// The entries that it covers.
    pub(crate) fn covered(&self) -> &Range<u64> {
        &self.covered
    }

    /// Records that are not visible.
    pub(crate) fn hidden(&self) -> u64 {
        self.hidden
    }

    /// Records that are.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Visible records in each second.
    pub(crate) fn seconds(&self) -> &BTreeMap<i64, Levels> {
        &self.seconds
    }

    /// Covers the newest entry, too.
    pub(crate) fn push_newest(&mut self, verdict: Verdict) {
        if self.enter(verdict) {
            self.shown.push_back(self.covered.end);
        }
        self.covered.end += 1;
    }

    /// Covers the one before the first, too.
    pub(crate) fn push_older(&mut self, verdict: Verdict) {
        self.covered.start -= 1;
        if self.enter(verdict) {
            self.shown.push_front(self.covered.start);
        }
    }

    /// Forgets the first one, of which `verdict` was said.
    pub(crate) fn forget_first(&mut self, verdict: Verdict) {
        let first = self.covered.start;
        self.covered.start += 1;
        if self.shown.front() == Some(&first) {
            self.shown.pop_front();
        }
        match verdict {
            Verdict::Hidden => self.hidden -= 1,
            Verdict::Shown(second, level) => {
                self.records -= 1;
                if let Some(levels) = self.seconds.get_mut(&second) {
                    levels[level] -= 1;
                    if *levels == Levels::default() {
                        self.seconds.remove(&second);
                    }
                }
            }
            Verdict::Told | Verdict::Untold => {}
        }
    }

    /// Whether the entry is visible.
    fn enter(&mut self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Shown(second, level) => {
                self.records += 1;
                self.seconds.entry(second).or_default()[level] += 1;
                true
            }
            Verdict::Hidden => {
                self.hidden += 1;
                false
            }
            Verdict::Told => true,
            Verdict::Untold => false,
        }
    }
}
