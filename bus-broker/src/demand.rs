//! What subscribers want, carried back to the publishers, so that a topic nobody wants costs no
//! network.
//!
//! Prefixes are counted over all outlets and taps: the first who wants one subscribes to it
//! upstream, the last one's leaving takes that back. As long as anybody wants anything, the
//! broker also subscribes to what messages without a topic can begin with, because their topic is
//! inside. It knows bytes only.

use std::collections::HashMap;

use logbus_schemas::dialect;
use logbus_schemas::wire::MAGIC;
use logbus_transport::SubscriptionEvent;

/// Distinct prefixes that are carried upstream one by one. Beyond, the broker subscribes to
/// everything and lets its own sockets sort: a bound on the memory a subscriber can claim.
const MAX_PREFIXES: usize = 100_000;

/// A change to be made upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Subscribe(Vec<u8>),
    Unsubscribe(Vec<u8>),
}

/// Who wants what; see the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Demand {
    prefixes: HashMap<Vec<u8>, usize>,
    /// Wants that found the table full.
    beyond: usize,
}

impl Demand {
    /// Enters what one outlet reported; says what to change upstream.
    pub(crate) fn apply(&mut self, event: SubscriptionEvent) -> Vec<Change> {
        match event {
            // Not a topic but the wish for a sign that the connection stands.
            SubscriptionEvent::Added(prefix) | SubscriptionEvent::Removed(prefix)
                if prefix.starts_with(&MAGIC) =>
            {
                Vec::new()
            }
            SubscriptionEvent::Added(prefix) => self.add(prefix),
            SubscriptionEvent::Removed(prefix) => self.remove(prefix),
        }
    }

    /// Whether anybody wants anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.prefixes.is_empty() && self.beyond == 0
    }

    fn add(&mut self, prefix: Vec<u8>) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.is_empty() {
            changes.extend(topicless().map(Change::Subscribe));
        }
        let is_full = self.prefixes.len() >= MAX_PREFIXES;
        match self.prefixes.get_mut(&prefix) {
            Some(count) => *count += 1,
            None if is_full => {
                self.beyond += 1;
                if self.beyond == 1 {
                    changes.push(Change::Subscribe(Vec::new()));
                }
            }
            None => {
                self.prefixes.insert(prefix.clone(), 1);
                changes.push(Change::Subscribe(prefix));
            }
        }
        changes
    }

    fn remove(&mut self, prefix: Vec<u8>) -> Vec<Change> {
        let mut changes = Vec::new();
        match self.prefixes.get_mut(&prefix) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) => {
                self.prefixes.remove(&prefix);
                changes.push(Change::Unsubscribe(prefix));
            }
            None if self.beyond > 0 => {
                self.beyond -= 1;
                if self.beyond == 0 {
                    changes.push(Change::Unsubscribe(Vec::new()));
                }
            }
            None => return changes,
        }
        if self.is_empty() {
            changes.extend(topicless().map(Change::Unsubscribe));
        }
        changes
    }
}

fn topicless() -> impl Iterator<Item = Vec<u8>> {
    dialect::topicless_prefixes().map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(prefix: &str) -> SubscriptionEvent {
        SubscriptionEvent::Added(prefix.into())
    }

    fn removed(prefix: &str) -> SubscriptionEvent {
        SubscriptionEvent::Removed(prefix.into())
    }

    #[test]
    fn the_first_and_the_last_who_want_a_topic_are_heard_upstream() {
        let mut demand = Demand::default();
        demand.apply(added("other"));
        assert_eq!(
            demand.apply(added("myapp")),
            [Change::Subscribe("myapp".into())]
        );
        assert!(demand.apply(added("myapp")).is_empty());
        assert!(demand.apply(removed("myapp")).is_empty());
        assert_eq!(
            demand.apply(removed("myapp")),
            [Change::Unsubscribe("myapp".into())]
        );
    }

    #[test]
    fn messages_without_a_topic_are_wanted_as_long_as_anything_is() {
        let mut demand = Demand::default();
        let json = b"{".to_vec();
        assert!(
            demand
                .apply(added("myapp"))
                .contains(&Change::Subscribe(json.clone()))
        );
        assert!(
            demand
                .apply(removed("myapp"))
                .contains(&Change::Unsubscribe(json))
        );
        assert!(demand.is_empty());
    }

    #[test]
    fn asking_for_a_sign_of_life_is_no_demand() {
        let mut demand = Demand::default();
        let welcome = logbus_schemas::wire::WELCOME.to_vec();
        assert!(demand.apply(SubscriptionEvent::Added(welcome)).is_empty());
        assert!(demand.is_empty());
    }

    #[test]
    fn a_flood_of_topics_ends_in_one_subscription_to_everything() {
        let mut demand = Demand::default();
        for i in 0..MAX_PREFIXES {
            demand.apply(added(&format!("t{i}")));
        }
        assert_eq!(demand.apply(added("more")), [Change::Subscribe(Vec::new())]);
        assert!(demand.apply(added("still more")).is_empty());
        assert!(demand.apply(removed("more")).is_empty());
        assert_eq!(
            demand.apply(removed("still more")),
            [Change::Unsubscribe(Vec::new())]
        );
    }
}
