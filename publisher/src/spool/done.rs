//! What an earlier owner of a spool had noted as acknowledged or refused.

use std::collections::{HashMap, HashSet, VecDeque};

use logbus_schemas::Topic;
use logbus_schemas::wire::Header;

use super::format::Entry;

/// Of each sender and topic, the first number and the count of each message.
pub(super) type Waiting = HashMap<(u64, Topic), VecDeque<(u64, u32)>>;

/// What need not be sent again.
#[derive(Debug, Default)]
pub(super) struct Done {
    acked: HashMap<(u64, Topic), u64>,
    refused: HashSet<(u64, Topic, u64)>,
}

impl Done {
    pub(super) fn note(&mut self, entry: Entry<'_>) {
        match entry {
            Entry::Acked {
                sender,
                next,
                topic,
            } => {
                let known = self.acked.entry((sender, topic)).or_default();
                *known = next.max(*known);
            }
            Entry::Refused {
                sender,
                sequence,
                topic,
            } => drop(self.refused.insert((sender, topic, sequence))),
            Entry::Message { .. } => {}
        }
    }

    /// Whether the message's records are done. That of a heartbeat, which has none, is not known.
    pub(super) fn has(&self, topic: &Topic, header: &Header) -> bool {
        if self.acked.is_empty() && self.refused.is_empty() {
            return false;
        }
        let sender = header.sender.0;
        let next = self.acked.get(&(sender, topic.clone())).copied();
        // A heartbeat may say that its sender has come to the end of all numbers.
        let end = header.sequence.checked_add(u64::from(header.count.max(1)));
        next.zip(end).is_some_and(|(next, end)| end <= next)
            || self
                .refused
                .contains(&(sender, topic.clone(), header.sequence))
    }

    pub(super) fn count_undone(&self, waiting: &Waiting) -> u64 {
        let mut records = 0;
        for (key, numbers) in waiting {
            let next = self.acked.get(key).copied().unwrap_or_default();
            let is_refused = |first: u64| self.refused.contains(&(key.0, key.1.clone(), first));
            let left = numbers
                .iter()
                .filter(|(first, count)| first + u64::from(*count) > next && !is_refused(*first));
            records += left.map(|(_, count)| u64::from(*count)).sum::<u64>();
        }
        records
    }
}
