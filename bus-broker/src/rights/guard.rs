//! The question before a message is passed on or kept: may this one say that?
//!
//! The answer is a count and a notice at a bounded rate where it is no. The hub and the durable
//! endpoint have a guard each; whose sender ids are, and what was refused, they know together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use logbus_schemas::wire::SenderId;
use logbus_transport::{Notices, User};

use super::Rights;
use super::senders::{NotYours, Owner, Senders};

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
    /// The code of a durable endpoint's refusal. One for the sender id is not for good: the id may
    /// be free, or its owner another, later.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Refusal::Nobody | Refusal::Topic => "right",
            Refusal::Sender | Refusal::TooManySenders => "sender",
        }
    }

    pub(crate) fn describe(self, topic: &str) -> String {
        match self {
            Refusal::Nobody => "it came without a key".to_owned(),
            Refusal::Topic => format!("it has no right to publish under {topic:?}"),
            Refusal::Sender => "its sender id is another client's".to_owned(),
            Refusal::TooManySenders => "it uses too many sender ids at once".to_owned(),
        }
    }
}

/// Asks of each message whether it may pass. A clone knows the same senders, and counts with it.
#[derive(Clone)]
pub(crate) struct Guard {
    rights: Arc<Rights>,
    known: Arc<Mutex<Known>>,
    notices: Notices,
    /// Up to which change of the rights this one has heard.
    heard: u64,
}

#[derive(Default)]
struct Known {
    senders: Senders,
    refused: BTreeMap<String, u64>,
}

impl Guard {
    /// A guard that asks these rights.
    pub(crate) fn new(rights: Arc<Rights>, notices: Notices) -> Self {
        Self {
            heard: rights.changes(),
            rights,
            known: Arc::default(),
            notices,
        }
    }

    /// What it asks.
    pub(crate) fn rights(&self) -> &Rights {
        &self.rights
    }

    /// Whether a message may pass that came in at an endpoint which is secured or not. A foreign one
    /// has no sender id.
    pub(crate) fn lets_pass(
        &self,
        user: Option<User>,
        is_secured: bool,
        topic: &str,
        sender: Option<SenderId>,
    ) -> Result<(), Refusal> {
        self.decide(user, is_secured, topic, sender, Instant::now())
            .inspect_err(|refusal| self.refuse(user, topic, *refusal))
    }

    /// Does not let pass what bears a sender id that is known to be another's.
    pub(crate) fn refuse_sender(&self, user: Option<User>, topic: &str) -> Refusal {
        self.refuse(user, topic, Refusal::Sender);
        Refusal::Sender
    }

    /// From now on this is the broker's own sender id.
    pub(crate) fn claim_own(&self, sender: SenderId) {
        let mut known = self.known();
        // Ids are random: that somebody had this one before is as good as impossible.
        let _is_ours = known
            .senders
            .claim(sender, Owner::Broker, Instant::now())
            .is_ok();
    }

    /// Reads the rights again if they have changed, and forgets who fell silent. Says whether any
    /// right has changed since this guard last said so.
    pub(crate) fn refresh(&mut self, now: Instant) -> bool {
        self.known().senders.forget(now);
        self.rights.refresh();
        self.has_changed()
    }

    /// Whether any right has changed since this guard last said so.
    pub(crate) fn has_changed(&mut self) -> bool {
        let changes = self.rights.changes();
        std::mem::replace(&mut self.heard, changes) != changes
    }

    /// Messages that did not pass here or at a clone, by the names of their clients.
    pub(crate) fn refused(&self) -> BTreeMap<String, u64> {
        self.known().refused.clone()
    }

    /// What is to be said.
    pub(crate) fn take_notices(&self) -> Vec<String> {
        let mut lines = self.notices.take();
        lines.extend(self.rights.notices().take());
        lines
    }

    fn decide(
        &self,
        user: Option<User>,
        is_secured: bool,
        topic: &str,
        sender: Option<SenderId>,
        now: Instant,
    ) -> Result<(), Refusal> {
        let owner = match (user, is_secured) {
            (Some(user), true) if self.rights.may_publish(&user.key, topic) => Owner::Key(user.key),
            (Some(_), true) => return Err(Refusal::Topic),
            (None, true) => return Err(Refusal::Nobody),
            (_, false) => Owner::Nobody,
        };
        let Some(sender) = sender else {
            return Ok(());
        };
        let claimed = self.known().senders.claim(sender, owner, now);
        claimed.map_err(|not_yours| match not_yours {
            NotYours::Taken => Refusal::Sender,
            NotYours::TooMany => Refusal::TooManySenders,
        })
    }

    fn refuse(&self, user: Option<User>, topic: &str, refusal: Refusal) {
        let name = match user {
            Some(user) => self.rights.name_of(&user.key),
            None => "somebody without a key".to_owned(),
        };
        self.notices.tell("refused messages", || {
            format!("message of {name} refused: {}", refusal.describe(topic))
        });
        let refused = &mut self.known().refused;
        let is_new = !refused.contains_key(&name);
        let name = match is_new && refused.len() >= MAX_NAMES {
            true => OTHERS.to_owned(),
            false => name,
        };
        *refused.entry(name).or_default() += 1;
    }

    /// What is known stays of use where a thread has panicked.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
