//! A durable subscription: which entries are done, who works on which, and what comes next.
//!
//! An entry is handed to one seat. It is done when that seat says so, and goes to another one when
//! the seat is left before. Where nobody shares, there is one seat. Nothing here reads or sends.

use std::collections::{BTreeMap, BTreeSet};

use crate::journal::Consumer;

/// Offsets that are noted as handed out before they are.
const AHEAD: u64 = 1024;

/// Entries that are handed out, or done while ones before them are not: each of them is remembered.
const MOST_OPEN: usize = 65_536;

/// A durable subscription that somebody reads, or did. `Seat` is who a reader is.
#[derive(Debug)]
pub(super) struct Group<Seat> {
    /// All below this is done.
    below: u64,
    /// And these.
    done: BTreeSet<u64>,
    /// The next entry that nobody had from this broker since it started.
    pub(super) cursor: u64,
    /// What is below this may have been handed out by an earlier broker.
    handed: u64,
    /// And below this as well, once this one is noted.
    reserved: u64,
    /// That much of it is noted: what is below may be handed out.
    granted: u64,
    /// It is not told of what was deleted before this time.
    pub(super) since: u64,
    out: BTreeMap<u64, Seat>,
    /// Handed out once and not done: to be handed out again.
    redo: BTreeSet<u64>,
    /// How many records each of those had, and some that are done.
    records: BTreeMap<u64, u32>,
    pub(super) seats: Vec<Seat>,
    /// Its topics, as filters are written.
    pub(super) topics: Vec<String>,
    pub(super) share: bool,
    /// The client whose it is, where clients have keys.
    pub(super) owner: Option<String>,
    /// What was lost and of which the catalog tells nothing: records that nobody was told of yet, behind
    /// which entry the last were, and all of them that are known.
    missed: (u64, u64),
    charged: u64,
    /// Records that were lost in all, below which entry these were, and how many of the charged ones
    /// are in that number.
    lost: u64,
    lost_to: u64,
    lost_charged: u64,
}

impl<Seat: Clone + PartialEq> Group<Seat> {
    /// As it was noted.
    pub(super) fn resume(noted: &Consumer) -> Self {
        Self {
            below: noted.below,
            done: noted.also.clone(),
            cursor: noted.below,
            handed: noted.handed,
            reserved: noted.handed,
            granted: noted.handed,
            since: noted.since,
            out: BTreeMap::new(),
            redo: BTreeSet::new(),
            records: BTreeMap::new(),
            seats: Vec::new(),
            topics: noted.topics.clone(),
            share: false,
            owner: noted.owner.clone(),
            missed: (noted.missed, noted.missed_to),
            charged: noted.charged,
            lost: noted.lost,
            lost_to: noted.lost_to,
            lost_charged: noted.lost_charged,
        }
    }

    /// A new one that begins here.
    pub(super) fn begin(at: u64, since: u64) -> Self {
        Self::resume(&Consumer {
            below: at,
            handed: at,
            since,
            ..Consumer::default()
        })
    }

    /// As it is to be noted.
    pub(super) fn note(&self, now: u64) -> Consumer {
        Consumer {
            below: self.below,
            also: self.done.clone(),
            handed: self.reserved.max(self.handed),
            since: self.since,
            topics: self.topics.clone(),
            heard: now,
            owner: self.owner.clone(),
            lost: self.lost,
            lost_to: self.lost_to,
            lost_charged: self.lost_charged,
            ..Consumer::default()
        }
    }

    /// Learns from its row what was deleted before anybody came to it.
    pub(super) fn learn(&mut self, noted: &Consumer) {
        self.missed.0 += noted.charged.saturating_sub(self.charged);
        self.missed.1 = self.missed.1.max(noted.missed_to);
        self.charged = self.charged.max(noted.charged);
    }

    /// What somebody is to be told of that: how many records, behind which entry the last were.
    pub(super) fn take_missed(&mut self) -> Option<(u64, u64)> {
        let missed = std::mem::take(&mut self.missed);
        self.lost += self.charged.saturating_sub(self.lost_charged);
        self.lost_charged = self.charged;
        (missed.0 > 0).then_some(missed)
    }

    /// Up to here entries may be read together with those at `at`: what was counted as lost before
    /// is counted apart from what was not.
    pub(super) fn read_to(&self, at: u64, until: u64) -> u64 {
        if at < self.lost_to {
            until.min(self.lost_to)
        } else {
            until
        }
    }

    /// Counts records that were deleted before anybody came to them. Says whether they are new: a
    /// later broker comes by the same ones once more.
    pub(super) fn lose(&mut self, from: u64, to: u64, records: u64) -> bool {
        let is_new = from >= self.lost_to;
        if is_new {
            self.lost += records;
            self.lost_to = to;
        }
        is_new
    }

    /// Counts those of an entry that somebody had and did not do.
    pub(super) fn lose_again(&mut self, records: u64) {
        self.lost += records;
    }

    pub(super) fn below(&self) -> u64 {
        self.below
    }

    /// An entry that somebody had and did not do, and its turn has come.
    pub(super) fn first_again(&self) -> Option<u64> {
        self.redo.first().copied()
    }

    /// Whether no more may be handed out before something of what is with somebody is done.
    pub(super) fn is_full(&self) -> bool {
        !self.out.is_empty() && self.out.len() + self.done.len() >= MOST_OPEN
    }

    /// Whether an entry was done before this broker knew the subscription.
    pub(super) fn is_done(&self, offset: u64) -> bool {
        offset < self.below || self.done.contains(&offset)
    }

    /// Hands an entry out; says whether it may have been worked on before.
    pub(super) fn hand(&mut self, offset: u64, seat: &Seat, records: u32) -> bool {
        let is_again = self.redo.remove(&offset);
        self.records.insert(offset, records);
        self.out.insert(offset, seat.clone());
        is_again || offset < self.handed
    }

    /// An entry that is gone needs no work. Says how many records it had.
    pub(super) fn skip(&mut self, offset: u64) -> u64 {
        self.redo.remove(&offset);
        u64::from(self.records.remove(&offset).unwrap_or(0))
    }

    /// No more is handed out than what was: nothing need be reserved.
    pub(super) fn release(&mut self) {
        self.reserved = self.cursor;
    }

    /// Whether it must be noted that entries are handed out, before they are. That is asked for early,
    /// so that nobody waits for it.
    pub(super) fn must_reserve(&mut self, until: u64) -> bool {
        if until + AHEAD / 2 <= self.reserved {
            return false;
        }
        self.reserved = until + AHEAD;
        true
    }

    /// What is below was noted to be handed out.
    pub(super) fn grant(&mut self, handed: u64) {
        self.granted = self.granted.max(handed);
    }

    /// Whether everything below may be handed out.
    pub(super) fn is_granted(&self, until: u64) -> bool {
        until <= self.granted
    }

    /// A seat has done what it had below `below`, and these.
    pub(super) fn finish(&mut self, seat: &Seat, below: u64, also: &[u64]) {
        let mine = self.out.range(..below).filter(|(_, whose)| *whose == seat);
        let mut finished: Vec<u64> = mine.map(|(offset, _)| *offset).collect();
        finished.extend(
            also.iter()
                .filter(|offset| self.out.get(offset) == Some(seat)),
        );
        for offset in finished {
            self.out.remove(&offset);
            self.done.insert(offset);
        }
        self.settle();
    }

    /// Where nobody shares: the one reader has done all below `below`, in this connection or in
    /// another one.
    pub(super) fn finish_below(&mut self, below: u64) {
        self.out = self.out.split_off(&below);
        self.redo = self.redo.split_off(&below);
        self.cursor = self.cursor.max(below);
        self.settle();
    }

    /// Moves the border below which all is done.
    fn settle(&mut self) {
        let open = [self.out.keys().next(), self.redo.first()];
        let first = open.into_iter().flatten().min().copied();
        let border = first.unwrap_or(self.cursor).min(self.cursor);
        self.below = self.below.max(border);
        self.done = self.done.split_off(&self.below);
        self.records = self.records.split_off(&self.below);
    }

    /// A seat is left: what it had not done goes to another one.
    pub(super) fn leave(&mut self, seat: &Seat) {
        self.seats.retain(|other| other != seat);
        let left: Vec<u64> = self
            .out
            .iter()
            .filter(|(_, whose)| *whose == seat)
            .map(|(offset, _)| *offset)
            .collect();
        for offset in left {
            self.out.remove(&offset);
            self.redo.insert(offset);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Hand(usize),
        Finish(usize, u64),
        Also(usize, u64),
        Leave(usize),
    }

    #[test]
    fn what_is_deleted_while_nobody_has_credit_is_told_once_and_counted_over_every_start() {
        let mut group = Group::<usize>::begin(0, 0);
        let mut row = group.note(0);
        (row.missed, row.missed_to, row.charged) = (5, 10, 5);
        group.learn(&row);
        assert_eq!(group.take_missed(), Some((5, 10)));
        group.learn(&row);
        assert_eq!(group.take_missed(), None);
        (row.missed, row.missed_to, row.charged) = (8, 14, 8);
        group.learn(&row);
        assert_eq!(group.take_missed(), Some((3, 14)));
        assert!(group.lose(14, 20, 6) && !group.lose(14, 20, 6));
        assert_eq!((group.read_to(14, 100), group.read_to(20, 100)), (20, 100));
        let noted = Consumer {
            charged: 8,
            ..group.note(0)
        };
        assert_eq!(noted.all_lost(), 14);
        assert_eq!(Group::<usize>::resume(&noted).note(0).lost, 14);
    }

    #[test]
    fn one_reader_that_never_ends_makes_the_others_wait_before_memory_does() {
        let mut group = Group::<usize>::begin(0, 0);
        group.cursor = MOST_OPEN as u64 * 2;
        group.hand(0, &1, 1);
        for offset in 1..MOST_OPEN as u64 {
            assert!(!group.is_full(), "{offset}");
            group.hand(offset, &2, 1);
            group.finish(&2, 0, &[offset]);
        }
        assert!(group.is_full());
        group.leave(&1);
        assert!(!group.is_full(), "what it had is another's now");
        assert_eq!(group.first_again(), Some(0));
        group.hand(0, &2, 1);
        group.finish(&2, 0, &[0]);
        assert!(!group.is_full() && group.note(0).also.is_empty());
    }

    #[test]
    fn who_acknowledges_nothing_gets_no_more_than_the_broker_can_remember() {
        let mut group = Group::<usize>::begin(0, 0);
        for offset in 0..MOST_OPEN as u64 {
            assert!(!group.is_full(), "{offset}");
            group.hand(offset, &1, 1);
        }
        assert!(group.is_full());
    }

    #[test]
    fn what_was_in_hand_and_left_is_known_by_its_records_when_it_is_gone() {
        let mut group = Group::<usize>::begin(0, 0);
        assert!(!group.hand(0, &1, 7) && !group.hand(1, &1, 5));
        group.cursor = 2;
        group.finish(&1, 0, &[1]);
        group.leave(&1);
        assert_eq!(group.first_again(), Some(0));
        assert_eq!((group.skip(0), group.first_again()), (7, None));
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0..3_usize).prop_map(Step::Hand),
            1 => (0..3_usize, 0..60_u64).prop_map(|(seat, below)| Step::Finish(seat, below)),
            2 => (0..3_usize, 0..60_u64).prop_map(|(seat, offset)| Step::Also(seat, offset)),
            1 => (0..3_usize).prop_map(Step::Leave),
        ];
        prop::collection::vec(step, 0..80)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_entry_is_with_one_seat_until_that_one_has_done_it(steps in steps()) {
            let seats = [0, 1, 2];
            let mut group = Group::<usize>::begin(0, 0);
            let mut done = BTreeSet::new();
            let mut with = BTreeMap::new();
            let mut had = BTreeSet::new();
            for step in steps {
                match step {
                    Step::Hand(seat) => {
                        let offset = group.first_again().unwrap_or(group.cursor);
                        group.cursor = group.cursor.max(offset + 1);
                        prop_assert!(!done.contains(&offset) && !with.contains_key(&offset));
                        prop_assert_eq!(group.hand(offset, &seats[seat], 1), !had.insert(offset));
                        with.insert(offset, seat);
                    }
                    Step::Finish(seat, below) => {
                        done.extend(with.iter().filter(|(o, s)| **s == seat && **o < below).map(|(o, _)| *o));
                        group.finish(&seats[seat], below, &[]);
                    }
                    Step::Also(seat, offset) => {
                        done.extend(with.get(&offset).filter(|s| **s == seat).map(|_| offset));
                        group.finish(&seats[seat], 0, &[offset]);
                    }
                    Step::Leave(seat) => {
                        with.retain(|_, s| *s != seat);
                        group.leave(&seats[seat]);
                    }
                }
                with.retain(|offset, _| !done.contains(offset));
                let noted = Group::<usize>::resume(&group.note(0));
                for offset in 0..group.cursor {
                    prop_assert_eq!(noted.is_done(offset), done.contains(&offset), "entry {}", offset);
                }
            }
        }
    }
}
