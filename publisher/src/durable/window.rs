//! What was sent and is not acknowledged, and what is to be sent next.
//!
//! Messages leave it when they are acknowledged or refused, in whatever order that comes; what is
//! left keeps its order. [`Window::begin_again`] has everything sent once more, under the same
//! numbers. A heartbeat that only tells how things stand is not worth that, and goes.

use std::collections::{BTreeMap, HashMap, VecDeque};

use logbus_schemas::Topic;
use logbus_schemas::wire::Header;

/// Where in which spool a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) spool: u64,
    pub(crate) segment: u32,
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    pub(crate) topic: Topic,
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
    /// `None`: it is nowhere but here.
    pub(crate) place: Option<Place>,
    /// Whether it is worth sending only over the connection that stands.
    pub(crate) is_passing: bool,
}

impl Item {
    pub(crate) fn records(&self) -> u64 {
        u64::from(self.header.count)
    }

    /// The number behind its last record.
    fn end(&self) -> u64 {
        self.header.sequence + self.records()
    }

    fn is_heartbeat(&self) -> bool {
        self.header.count == 0
    }
}

/// The messages, in order.
#[derive(Debug, Default)]
pub(crate) struct Window {
    items: BTreeMap<u64, Item>,
    by_topic: HashMap<(u64, Topic), VecDeque<u64>>,
    next_id: u64,
    /// The first that was not sent.
    unsent: u64,
    /// What is before this one may have been sent over an earlier connection.
    again_until: u64,
    /// How many were sent.
    sent: usize,
    bytes: usize,
}

impl Window {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// How many bytes their payloads have.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many were sent and have no answer.
    pub(crate) fn sent(&self) -> usize {
        self.sent
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds one at the end.
    pub(crate) fn push(&mut self, item: Item) {
        let key = (item.header.sender.0, item.topic.clone());
        self.by_topic
            .entry(key)
            .or_default()
            .push_back(self.next_id);
        self.bytes += item.payload.len();
        self.items.insert(self.next_id, item);
        self.next_id += 1;
    }

    /// The next that is to be sent.
    pub(crate) fn next_unsent(&self) -> Option<&Item> {
        self.items.range(self.unsent..).next().map(|(_, item)| item)
    }

    /// Says that it was.
    pub(crate) fn mark_sent(&mut self) {
        if let Some((id, _)) = self.items.range(self.unsent..).next() {
            self.unsent = id + 1;
            self.sent += 1;
        }
    }

    /// Whether a message of this topic has no answer yet.
    pub(crate) fn has_any(&self, sender: u64, topic: &Topic) -> bool {
        self.by_topic.contains_key(&(sender, topic.clone()))
    }

    /// Whether something is left that may have been sent over an earlier connection.
    pub(crate) fn is_again(&self) -> bool {
        let first = self.items.keys().next();
        first.is_some_and(|first| *first < self.again_until)
    }

    /// Has everything sent again.
    pub(crate) fn begin_again(&mut self) {
        let passing: Vec<u64> = self
            .items
            .iter()
            .filter(|(_, item)| item.is_passing)
            .map(|(id, _)| *id)
            .collect();
        for id in passing {
            if let Some(item) = self.remove(id) {
                self.forget(&item, |other| other == id);
            }
        }
        self.again_until = self.unsent.max(self.again_until);
        self.unsent = 0;
        self.sent = 0;
    }

    /// All records of this sender and topic below `next` are on disk: what that settles.
    pub(crate) fn acknowledge(&mut self, sender: u64, topic: &Topic, next: u64) -> Vec<Item> {
        let mut settled = Vec::new();
        let key = (sender, topic.clone());
        while let Some(id) = self.by_topic.get(&key).and_then(|ids| ids.front().copied()) {
            let is_settled = self
                .items
                .get(&id)
                .is_none_or(|item| match item.is_heartbeat() {
                    // It takes up no number, so any answer behind it may be meant for it; one that
                    // was not sent cannot be.
                    true => id < self.unsent,
                    false => item.end() <= next,
                });
            if !is_settled {
                break;
            }
            settled.extend(self.remove(id));
            self.drop_front(&key);
        }
        settled
    }

    /// The message of this sender and topic that begins with this number is not wanted. A heartbeat,
    /// of no records, has the number of the message behind it.
    pub(crate) fn refuse(
        &mut self,
        sender: u64,
        topic: &Topic,
        sequence: u64,
        records: u32,
    ) -> Option<Item> {
        let ids = self.by_topic.get(&(sender, topic.clone()))?;
        let is_meant = |id: &&u64| {
            let item = self.items.get(*id).filter(|_| **id < self.unsent);
            item.is_some_and(|item| {
                item.header.sequence == sequence && item.is_heartbeat() == (records == 0)
            })
        };
        let id = *ids.iter().find(is_meant)?;
        let item = self.remove(id)?;
        self.forget(&item, |other| other == id);
        Some(item)
    }

    /// Takes the next one out that was not sent, because it never will be.
    pub(crate) fn withdraw(&mut self) -> Option<Item> {
        let id = *self.items.range(self.unsent..).next()?.0;
        let item = self.remove(id)?;
        self.forget(&item, |other| other == id);
        Some(item)
    }

    /// All that is left.
    pub(crate) fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    fn remove(&mut self, id: u64) -> Option<Item> {
        let item = self.items.remove(&id)?;
        self.bytes -= item.payload.len();
        self.sent -= usize::from(id < self.unsent);
        Some(item)
    }

    fn drop_front(&mut self, key: &(u64, Topic)) {
        if let Some(ids) = self.by_topic.get_mut(key) {
            ids.pop_front();
            if ids.is_empty() {
                self.by_topic.remove(key);
            }
        }
    }

    fn forget(&mut self, item: &Item, is_meant: impl Fn(u64) -> bool) {
        let key = (item.header.sender.0, item.topic.clone());
        if let Some(ids) = self.by_topic.get_mut(&key) {
            ids.retain(|id| !is_meant(*id));
            if ids.is_empty() {
                self.by_topic.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use logbus_schemas::codec;
    use logbus_schemas::wire::SenderId;

    use super::*;

    fn topic(name: &str) -> Topic {
        Topic::new(name).unwrap()
    }

    fn item(name: &str, sequence: u64, count: u32) -> Item {
        Item {
            topic: topic(name),
            header: Header {
                sequence,
                count,
                ..Header::new(codec::MSGPACK, SenderId(1))
            },
            payload: vec![0; 10],
            place: None,
            is_passing: count == 0 && sequence > 0,
        }
    }

    fn window(items: &[Item]) -> Window {
        let mut window = Window::default();
        items.iter().for_each(|item| window.push(item.clone()));
        window
    }

    /// Sends everything; what was sent.
    fn send(window: &mut Window) -> Vec<(String, u64)> {
        let mut sent = Vec::new();
        while let Some(item) = window.next_unsent() {
            sent.push((item.topic.to_string(), item.header.sequence));
            window.mark_sent();
        }
        sent
    }

    #[test]
    fn an_acknowledgement_settles_all_before_it_of_its_topic_only() {
        let mut window = window(&[item("a", 0, 2), item("b", 0, 1), item("a", 2, 1)]);
        send(&mut window);
        assert_eq!(window.acknowledge(1, &topic("a"), 1), []);
        assert_eq!(window.acknowledge(1, &topic("a"), 2), [item("a", 0, 2)]);
        assert_eq!(window.acknowledge(2, &topic("b"), 9), []);
        assert_eq!((window.len(), window.sent(), window.bytes()), (2, 2, 20));
    }

    #[test]
    fn what_has_no_answer_is_sent_again_in_order_and_passing_heartbeats_are_not() {
        let items = [
            item("a", 0, 2),
            item("b", 0, 1),
            item("a", 2, 0),
            item("a", 2, 1),
        ];
        let mut window = window(&items);
        let first = send(&mut window);
        window.acknowledge(1, &topic("b"), 1);
        window.begin_again();
        assert_eq!(first.len(), 4);
        assert_eq!(
            send(&mut window),
            [("a".to_owned(), 0), ("a".to_owned(), 2)]
        );
        assert_eq!(window.acknowledge(1, &topic("a"), 3).len(), 2);
        assert!(window.is_empty() && window.by_topic.is_empty());
    }

    #[test]
    fn what_the_broker_has_already_is_not_sent_again() {
        let mut window = window(&[item("a", 0, 2), item("a", 2, 2), item("a", 4, 0)]);
        send(&mut window);
        window.begin_again();
        window.mark_sent();
        assert_eq!(window.acknowledge(1, &topic("a"), 4).len(), 2);
        assert_eq!(window.next_unsent(), None);
    }

    #[test]
    fn a_refused_message_leaves_its_neighbours_alone() {
        let items = [
            item("a", 0, 1),
            item("a", 1, 0),
            item("a", 1, 1),
            item("a", 2, 1),
        ];
        let mut window = window(&items);
        send(&mut window);
        assert_eq!(window.refuse(1, &topic("a"), 1, 1), Some(item("a", 1, 1)));
        assert_eq!(window.refuse(1, &topic("a"), 1, 1), None);
        assert_eq!(window.acknowledge(1, &topic("a"), 3).len(), 3);
    }
}
