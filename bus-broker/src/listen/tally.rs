//! What listeners refused: counted always, told at a bounded rate.
//!
//! The listeners' thread counts, the hub tells and sums up. A notice of a kind is taken once in a
//! while only; that others like it came besides is in the count.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use logbus_transport::Waker;

/// The least time between two notices of one kind.
const NOTICE_EVERY: Duration = Duration::from_secs(10);

/// What can go wrong with a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// There were too many connections.
    RefusedConnection,
    /// A frame was of a wrong length, did not come to its end, or not in time.
    BrokenFrame,
    /// A request was answered with an error.
    RefusedRequest,
    /// A connection was not read for a while, because it sent more than its rate.
    SlowedDown,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Trouble::RefusedConnection => "refused connections",
            Trouble::BrokenFrame => "broken frames",
            Trouble::RefusedRequest => "refused requests",
            Trouble::SlowedDown => "times slowed down",
        })
    }
}

/// The counts, and what is to be told.
pub(crate) struct Tally {
    state: Mutex<State>,
    waker: Waker,
}

#[derive(Default)]
struct State {
    counts: BTreeMap<Trouble, u64>,
    told: BTreeMap<Trouble, Instant>,
    notices: Vec<String>,
}

impl Tally {
    /// Calls `waker` when there is something to tell.
    pub(crate) fn new(waker: Waker) -> Self {
        Self {
            state: Mutex::default(),
            waker,
        }
    }

    /// Counts, and tells unless that was done just now.
    pub(crate) fn count(&self, trouble: Trouble, notice: impl FnOnce() -> String) {
        let Ok(mut state) = self.state.lock() else {
            return;
        };
        *state.counts.entry(trouble).or_default() += 1;
        let now = Instant::now();
        let last = state.told.get(&trouble);
        if last.is_none_or(|last| now - *last >= NOTICE_EVERY) {
            state.told.insert(trouble, now);
            state.notices.push(notice());
            self.waker.wake();
        }
    }

    /// The notices since the last call.
    pub(crate) fn take_notices(&self) -> Vec<String> {
        let state = self.state.lock();
        state.map_or_else(
            |_| Vec::new(),
            |mut state| std::mem::take(&mut state.notices),
        )
    }

    pub(crate) fn counts(&self) -> BTreeMap<Trouble, u64> {
        let state = self.state.lock();
        state.map_or_else(|_| BTreeMap::new(), |state| state.counts.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_counted_and_the_first_of_a_kind_told() {
        let tally = Tally::new(Waker::new().unwrap());
        for number in 0..3 {
            tally.count(Trouble::BrokenFrame, || number.to_string());
        }
        tally.count(Trouble::RefusedRequest, || "other".to_owned());
        assert_eq!(tally.take_notices(), ["0", "other"]);
        assert!(tally.take_notices().is_empty());
        assert_eq!(tally.counts()[&Trouble::BrokenFrame], 3);
    }
}
