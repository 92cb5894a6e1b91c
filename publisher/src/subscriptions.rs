//! What an outlet's subscribers want, as the prefixes they subscribed to.

use logbus_transport::SubscriptionEvent;

/// The prefixes that are subscribed to at one outlet, each once: an XPUB socket reports only the
/// first subscriber of a prefix and the last one's leaving.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    prefixes: Vec<Vec<u8>>,
}

impl Subscriptions {
    /// Enters what an outlet reported.
    pub(crate) fn apply(&mut self, event: SubscriptionEvent) {
        match event {
            SubscriptionEvent::Added(prefix) if self.prefixes.contains(&prefix) => {}
            SubscriptionEvent::Added(prefix) => self.prefixes.push(prefix),
            SubscriptionEvent::Removed(prefix) => self.prefixes.retain(|other| *other != prefix),
        }
    }

    /// Whether nobody wants anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// Whether somebody wants what is published under this topic.
    pub(crate) fn want(&self, topic: &str) -> bool {
        self.prefixes
            .iter()
            .any(|prefix| topic.as_bytes().starts_with(prefix))
    }
}
