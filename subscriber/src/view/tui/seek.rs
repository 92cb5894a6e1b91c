//! Going to the next entry that fits: what was searched for, an error, a warning.
//!
//! In a full buffer that may take a while, so it is done in slices. Behind the last entry it goes
//! on at the first, and the other way round.

use super::place::Visible;
use super::store::Thing;
use crate::query::Query;

/// Entries that are looked at before the clock is.
const STRIDE: usize = 32;

/// What is looked for.
#[derive(Debug, Clone)]
pub(crate) enum Aim {
    /// What fits.
    Fits(Query),
    /// A record of this level or a worse one.
    Level(i64),
    /// A record of this time or a later one.
    Since(i64),
}

/// A search that goes on.
#[derive(Debug, Clone)]
pub(crate) struct Seek {
    aim: Aim,
    is_back: bool,
    /// Where it began.
    from: u64,
    /// Where it is.
    at: u64,
    /// The entry where it is counts, too.
    is_inclusive: bool,
    is_round: bool,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sought {
    /// There, and whether the end was passed.
    Found(u64, bool),
    /// There is none.
    Nothing,
    /// It is not over.
    GoesOn,
}

impl Seek {
    /// Looks from an entry on.
    pub(crate) fn new(aim: Aim, from: u64, is_back: bool) -> Self {
        Self {
            aim,
            is_back,
            from,
            at: from,
            is_inclusive: false,
            is_round: false,
        }
    }

    /// Looks also at the entry where it begins.
    pub(crate) fn inclusive(mut self) -> Self {
        self.is_inclusive = true;
        self
    }

    /// Goes on until it is over or `is_over`.
    pub(crate) fn go_on(
        &mut self,
        visible: &Visible<'_>,
        is_over: &mut dyn FnMut() -> bool,
    ) -> Sought {
        let mut steps = 0;
        loop {
            let Some((number, is_round)) = self.step(visible) else {
                return Sought::Nothing;
            };
            self.is_round |= is_round;
            self.is_inclusive = false;
            self.at = number;
            let is_past = match self.is_back {
                true => number <= self.from,
                false => number >= self.from,
            };
            if self.fits(visible, number) {
                return Sought::Found(number, self.is_round);
            }
            if self.is_round && is_past {
                return Sought::Nothing;
            }
            steps += 1;
            if steps % STRIDE == 0 && is_over() {
                return Sought::GoesOn;
            }
        }
    }

    /// The next entry, and whether it is on the other side of the end. None when the end is passed
    /// a second time, or nothing is visible.
    fn step(&self, visible: &Visible<'_>) -> Option<(u64, bool)> {
        let last = visible.count().checked_sub(1)?;
        let from = match self.is_back == self.is_inclusive {
            true => self.at.saturating_add(1),
            false => self.at,
        };
        let at = visible.store().position(from).min(visible.count());
        let next = match self.is_back {
            true => at.checked_sub(1),
            false => Some(at).filter(|at| *at <= last),
        };
        match next {
            Some(at) => Some((visible.number(at), false)),
            None if self.is_round => None,
            None => Some((visible.number(if self.is_back { last } else { 0 }), true)),
        }
    }

    fn fits(&self, visible: &Visible<'_>, number: u64) -> bool {
        let Some(entry) = visible.store().entry(number) else {
            return false;
        };
        let Thing::Record(delivered) = &entry.thing else {
            return false;
        };
        match &self.aim {
            Aim::Fits(query) => query.matches(delivered),
            Aim::Level(least) => {
                let level = delivered.record.level();
                level.is_some_and(|level| level.0 >= *least)
            }
            Aim::Since(time) => entry.time >= *time,
        }
    }
}
