//! How much one sender may send, and what becomes of one that sends more.
//!
//! A [`Rate`] is an average over ten seconds, so that a burst after a pause is no flood. A sender is
//! the owner of a key where there are keys, and else a connection: there is nothing else to know it
//! by, and one that comes again begins anew. Whoever is over its rate is cut, and what it sent
//! beyond is dropped and counted. Nothing here waits.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::notices::Notices;

/// What may be sent at once after a pause, as time at the full rate.
const BURST: Duration = Duration::from_secs(10);
/// Meters that are kept before those of senders who pause are forgotten.
const MANY: usize = 1000;
/// The kind of the notices that are told from here.
const FLOOD: &str = "messages over the rate";

/// The most that one sender may send; what is `None` has no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    /// Messages a second.
    pub messages: Option<u64>,
    /// Bytes a second.
    pub bytes: Option<u64>,
}

impl Rate {
    /// Whether there is none.
    pub fn is_unbounded(&self) -> bool {
        self.messages.is_none() && self.bytes.is_none()
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.messages, self.bytes) {
            (Some(messages), Some(bytes)) => write!(f, "{messages} messages or {bytes} bytes"),
            (Some(messages), None) => write!(f, "{messages} messages"),
            (None, Some(bytes)) => write!(f, "{bytes} bytes"),
            (None, None) => write!(f, "anything"),
        }?;
        write!(f, " a second")
    }
}

/// One sender's account: until when what it has sent takes at its rate.
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    messages: Instant,
    bytes: Instant,
}

impl Meter {
    /// Of a sender that has sent nothing.
    pub fn new(now: Instant) -> Self {
        Self {
            messages: now,
            bytes: now,
        }
    }

    /// Takes a message in; says how long it is too early.
    pub fn charge(&mut self, rate: Rate, bytes: usize, now: Instant) -> Duration {
        let next = Self {
            messages: later(self.messages, rate.messages, 1, now),
            bytes: later(self.bytes, rate.bytes, bytes as u64, now),
        };
        let until = next.messages.max(next.bytes);
        let early = until.saturating_duration_since(now).saturating_sub(BURST);
        // A single message that takes longer than a burst is a burst.
        let is_idle = self.messages.max(self.bytes) <= now;
        if early.is_zero() || is_idle {
            *self = next;
            return Duration::ZERO;
        }
        early
    }

    /// Takes messages in that come whatever is said; says how long their sender is to wait now.
    pub fn charge_anyhow(
        &mut self,
        rate: Rate,
        messages: usize,
        bytes: usize,
        now: Instant,
    ) -> Duration {
        self.messages = later(self.messages, rate.messages, messages as u64, now);
        self.bytes = later(self.bytes, rate.bytes, bytes as u64, now);
        let until = self.messages.max(self.bytes);
        until.saturating_duration_since(now).saturating_sub(BURST)
    }

    fn is_idle(&self, now: Instant) -> bool {
        self.messages.max(self.bytes) <= now
    }
}

fn later(from: Instant, rate: Option<u64>, amount: u64, now: Instant) -> Instant {
    let from = from.max(now);
    let Some(rate) = rate else { return from };
    let nanos = u128::from(amount) * 1_000_000_000 / u128::from(rate.max(1));
    let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
    from.checked_add(takes).unwrap_or(from)
}

/// The accounts of a socket's senders. `S` is what tells them apart.
#[derive(Debug)]
pub(crate) struct Rates<S> {
    rate: Rate,
    meters: HashMap<S, Meter>,
    notices: Notices,
    place: String,
}

impl<S: Eq + Hash> Rates<S> {
    /// `None` where everybody may send what it likes.
    pub(crate) fn new(rate: Rate, notices: &Notices, place: String) -> Option<Self> {
        (!rate.is_unbounded()).then(|| Self {
            rate,
            meters: HashMap::new(),
            notices: notices.clone(),
            place,
        })
    }

    /// Whether a message is within its sender's rate. One that is not is counted here, and told.
    pub(crate) fn admits(
        &mut self,
        sender: S,
        name: impl FnOnce() -> String,
        bytes: usize,
    ) -> bool {
        let now = Instant::now();
        if self.meters.len() >= MANY && !self.meters.contains_key(&sender) {
            self.meters.retain(|_, meter| !meter.is_idle(now));
        }
        let meter = self.meters.entry(sender).or_insert_with(|| Meter::new(now));
        if meter.charge(self.rate, bytes, now).is_zero() {
            return true;
        }
        self.notices.tell(FLOOD, || {
            let Self { rate, place, .. } = self;
            format!("{} at {place} cut: it sends more than {rate}", name())
        });
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        messages: Some(10),
        bytes: Some(1000),
    };

    #[test]
    fn ten_seconds_worth_may_come_at_once_and_the_rate_from_then_on() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        for number in 0..100 {
            assert!(meter.charge(RATE, 1, start).is_zero(), "{number}");
        }
        assert_eq!(meter.charge(RATE, 1, start), Duration::from_millis(100));
        let next = start + Duration::from_millis(100);
        assert!(meter.charge(RATE, 1, next).is_zero());
        assert!(!meter.charge(RATE, 1, next).is_zero());
    }

    #[test]
    fn bytes_count_as_messages_do() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        assert!(meter.charge(RATE, 9_000, start).is_zero());
        assert_eq!(meter.charge(RATE, 2_000, start), Duration::from_secs(1));
        assert!(
            meter.charge(RATE, 1_000, start).is_zero(),
            "a smaller one has room"
        );
    }

    #[test]
    fn who_waits_when_told_to_is_held_to_the_rate() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        assert!(meter.charge_anyhow(RATE, 100, 0, start).is_zero());
        let wait = meter.charge_anyhow(RATE, 20, 0, start);
        assert_eq!(wait, Duration::from_secs(2));
        let wait = meter.charge_anyhow(RATE, 10, 0, start + wait);
        assert_eq!(wait, Duration::from_secs(1));
    }

    #[test]
    fn a_message_larger_than_a_burst_passes_after_a_pause() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        assert!(meter.charge(RATE, 50_000, start).is_zero());
        assert!(!meter.charge(RATE, 1, start).is_zero());
    }

    #[test]
    fn senders_who_pause_are_forgotten_and_all_that_is_refused_is_counted() {
        let notices = Notices::default();
        let rate = Rate {
            messages: Some(u64::MAX),
            bytes: Some(10),
        };
        let mut rates = Rates::new(rate, &notices, "here".to_owned()).unwrap();
        for sender in 0..MANY * 3 {
            assert!(rates.admits(sender, String::new, 0));
        }
        assert!(rates.meters.len() <= MANY);
        assert!(rates.admits(0, String::new, 100));
        for _ in 0..5 {
            assert!(!rates.admits(0, || "web".to_owned(), 1));
        }
        assert_eq!(notices.counts()[FLOOD], 5);
        assert!(notices.take()[0].starts_with("web at here cut: it sends more than"));
        assert!(Rates::<u8>::new(Rate::default(), &notices, String::new()).is_none());
    }
}
