//! The hub's question before it passes a message on: may this one say that?
//!
//! The answer is a count and a notice at a bounded rate where it is no.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use logbus_schemas::wire::SenderId;
use logbus_transport::{Notices, User};

use super::Rights;
use super::senders::{NotYours, Senders};

/// Names that are counted one by one; what others are refused is counted together.
const MAX_NAMES: usize = 1000;
const OTHERS: &str = "others";

/// Why a message is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It came in at a secured endpoint from nobody.
    Nobody,
    /// There is no right to its topic.
    Topic,
    /// Its sender id is another's.
    Sender,
    /// Its key uses too many sender ids at once.
    TooManySenders,
}

impl Refusal {
    fn describe(self, topic: &str) -> String {
        match self {
            Refusal::Nobody => "it came without a key".to_owned(),
            Refusal::Topic => format!("it has no right to publish under {topic:?}"),
            Refusal::Sender => "its sender id is another client's".to_owned(),
            Refusal::TooManySenders => "it uses too many sender ids at once".to_owned(),
        }
    }
}

/// Asks of each message whether it may pass.
pub(crate) struct Guard {
    rights: Arc<Rights>,
    senders: Senders,
    notices: Notices,
    refused: BTreeMap<String, u64>,
}

impl Guard {
    /// A guard that asks these rights.
    pub(crate) fn new(rights: Arc<Rights>, notices: Notices) -> Self {
        Self {
            rights,
            senders: Senders::default(),
            notices,
            refused: BTreeMap::new(),
        }
    }

    /// Whether a message may pass that came in at an endpoint which is secured or not. A foreign one
    /// has no sender id.
    pub(crate) fn lets_pass(
        &mut self,
        user: Option<User>,
        is_secured: bool,
        topic: &str,
        sender: Option<SenderId>,
    ) -> bool {
        match self.decide(user, is_secured, topic, sender, Instant::now()) {
            Ok(()) => true,
            Err(refusal) => self.refuse(user, topic, refusal),
        }
    }

    /// Does not let pass what bears the broker's own sender id.
    pub(crate) fn refuse_own(&mut self, user: Option<User>, topic: &str) -> bool {
        self.refuse(user, topic, Refusal::Sender)
    }

    /// Reads the rights again if they have changed, and forgets who fell silent. Says whether any
    /// right has changed.
    pub(crate) fn refresh(&mut self, now: Instant) -> bool {
        self.senders.forget(now);
        self.rights.refresh()
    }

    /// Messages that did not pass, by the names of their clients.
    pub(crate) fn refused(self) -> BTreeMap<String, u64> {
        self.refused
    }

    /// What is to be said.
    pub(crate) fn take_notices(&self) -> Vec<String> {
        let mut lines = self.notices.take();
        lines.extend(self.rights.notices().take());
        lines
    }

    fn decide(
        &mut self,
        user: Option<User>,
        is_secured: bool,
        topic: &str,
        sender: Option<SenderId>,
        now: Instant,
    ) -> Result<(), Refusal> {
        let owner = match (user, is_secured) {
            (Some(user), true) if self.rights.may_publish(&user.key, topic) => Some(user.key),
            (Some(_), true) => return Err(Refusal::Topic),
            (None, true) => return Err(Refusal::Nobody),
            (_, false) => None,
        };
        let Some(sender) = sender else {
            return Ok(());
        };
        self.senders
            .claim(sender, owner, now)
            .map_err(|not_yours| match not_yours {
                NotYours::Taken => Refusal::Sender,
                NotYours::TooMany => Refusal::TooManySenders,
            })
    }

    fn refuse(&mut self, user: Option<User>, topic: &str, refusal: Refusal) -> bool {
        let name = match user {
            Some(user) => self.rights.name_of(&user.key),
            None => "somebody without a key".to_owned(),
        };
        self.notices.tell("refused messages", || {
            format!("message of {name} refused: {}", refusal.describe(topic))
        });
        let is_new = !self.refused.contains_key(&name);
        let name = match is_new && self.refused.len() >= MAX_NAMES {
            true => OTHERS.to_owned(),
            false => name,
        };
        *self.refused.entry(name).or_default() += 1;
        false
    }
}
