//! Time order while live: things wait a little, so that what was created first is shown first.
//!
//! Each thing has a time and a source. It leaves when it has waited the window's length since it
//! came, and with it everything that is earlier: so nothing waits longer, and what is shown is in
//! order, but for what comes after something later was shown already. That is late: it is shown at
//! once, with a mark. Things of one source never swap: one that has an earlier time than its
//! source's last is given the last one's place. When the window holds too many bytes, the
//! earliest leave before their time. Clocks come in as arguments.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::hash::Hash;

/// Sources whose last place is remembered.
const MAX_SOURCES: usize = 16_384;

/// The window. `T` is what waits, `S` says what must not swap.
#[derive(Debug)]
pub struct Reorder<T, S> {
    /// How long things wait, in ns.
    window: u64,
    max_bytes: usize,
    bytes: usize,
    waiting: BinaryHeap<Reverse<Waiting<T>>>,
    /// When each came, with its place, in the order in which they came.
    arrivals: VecDeque<(u64, Place)>,
    /// The last place of each source.
    last: HashMap<S, i64>,
    /// The latest place that was shown.
    shown: Option<Place>,
    count: u64,
}

/// A place in the stream: the time in ns, and how many came before.
type Place = (i64, u64);

#[derive(Debug)]
struct Waiting<T> {
    place: Place,
    bytes: usize,
    is_late: bool,
    thing: T,
}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl<T> Eq for Waiting<T> {}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Waiting<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place.cmp(&other.place)
    }
}

impl<T, S: Hash + Eq> Reorder<T, S> {
    /// A window of so many ns and bytes. With 0 ns everything is shown as it comes.
    pub fn new(window: u64, max_bytes: usize) -> Self {
        Self {
            window,
            max_bytes,
            bytes: 0,
            waiting: BinaryHeap::new(),
            arrivals: VecDeque::new(),
            last: HashMap::new(),
            shown: None,
            count: 0,
        }
    }

    /// Takes something in that has a time, in ns since 1970, and a source. `now` is any clock that
    /// does not go back, in ns.
    pub fn push(&mut self, thing: T, time: i64, source: S, bytes: usize, now: u64) {
        if self.last.len() >= MAX_SOURCES && !self.last.contains_key(&source) {
            self.last.clear();
        }
        let last = self.last.entry(source).or_insert(i64::MIN);
        *last = time.max(*last);
        let time = if self.window == 0 { 0 } else { *last };
        self.put(thing, time, bytes, now);
    }

    /// Takes something in that stands behind what its source has said, or, without a source,
    /// behind everything that has come.
    pub fn push_behind(&mut self, thing: T, source: Option<S>, bytes: usize, now: u64) {
        let behind = match source {
            Some(source) => self.last.get(&source).copied(),
            None => self.arrivals.iter().map(|(_, (time, _))| *time).max(),
        };
        let shown = self.shown.map_or(i64::MIN, |(time, _)| time);
        let time = if self.window == 0 {
            0
        } else {
            behind.unwrap_or(shown)
        };
        self.put(thing, time.max(shown), bytes, now);
    }

    /// Takes something in that stands before all that waits.
    pub fn push_before(&mut self, thing: T, bytes: usize, now: u64) {
        let shown = self.shown.map_or(i64::MIN, |(time, _)| time);
        let time = if self.window == 0 { 0 } else { shown };
        self.put(thing, time, bytes, now);
    }

    /// Takes out what is due, in order, each with whether it is late.
    pub fn release(&mut self, now: u64, mut show: impl FnMut(T, bool)) {
        let mut until = self.shown;
        while let Some((came, place)) = self.arrivals.front() {
            let is_due = now.saturating_sub(*came) >= self.window;
            if !is_due && !self.was_shown(*place) {
                break;
            }
            until = until.max(Some(*place));
            self.arrivals.pop_front();
        }
        while let Some(Reverse(first)) = self.waiting.peek() {
            let is_too_much = self.bytes > self.max_bytes;
            if !is_too_much && until.is_none_or(|until| first.place > until) {
                break;
            }
            if let Some(Reverse(first)) = self.waiting.pop() {
                self.bytes -= first.bytes;
                self.shown = self.shown.max(Some(first.place));
                show(first.thing, first.is_late);
            }
        }
    }

    /// Takes out everything.
    pub fn drain(&mut self, show: impl FnMut(T, bool)) {
        self.release(u64::MAX, show);
    }

    /// When something is due next, on the clock of `push`.
    pub fn next_due(&self) -> Option<u64> {
        if self.waiting.is_empty() {
            return None;
        }
        let (came, _) = self.arrivals.front()?;
        Some(came.saturating_add(self.window))
    }

    /// How many bytes wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn put(&mut self, thing: T, time: i64, bytes: usize, now: u64) {
        let is_late = self.shown.is_some_and(|(shown, _)| time < shown);
        let place = (time, self.count);
        self.count += 1;
        self.bytes += bytes;
        self.arrivals.push_back((now, place));
        self.waiting.push(Reverse(Waiting {
            place,
            bytes,
            is_late,
            thing,
        }));
    }

    /// Whether what came there is no longer waiting, or is late and need not.
    fn was_shown(&self, place: Place) -> bool {
        self.shown.is_some_and(|shown| place <= shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: u64 = 100;

    fn times(window: &mut Reorder<i64, u8>, now: u64) -> Vec<(i64, bool)> {
        let mut out = Vec::new();
        window.release(now, |time, is_late| out.push((time, is_late)));
        out
    }

    #[test]
    fn what_was_created_first_is_shown_first_and_nothing_waits_longer_than_the_window() {
        let mut window = Reorder::new(WINDOW, usize::MAX);
        window.push(30, 30, 1, 1, 1000);
        window.push(10, 10, 2, 1, 1010);
        window.push(40, 40, 2, 1, 1020);
        assert_eq!(window.next_due(), Some(1100));
        assert_eq!(times(&mut window, 1099), []);
        assert_eq!(times(&mut window, 1100), [(10, false), (30, false)]);
        assert_eq!(times(&mut window, 1120), [(40, false)]);
        assert_eq!(window.next_due(), None);
    }

    #[test]
    fn what_comes_too_late_is_shown_at_once_with_a_mark() {
        let mut window = Reorder::new(WINDOW, usize::MAX);
        window.push(50, 50, 1, 1, 0);
        assert_eq!(times(&mut window, 100), [(50, false)]);
        window.push(60, 60, 1, 1, 101);
        window.push(20, 20, 2, 1, 102);
        assert_eq!(times(&mut window, 102), [(20, true)]);
        assert_eq!(times(&mut window, 201), [(60, false)]);
    }

    #[test]
    fn the_records_of_one_source_never_swap() {
        let mut window = Reorder::new(WINDOW, usize::MAX);
        window.push(30, 30, 1, 1, 0);
        window.push(20, 20, 1, 1, 1);
        window.push(25, 25, 2, 1, 2);
        let order: Vec<i64> = times(&mut window, 200)
            .into_iter()
            .map(|(time, _)| time)
            .collect();
        assert_eq!(order, [25, 30, 20]);
    }

    #[test]
    fn without_a_window_everything_is_shown_as_it_comes() {
        let mut window = Reorder::new(0, usize::MAX);
        window.push(30, 30, 1, 1, 0);
        window.push(10, 10, 2, 1, 0);
        window.push_behind(0, Some(2), 1, 0);
        let expected = [(30, false), (10, false), (0, false)];
        assert_eq!(times(&mut window, 0), expected);
    }

    #[test]
    fn a_notice_stands_behind_what_its_source_has_said() {
        let mut window = Reorder::new(WINDOW, usize::MAX);
        window.push(10, 10, 1, 1, 0);
        window.push(30, 30, 2, 1, 1);
        window.push_behind(-1, Some(1), 1, 2);
        window.push_behind(-2, None, 1, 3);
        let order: Vec<i64> = times(&mut window, 500)
            .into_iter()
            .map(|(time, _)| time)
            .collect();
        assert_eq!(order, [10, -1, 30, -2]);
        window.push(40, 40, 1, 1, 501);
        window.push_before(-4, 1, 502);
        let order = times(&mut window, 620);
        assert_eq!(order, [(-4, false), (40, false)]);
        window.push_behind(-3, Some(1), 1, 700);
        assert_eq!(times(&mut window, 700), [], "it waits, and is not late");
        assert_eq!(times(&mut window, 800), [(-3, false)]);
    }

    proptest! {
        #[test]
        fn whatever_comes_leaves_once_in_time_and_in_order(
            things in proptest::collection::vec((0_u64..40, 0_i64..150, 0_u8..4), 1..200),
            max_bytes in prop_oneof![Just(usize::MAX), 1_usize..50],
        ) {
            let mut window = Reorder::new(WINDOW, max_bytes);
            let (mut now, mut shown) = (1000, Vec::new());
            let mut came = Vec::new();
            for (at, (pause, delay, source)) in things.iter().enumerate() {
                now += pause;
                let time = now as i64 - delay;
                came.push((now, time, *source));
                window.push(at, time, *source, 1, now);
                window.release(now, |thing, is_late| shown.push((thing, is_late, now)));
                prop_assert!(window.bytes() <= max_bytes);
            }
            window.drain(|thing, is_late| shown.push((thing, is_late, now)));
            prop_assert_eq!(window.bytes(), 0);
            let mut all: Vec<usize> = shown.iter().map(|(thing, ..)| *thing).collect();
            for source in 0..4 {
                let of_one: Vec<usize> =
                    all.iter().copied().filter(|at| came[*at].2 == source).collect();
                prop_assert!(of_one.is_sorted(), "{:?}", of_one);
            }
            // In order, as far as each source is in order itself and nothing is late.
            let mut floors = [i64::MIN; 4];
            let places: Vec<i64> = came.iter().map(|(_, time, source)| {
                let floor = &mut floors[usize::from(*source)];
                *floor = (*time).max(*floor);
                *floor
            }).collect();
            let in_time: Vec<i64> =
                shown.iter().filter(|(_, is_late, _)| !is_late).map(|(at, ..)| places[*at]).collect();
            prop_assert!(in_time.is_sorted(), "{:?}", in_time);
            for (at, _, when) in &shown {
                prop_assert!(*when < came[*at].0 + WINDOW + 40);
            }
            all.sort_unstable();
            prop_assert_eq!(all, (0..things.len()).collect::<Vec<_>>());
        }
    }
}
