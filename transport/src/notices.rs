//! What sockets have to tell an operator: counted always, told at a bounded rate.
//!
//! A socket has nobody to speak to, so it puts down what it saw, and its owner takes that and says
//! it. Of each kind one notice is kept in ten seconds, with how many like it came before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The least time between two notices of one kind.
const EVERY: Duration = Duration::from_secs(10);

/// Notices of any number of sockets; a clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Notices(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    kinds: BTreeMap<&'static str, Kind>,
    lines: Vec<String>,
}

#[derive(Debug, Default)]
struct Kind {
    count: u64,
    untold: u64,
    told: Option<Instant>,
}

impl Notices {
    /// Counts, and tells unless that was done just now.
    pub fn tell(&self, kind: &'static str, line: impl FnOnce() -> String) {
        let Ok(mut state) = self.0.lock() else {
            return;
        };
        let known = state.kinds.entry(kind).or_default();
        known.count += 1;
        let now = Instant::now();
        if known.told.is_some_and(|told| now - told < EVERY) {
            known.untold += 1;
            return;
        }
        known.told = Some(now);
        let line = match std::mem::take(&mut known.untold) {
            0 => line(),
            more => format!("{} ({more} more since the last such notice)", line()),
        };
        state.lines.push(line);
    }

    /// What is to be said, oldest first.
    pub fn take(&self) -> Vec<String> {
        let state = self.0.lock();
        state.map_or_else(|_| Vec::new(), |mut state| std::mem::take(&mut state.lines))
    }

    /// How often each kind was told of.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        let state = self.0.lock();
        state.map_or_else(
            |_| BTreeMap::new(),
            |state| {
                let each = state.kinds.iter();
                each.map(|(kind, known)| (*kind, known.count)).collect()
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_kind_is_one_line_and_a_count() {
        let notices = Notices::default();
        for number in 0..1000 {
            notices.tell("refused", || format!("refused {number}"));
        }
        notices.tell("other", || "other".to_owned());
        assert_eq!(notices.take(), ["refused 0", "other"]);
        assert!(notices.take().is_empty());
        assert_eq!(notices.counts()["refused"], 1000);
    }
}
