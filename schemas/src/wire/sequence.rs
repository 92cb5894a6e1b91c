//! The sender's half of the loss account: a number for every record, a total for every discard.
//!
//! One [`Numbering`] belongs to one incarnation of a publisher. It makes the headers of what that
//! publisher sends, so that sequence numbers have no holes of the sender's own making, and says
//! which topics are due a heartbeat. It holds no queue and no clock. [`super::ledger`] is the
//! receiver's half.

use std::collections::{BTreeMap, HashMap};

use super::{Flags, Header, SenderId};
use crate::codec::Codec;
use crate::topic::Topic;

/// A topic is due a heartbeat this long after its last one, in ns.
pub const HEARTBEAT_EVERY: u64 = 1_000_000_000;
/// Only this many topics, the most recently used, get heartbeats: a bound on an idle sender's
/// traffic. The lost tail of another topic shows at its next record or at the goodbye.
pub const HEARTBEAT_TOPICS: usize = 1024;
/// After this many topics a sender must begin anew under another id: a bound on memory.
pub const MAX_TOPICS: usize = 65_536;

/// A moment by two clocks, in ns. The system's clock can be set, and what is told by it alone would be
/// wrong for as long as it was set back; the other one goes on, and knows nothing of dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Since 1970-01-01 00:00 UTC, by the system's clock.
    pub clock: u64,
    /// Since some moment, by a clock that only goes on.
    pub steady: u64,
}

impl Moment {
    /// How long ago `earlier` was: the longer of the two answers. The system's clock may have been set
    /// back, and the steady one may stand while the machine sleeps.
    fn since(self, earlier: Self) -> u64 {
        let by_clock = self.clock.saturating_sub(earlier.clock);
        by_clock.max(self.steady.saturating_sub(earlier.steady))
    }
}

/// The numbers of one sender, topic by topic.
#[derive(Debug)]
pub struct Numbering {
    sender: SenderId,
    codec: Codec,
    topics: HashMap<Topic, Count>,
}

#[derive(Debug, Default)]
struct Count {
    next: u64,
    first_sent: Option<Moment>,
    discarded: BTreeMap<&'static str, u64>,
    /// By the steady clock, as all that only this sender counts.
    last_used: u64,
    last_heartbeat: Option<u64>,
}

impl Numbering {
    /// A sender that has sent nothing.
    pub fn new(sender: SenderId, codec: Codec) -> Self {
        Self {
            sender,
            codec,
            topics: HashMap::new(),
        }
    }

    /// Who sends.
    pub fn sender(&self) -> SenderId {
        self.sender
    }

    /// Whether the sender has used as many topics as one sender may.
    pub fn is_full(&self) -> bool {
        self.topics.len() >= MAX_TOPICS
    }

    /// Whether this topic would be one more than one sender may use.
    pub fn is_full_for(&self, topic: &Topic) -> bool {
        self.is_full() && !self.topics.contains_key(topic)
    }

    /// Whether no heartbeat was ever made for this topic: readers of its records do not know who sends
    /// them. Something may have been discarded on it, or even sent.
    pub fn is_new(&self, topic: &str) -> bool {
        self.topics
            .get(topic)
            .is_none_or(|count| count.last_heartbeat.is_none())
    }

    /// The header for `count` records that are sent now, in this numbering's codec.
    pub fn number(&mut self, topic: &Topic, count: u32, now: Moment) -> Header {
        self.number_as(self.codec, topic, count, now)
    }

    /// The header for `count` records that are sent now, in a codec of their own.
    pub fn number_as(&mut self, codec: Codec, topic: &Topic, count: u32, now: Moment) -> Header {
        let sender = self.sender;
        let state = self.state(topic);
        let sequence = state.next;
        state.next += u64::from(count);
        state.last_used = now.steady;
        state.first_sent.get_or_insert(now);
        Header {
            count,
            sequence,
            ..state.header(codec, sender, now)
        }
    }

    /// The header of a heartbeat (or goodbye) that is sent now.
    pub fn heartbeat(&mut self, topic: &Topic, flags: Flags, now: Moment) -> Header {
        let (codec, sender) = (self.codec, self.sender);
        let state = self.state(topic);
        state.last_heartbeat = Some(now.steady);
        Header {
            flags,
            ..state.header(codec, sender, now)
        }
    }

    /// Counts records of this topic that were thrown away. It is used by that like by a record:
    /// [`Numbering::is_full_for`] is to be asked before.
    pub fn discard(&mut self, topic: &Topic, reason: &'static str, count: u64) {
        *self.state(topic).discarded.entry(reason).or_default() += count;
    }

    /// What was discarded on this topic, by reason.
    pub fn discarded(&self, topic: &str) -> BTreeMap<String, u64> {
        let Some(count) = self.topics.get(topic) else {
            return BTreeMap::new();
        };
        count
            .discarded
            .iter()
            .map(|(reason, n)| ((*reason).to_owned(), *n))
            .collect()
    }

    /// Every topic that was used.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.keys()
    }

    /// The topics that are due a heartbeat now.
    pub fn due(&self, now: Moment) -> Vec<Topic> {
        let mut used: Vec<_> = self.topics.iter().collect();
        if used.len() > HEARTBEAT_TOPICS {
            used.select_nth_unstable_by_key(HEARTBEAT_TOPICS, |(_, count)| {
                std::cmp::Reverse(count.last_used)
            });
            used.truncate(HEARTBEAT_TOPICS);
        }
        used.retain(|(_, count)| {
            count
                .last_heartbeat
                .is_none_or(|last| now.steady.saturating_sub(last) >= HEARTBEAT_EVERY)
        });
        used.into_iter().map(|(topic, _)| topic.clone()).collect()
    }

    fn state(&mut self, topic: &Topic) -> &mut Count {
        self.topics.entry(topic.clone()).or_default()
    }
}

impl Count {
    fn header(&self, codec: Codec, sender: SenderId, now: Moment) -> Header {
        let age = self
            .first_sent
            .map_or(0, |first| now.since(first) / 1_000_000 + 1);
        Header {
            codec,
            flags: Flags::default(),
            sender,
            sequence: self.next,
            count: 0,
            age: u32::try_from(age).unwrap_or(u32::MAX),
            discarded: self.discarded.values().sum(),
            sent: now.clock,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    fn topic(text: &str) -> Topic {
        Topic::new(text).unwrap()
    }

    /// Both clocks at once.
    fn at(ns: u64) -> Moment {
        let (clock, steady) = (ns, ns);
        Moment { clock, steady }
    }

    #[test]
    fn each_topic_counts_its_own_records() {
        let mut numbers = Numbering::new(SenderId(1), codec::JSON);
        let (a, b) = (topic("a"), topic("b"));
        assert_eq!(numbers.number(&a, 3, at(10)).sequence, 0);
        assert_eq!(numbers.number(&b, 1, at(10)).sequence, 0);
        assert_eq!(numbers.number(&a, 1, at(10)).sequence, 3);
        assert_eq!(numbers.heartbeat(&a, Flags::HEARTBEAT, at(10)).sequence, 4);
    }

    #[test]
    fn discards_are_a_running_total_in_every_header() {
        let mut numbers = Numbering::new(SenderId(1), codec::JSON);
        let a = topic("a");
        numbers.discard(&a, "queue full", 5);
        numbers.discard(&a, "no subscriber", 2);
        assert_eq!(numbers.number(&a, 1, at(10)).discarded, 7);
        assert_eq!(numbers.discarded("a")["queue full"], 5);
    }

    #[test]
    fn a_sender_that_is_full_still_has_its_own_topics() {
        let mut numbers = Numbering::new(SenderId(1), codec::JSON);
        for i in 0..MAX_TOPICS {
            let topic = topic(&format!("t{i}"));
            assert!(!numbers.is_full_for(&topic));
            numbers.discard(&topic, "queue full", 1);
        }
        assert!(!numbers.is_full_for(&topic("t0")) && numbers.is_full_for(&topic("new")));
    }

    #[test]
    fn a_topic_is_due_a_heartbeat_at_first_and_then_every_second() {
        let mut numbers = Numbering::new(SenderId(1), codec::JSON);
        let a = topic("a");
        numbers.number(&a, 1, at(0));
        assert_eq!(numbers.due(at(0)), std::slice::from_ref(&a));
        numbers.heartbeat(&a, Flags::HEARTBEAT, at(5));
        assert!(numbers.due(at(HEARTBEAT_EVERY)).is_empty());
        assert_eq!(numbers.due(at(HEARTBEAT_EVERY + 5)), [a]);
    }

    #[test]
    fn only_the_most_recently_used_topics_get_heartbeats() {
        let mut numbers = Numbering::new(SenderId(1), codec::JSON);
        for i in 0..2 * HEARTBEAT_TOPICS as u64 {
            numbers.number(&topic(&format!("t{i}")), 1, at(i));
        }
        let due = numbers.due(at(9999));
        assert_eq!(due.len(), HEARTBEAT_TOPICS);
        assert!(due.contains(&topic("t2047")) && !due.contains(&topic("t3")));
    }

    #[test]
    fn the_age_is_counted_from_the_first_record() {
        let mut numbers = Numbering::new(SenderId(1), codec::JSON);
        let a = topic("a");
        assert_eq!(
            numbers.heartbeat(&a, Flags::HEARTBEAT, at(1_000_000)).age,
            0
        );
        assert_eq!(
            numbers.number(&a, 1, at(2_000_000)).first_sent(),
            Some(2_000_000)
        );
        assert_eq!(
            numbers.number(&a, 1, at(9_000_000)).first_sent(),
            Some(2_000_000)
        );
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_record_younger_and_no_heartbeat_late() {
        let mut numbers = Numbering::new(SenderId(1), codec::JSON);
        let (a, second, hour) = (topic("a"), HEARTBEAT_EVERY, 3600 * HEARTBEAT_EVERY);
        let before = at(2 * hour);
        let after = Moment {
            clock: hour,
            steady: 2 * hour + second,
        };
        numbers.number(&a, 5, before);
        numbers.heartbeat(&a, Flags::HEARTBEAT, before);
        assert_eq!(numbers.due(after), std::slice::from_ref(&a));
        // Whoever began to listen when the clock had been set back is told nothing of a loss.
        let first_sent = numbers.number(&a, 1, after).first_sent();
        assert_eq!(first_sent, Some(hour - second));
    }

    #[test]
    fn a_machine_that_slept_makes_no_record_younger() {
        let mut numbers = Numbering::new(SenderId(1), codec::JSON);
        let (a, hour) = (topic("a"), 3600 * HEARTBEAT_EVERY);
        numbers.number(&a, 5, at(hour));
        let awake = Moment {
            clock: 2 * hour,
            steady: hour,
        };
        assert_eq!(numbers.number(&a, 1, awake).first_sent(), Some(hour));
    }
}
