//! How much of the journal each publisher has, where none may have more than its share.
//!
//! What is kept of a class of topics is what came last, up to its limit of bytes; so it is enough to
//! remember what came, in slices, and to forget what retention deletes, oldest first. A publisher is
//! the owner of a key where its key is known, and else a sender id. What was there before this broker
//! started is nobody's. A class without a limit of bytes has no shares.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::retain::{OVERHEAD, Retention};

/// Slices of a class's limit: so exactly it is known when a publisher's share is free again.
const SLICES: u64 = 64;
/// Publishers that are known apart in one slice; more share one share.
const MANY: usize = 10_000;
const OTHERS: u64 = u64::MAX;
/// The least time between two lines.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The shares of all classes.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    percent: Option<u64>,
    kept: Vec<Kept>,
    told: Option<Instant>,
    untold: u64,
}

/// What is kept of a class, by publisher.
#[derive(Debug, Default)]
struct Kept {
    share: u64,
    slice: u64,
    slices: VecDeque<Slice>,
    of_each: HashMap<u64, u64>,
    /// Bytes of the oldest slice that are deleted.
    deleted: u64,
}

#[derive(Debug, Default)]
struct Slice {
    bytes: u64,
    of_each: HashMap<u64, u64>,
}

impl Shares {
    /// Shares of `percent`, if any, of what `used` says is there of each class.
    pub(crate) fn new(percent: Option<u8>, retention: &Retention, used: &[u64]) -> Self {
        let classes = retention.classes();
        let kept = used.iter().enumerate().map(|(class, used)| {
            let max = classes.limits(class).max_bytes;
            let before = Slice {
                bytes: *used,
                of_each: HashMap::new(),
            };
            Kept {
                share: match (percent, max) {
                    (Some(percent), Some(max)) => max / 100 * u64::from(percent),
                    _ => u64::MAX,
                },
                slice: max.unwrap_or(u64::MAX) / SLICES,
                slices: VecDeque::from([before]),
                ..Kept::default()
            }
        });
        Self {
            percent: percent.map(u64::from),
            kept: kept.collect(),
            ..Self::default()
        }
    }

    /// Whether a publisher's message of so many bytes is within its share. `besides` is what it has in
    /// hand and was not entered yet.
    pub(crate) fn has_room(
        &self,
        class: usize,
        publisher: u64,
        besides: u64,
        bytes: usize,
    ) -> bool {
        let Some(kept) = self.kept.get(class).filter(|_| self.percent.is_some()) else {
            return true;
        };
        let has = kept.of_each.get(&publisher).copied().unwrap_or(0);
        has + besides + size(bytes) <= kept.share
    }

    /// Enters a message that was appended.
    pub(crate) fn enter(&mut self, class: usize, publisher: u64, bytes: usize) {
        let Some(kept) = self.kept.get_mut(class).filter(|_| self.percent.is_some()) else {
            return;
        };
        if kept
            .slices
            .back()
            .is_none_or(|last| last.bytes >= kept.slice)
        {
            kept.slices.push_back(Slice::default());
        }
        let Some(slice) = kept.slices.back_mut() else {
            return;
        };
        let is_known = slice.of_each.contains_key(&publisher);
        let whose = match is_known || slice.of_each.len() < MANY {
            true => publisher,
            false => OTHERS,
        };
        let bytes = size(bytes);
        slice.bytes += bytes;
        *slice.of_each.entry(whose).or_default() += bytes;
        *kept.of_each.entry(whose).or_default() += bytes;
    }

    /// Forgets what was deleted of a class.
    pub(crate) fn forget(&mut self, class: usize, bytes: u64) {
        let Some(kept) = self.kept.get_mut(class) else {
            return;
        };
        kept.deleted += bytes;
        let is_whole = |kept: &Kept| {
            let oldest = kept.slices.front();
            oldest.is_some_and(|oldest| oldest.bytes <= kept.deleted)
        };
        while is_whole(kept)
            && let Some(oldest) = kept.slices.pop_front()
        {
            kept.deleted -= oldest.bytes;
            for (publisher, bytes) in oldest.of_each {
                if let Some(has) = kept.of_each.get_mut(&publisher) {
                    *has = has.saturating_sub(bytes);
                }
            }
            kept.of_each.retain(|_, has| *has > 0);
        }
        if kept.slices.is_empty() {
            kept.deleted = 0;
        }
    }

    /// A message was refused; gives back what is to be said of that, now and then.
    pub(crate) fn refused(&mut self, who: &str, class: &str, now: Instant) -> Option<String> {
        self.untold += 1;
        if self.told.is_some_and(|told| now - told < TELL_EVERY) {
            return None;
        }
        self.told = Some(now);
        let (refused, percent) = (
            std::mem::take(&mut self.untold),
            self.percent.unwrap_or(100),
        );
        Some(format!(
            "{who} has its share of the journal, {percent} % of what is kept of {class}: {refused} messages beyond it were not kept"
        ))
    }
}

/// What retention counts a message as.
pub(super) fn size(bytes: usize) -> u64 {
    bytes as u64 + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::super::limits::{Classes, Limits};
    use super::*;

    const MAX: u64 = 1_000_000;
    /// Together with what an entry costs besides.
    const THOUSAND: usize = 1000 - OVERHEAD as usize;

    fn shares(percent: Option<u8>, used: u64) -> Shares {
        let limits = Limits {
            max_bytes: Some(MAX),
            ..Limits::default()
        };
        let retention = Retention::new(Classes::new(Vec::new(), limits));
        Shares::new(percent, &retention, &[used])
    }

    fn fill(shares: &mut Shares, publisher: u64, messages: usize) -> usize {
        let mut entered = 0;
        while entered < messages && shares.has_room(0, publisher, 0, THOUSAND) {
            shares.enter(0, publisher, THOUSAND);
            entered += 1;
        }
        entered
    }

    #[test]
    fn one_publisher_fills_its_share_and_another_its_own() {
        let mut shares = shares(Some(25), 0);
        assert_eq!(fill(&mut shares, 1, 1000), 250);
        assert_eq!(fill(&mut shares, 2, 1000), 250);
        assert!(!shares.has_room(0, 1, 0, 0));
        assert!(!shares.has_room(0, 3, 250_000, 0), "what is in hand counts");
        assert!(shares.has_room(0, 3, 0, THOUSAND));
    }

    #[test]
    fn what_is_deleted_gives_its_share_back_oldest_first() {
        let mut shares = shares(Some(25), 100_000);
        assert_eq!(fill(&mut shares, 1, 1000), 250);
        shares.forget(0, 100_000);
        assert!(!shares.has_room(0, 1, 0, THOUSAND), "that was nobody's");
        shares.forget(0, 100_000);
        let again = fill(&mut shares, 1, 1000);
        // A slice is a sixty-fourth, and the first one may be larger.
        assert!((70..=100).contains(&again), "{again}");
        shares.forget(0, MAX);
        assert_eq!(fill(&mut shares, 1, 1000), 250);
    }

    #[test]
    fn without_a_share_or_a_limit_there_is_room_for_all() {
        let mut unshared = shares(None, 0);
        assert_eq!(fill(&mut unshared, 1, 5000), 5000);
        let unlimited = Retention::new(Classes::new(Vec::new(), Limits::default()));
        let mut unlimited = Shares::new(Some(1), &unlimited, &[0]);
        assert_eq!(fill(&mut unlimited, 1, 5000), 5000);
    }

    #[test]
    fn what_is_refused_is_told_now_and_then() {
        let mut shares = shares(Some(25), 0);
        let now = Instant::now();
        let line = shares.refused("publisher 7", "*", now).unwrap();
        assert!(
            line.contains("25 % of what is kept of *: 1 messages"),
            "{line}"
        );
        assert_eq!(shares.refused("publisher 7", "*", now), None);
        let line = shares
            .refused("publisher 7", "*", now + TELL_EVERY)
            .unwrap();
        assert!(line.contains(": 2 messages"), "{line}");
    }
}
