//! One sender's account: what should have come under each of its topics, and what did.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::notice::{Notice, Sender};
use super::{Totals, Verdict};
use crate::topic::Topic;
use crate::wire::clock::Clock;
use crate::wire::{Header, Identity, SenderId};

/// Open gaps remembered for each sender and topic. What fills an older one counts as a duplicate.
const MAX_GAPS: usize = 256;
/// Topics remembered for each sender; the publisher's own bound is the same.
const MAX_TOPICS: usize = crate::wire::sequence::MAX_TOPICS;

#[derive(Debug)]
pub(super) struct Account {
    pub(super) sender: Arc<Sender>,
    pub(super) state: State,
    pub(super) last_heard: u64,
    pub(super) clock: Clock,
    /// Whether another one has taken its place.
    pub(super) succeeded: bool,
    topics: HashMap<Topic, TopicAccount>,
    pub(super) totals: Totals,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Live,
    Silent,
    Ended,
}

#[derive(Debug, Default)]
pub(super) struct TopicAccount {
    next: u64,
    gaps: Vec<Range<u64>>,
    discarded: u64,
    unreported: u64,
    pub(super) reasons: Vec<(String, u64)>,
}

impl Account {
    pub(super) fn new(id: SenderId) -> Self {
        Self {
            sender: Arc::new(Sender { id, identity: None }),
            state: State::Live,
            last_heard: 0,
            clock: Clock::default(),
            succeeded: false,
            topics: HashMap::new(),
            totals: Totals::default(),
        }
    }

    /// Takes the first word of who this is; `true` when it was the first.
    pub(super) fn introduce(&mut self, identity: Option<Identity>) -> bool {
        if self.sender.identity.is_some() || identity.is_none() {
            return false;
        }
        self.sender = Arc::new(Sender {
            id: self.sender.id,
            identity,
        });
        true
    }

    pub(super) fn topic(&mut self, topic: &Topic) -> &mut TopicAccount {
        if self.topics.len() >= MAX_TOPICS && !self.topics.contains_key(topic.as_str()) {
            self.topics.clear();
        }
        self.topics.entry(topic.clone()).or_default()
    }

    pub(super) fn enter(
        &mut self,
        topic: &Topic,
        header: &Header,
        attached: u64,
        notices: &mut Vec<Notice>,
    ) -> Verdict {
        if !self.topics.contains_key(topic.as_str()) {
            let first = TopicAccount::begin(header, attached);
            let earlier = first.next.saturating_add(first.discarded);
            self.totals += Totals {
                earlier,
                ..Totals::default()
            };
            *self.topic(topic) = first;
        }
        self.count_discards(topic, header.discarded);
        let first = header.sequence;
        let end = first.saturating_add(u64::from(header.count));
        self.count_gap(topic, first, notices);
        let verdict = self.count_records(topic, first..end, notices);
        let account = self.topic(topic);
        account.next = account.next.max(end);
        verdict
    }

    fn count_discards(&mut self, topic: &Topic, total: u64) {
        let account = self.topic(topic);
        let new = total.saturating_sub(account.discarded);
        account.discarded += new;
        account.unreported = account.unreported.saturating_add(new);
        self.totals += Totals {
            discarded: new,
            ..Totals::default()
        };
    }

    fn count_gap(&mut self, topic: &Topic, first: u64, notices: &mut Vec<Notice>) {
        let sender = self.sender.clone();
        let account = self.topic(topic);
        if first <= account.next {
            return;
        }
        let records = account.next..first;
        account.next = first;
        account.gaps.push(records.clone());
        account.forget_gaps();
        self.totals += Totals {
            lost: first - records.start,
            ..Totals::default()
        };
        notices.push(Notice::Lost {
            sender,
            topic: topic.clone(),
            records,
        });
    }

    /// Sorts the records of a message into new, late and duplicate ones.
    fn count_records(
        &mut self,
        topic: &Topic,
        records: Range<u64>,
        notices: &mut Vec<Notice>,
    ) -> Verdict {
        let account = self.topic(topic);
        if records.start >= account.next {
            let received = records.end - records.start;
            self.totals += Totals {
                received,
                ..Totals::default()
            };
            return Verdict::All;
        }
        let new = account.next.min(records.end)..records.end;
        let late = account.fill_gaps(&(records.start..new.start));
        let mut accepted: Vec<_> = late.clone();
        if !new.is_empty() {
            accepted.push(new);
        }
        self.count_sorted(topic, &records, &late, &accepted, notices);
        let within = |at: u64| (at - records.start) as u32; // A message's count is a u32.
        Verdict::Only(
            accepted
                .iter()
                .map(|part| within(part.start)..within(part.end))
                .collect(),
        )
    }

    fn count_sorted(
        &mut self,
        topic: &Topic,
        records: &Range<u64>,
        late: &[Range<u64>],
        accepted: &[Range<u64>],
        notices: &mut Vec<Notice>,
    ) {
        let length = |parts: &[Range<u64>]| parts.iter().map(|part| part.end - part.start).sum();
        let accepted: u64 = length(accepted);
        let recovered: u64 = length(late);
        self.totals.lost = self.totals.lost.saturating_sub(recovered);
        self.totals += Totals {
            received: accepted,
            duplicate: records.end - records.start - accepted,
            late: recovered,
            ..Totals::default()
        };
        notices.extend(late.iter().map(|records| Notice::Late {
            sender: self.sender.clone(),
            topic: topic.clone(),
            records: records.clone(),
        }));
    }

    pub(super) fn report_discards(&mut self, notices: &mut Vec<Notice>) {
        for (topic, account) in &mut self.topics {
            if account.unreported > 0 {
                notices.push(Notice::Discarded {
                    sender: self.sender.clone(),
                    topic: topic.clone(),
                    count: std::mem::take(&mut account.unreported),
                    reasons: account.reasons.clone(),
                });
            }
        }
    }
}

impl TopicAccount {
    /// The account of a topic that is first heard of now. Records before this message are lost
    /// when record 0 was sent while this receiver listened already; else they were sent earlier.
    fn begin(header: &Header, attached: u64) -> Self {
        let began_before = header.first_sent().is_none_or(|first| first < attached);
        if header.sequence > 0 && began_before {
            return Self {
                next: header.sequence,
                discarded: header.discarded,
                ..Self::default()
            };
        }
        Self::default()
    }

    /// Takes `records` out of the open gaps and says which of them those were.
    fn fill_gaps(&mut self, records: &Range<u64>) -> Vec<Range<u64>> {
        let mut filled = Vec::new();
        let mut left = Vec::with_capacity(self.gaps.len() + 1);
        for gap in self.gaps.drain(..) {
            let part = gap.start.max(records.start)..gap.end.min(records.end);
            if part.is_empty() {
                left.push(gap);
                continue;
            }
            left.extend(
                [gap.start..part.start, part.end..gap.end]
                    .into_iter()
                    .filter(|r| !r.is_empty()),
            );
            filled.push(part);
        }
        self.gaps = left;
        // What fills a gap from within makes two of it.
        self.forget_gaps();
        filled
    }

    /// Keeps the bound on open gaps.
    fn forget_gaps(&mut self) {
        let excess = self.gaps.len().saturating_sub(MAX_GAPS);
        self.gaps.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn however_gaps_come_about_only_so_many_are_remembered() {
        let topic = Topic::new("a").unwrap();
        let mut account = Account::new(SenderId(1));
        let mut notices = Vec::new();
        let mut hear = |sequence| {
            let header = Header {
                sequence,
                count: 1,
                sent: 1,
                age: 1,
                ..Header::new(codec::JSON, SenderId(1))
            };
            account.enter(&topic, &header, 0, &mut notices);
            account.topic(&topic).gaps.len()
        };
        for message in 0..MAX_GAPS as u64 {
            hear(message * 10);
        }
        // Each gap of nine is filled in its middle, and others come.
        for message in 0..MAX_GAPS as u64 {
            assert!(hear(message * 10 + 5) <= MAX_GAPS);
            assert!(hear((MAX_GAPS as u64 + message) * 10) <= MAX_GAPS);
        }
    }
}
