//! The receiver's half of the loss account: what should have come, held against what did.
//!
//! A [`Ledger`] is a state machine fed with headers and times. For every (sender, topic) it knows
//! the next sequence number, the gaps that are still open and the sender's own total of discards,
//! so that at any moment
//!
//! ```text
//! published = received + malformed + lost + discarded + earlier
//! ```
//!
//! to the record, where `earlier` are the records that were sent or discarded before this
//! receiver listened. [`super::sequence`] is the sender's half. What the ledger finds it says as
//! [`Notice`]s; it tells no time and drops no record itself. On the way it learns how far each
//! sender's clock is from the receiver's.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::{Header, Identity, SenderId};
use crate::topic::Topic;

mod account;
mod notice;

pub use notice::{Notice, Sender};

use account::{Account, State};

/// A sender that has said nothing for this long, in ns, is taken to have ended without goodbye:
/// five of its heartbeats are missing.
pub const SILENCE: u64 = 5_000_000_000;
/// Senders that have ended or fallen silent and are still remembered, for the summary.
const MAX_GONE: usize = 10_000;

/// Which records of a message are new. What is not is a duplicate and must not be shown again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every one.
    All,
    /// Only these, counted from 0 within the message.
    Only(Vec<Range<u32>>),
}

/// Records, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Came and could be read.
    pub received: u64,
    /// Came and could not be read.
    pub malformed: u64,
    /// Were sent and have not come.
    pub lost: u64,
    /// Were thrown away by the publisher itself.
    pub discarded: u64,
    /// Of those received: came after they had been reported lost.
    pub late: u64,
    /// Came once more; not among those received.
    pub duplicate: u64,
    /// Were sent or discarded before this receiver listened.
    pub earlier: u64,
}

/// Sums stop at the largest number: what a forged header claims must not make them wrap.
impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        let Totals {
            received,
            malformed,
            lost,
            discarded,
            late,
            duplicate,
            earlier,
        } = other;
        self.received = self.received.saturating_add(received);
        self.malformed = self.malformed.saturating_add(malformed);
        self.lost = self.lost.saturating_add(lost);
        self.discarded = self.discarded.saturating_add(discarded);
        self.late = self.late.saturating_add(late);
        self.duplicate = self.duplicate.saturating_add(duplicate);
        self.earlier = self.earlier.saturating_add(earlier);
    }
}

/// The account of every sender heard.
#[derive(Debug)]
pub struct Ledger {
    attached: u64,
    /// Others get records, too: what is missing here is no loss.
    is_share: bool,
    senders: HashMap<SenderId, Account>,
    /// How many of them have ended or fallen silent.
    gone: usize,
    forgotten: Totals,
}

impl Ledger {
    /// The account of a receiver that listens since `attached` (ns since 1970-01-01 00:00 UTC).
    pub fn new(attached: u64) -> Self {
        Self {
            attached,
            is_share: false,
            senders: HashMap::new(),
            gone: 0,
            forgotten: Totals::default(),
        }
    }

    /// The account of a receiver that gets a part of the records, in any order, while others get
    /// the rest: every record is new, and none is missing. What publishers discarded is not
    /// counted, because each receiver would count it.
    pub fn of_a_share(attached: u64) -> Self {
        Self {
            is_share: true,
            ..Self::new(attached)
        }
    }

    /// Enters a message with records. The caller shows what the verdict says is new.
    pub fn records(
        &mut self,
        topic: &Topic,
        header: &Header,
        now: u64,
        notices: &mut Vec<Notice>,
    ) -> Verdict {
        let (attached, is_share) = (self.attached, self.is_share);
        let account = self.hear(header, now, notices);
        if is_share {
            account.totals += Totals {
                received: u64::from(header.count),
                ..Totals::default()
            };
            return Verdict::All;
        }
        account.enter(topic, header, attached, notices)
    }

    /// Enters a heartbeat or goodbye, with what its payload says if that could be read.
    pub fn heartbeat(
        &mut self,
        topic: &Topic,
        header: &Header,
        identity: Option<Identity>,
        now: u64,
        notices: &mut Vec<Notice>,
    ) {
        let (attached, is_share) = (self.attached, self.is_share);
        let account = self.hear(header, now, notices);
        let reasons = identity.as_ref().map(|who| who.discarded.clone());
        let introduced = account.introduce(identity);
        if !is_share {
            account.enter(topic, header, attached, notices);
        }
        if let Some(reasons) = reasons.filter(|_| !is_share) {
            account.topic(topic).reasons = reasons.into_iter().collect();
        }
        if introduced {
            notices.push(self.greet(header.sender));
        }
        if header.flags.is_goodbye() {
            self.part(header.sender, notices);
        }
    }

    /// Takes back that `count` records of this sender could be read.
    pub fn malformed(&mut self, sender: SenderId, count: u64) {
        if let Some(account) = self.senders.get_mut(&sender) {
            account.totals.received -= count.min(account.totals.received);
            account.totals.malformed += count;
        }
    }

    /// Says what only time shows: who has fallen silent, what was discarded meanwhile. To be
    /// called about once a second, and at the end.
    pub fn tick(&mut self, now: u64, notices: &mut Vec<Notice>) {
        for account in self.senders.values_mut() {
            account.report_discards(notices);
            if account.state == State::Live && now.saturating_sub(account.last_heard) >= SILENCE {
                account.state = State::Silent;
                self.gone += 1;
                notices.push(Notice::Silent(account.sender.clone()));
            }
        }
        self.forget_oldest();
    }

    /// Every sender with its totals, those that ended long ago apart. [`Ledger::offset`] knows of
    /// each one's clock.
    pub fn senders(&self) -> impl Iterator<Item = (&Sender, Totals)> {
        self.senders
            .values()
            .map(|account| (&*account.sender, account.totals))
    }

    /// Senders that are silent and have said no goodbye: what they sent last is unknown.
    pub fn silent(&self) -> u64 {
        let accounts = self.senders.values();
        accounts
            .filter(|account| account.state == State::Silent)
            .count() as u64
    }

    /// A sender, with what it has said of itself so far.
    pub fn sender(&self, id: SenderId) -> Option<Arc<Sender>> {
        self.senders.get(&id).map(|account| account.sender.clone())
    }

    /// By how many ns a sender's clock is behind the receiver's, as far as is known.
    pub fn offset(&self, id: SenderId) -> Option<i64> {
        self.senders.get(&id)?.clock.offset()
    }

    /// The sum over all senders, those forgotten included.
    pub fn totals(&self) -> Totals {
        let mut sum = self.forgotten;
        for account in self.senders.values() {
            sum += account.totals;
        }
        sum
    }

    fn hear(&mut self, header: &Header, now: u64, notices: &mut Vec<Notice>) -> &mut Account {
        let id = header.sender;
        let account = self.senders.entry(id).or_insert_with(|| Account::new(id));
        account.last_heard = account.last_heard.max(now);
        // A sender that has no clock says 0.
        if header.sent != 0 {
            account.clock.sample(header.sent, now);
        }
        if account.state == State::Silent {
            account.state = State::Live;
            self.gone -= 1;
            notices.push(Notice::Returned(account.sender.clone()));
        }
        account
    }

    /// A sender has just said who it is: is it new, or does it take another's place?
    fn greet(&mut self, id: SenderId) -> Notice {
        let sender = self.senders[&id].sender.clone();
        let previous = self
            .senders
            .values_mut()
            .filter(|account| account.state == State::Silent && !account.succeeded)
            .filter(|account| account.sender.is_same_service(&sender))
            .max_by_key(|account| account.last_heard);
        match previous {
            Some(account) => {
                account.succeeded = true;
                Notice::Restarted {
                    sender,
                    previous: account.sender.clone(),
                }
            }
            None => Notice::Joined(sender),
        }
    }

    fn part(&mut self, id: SenderId, notices: &mut Vec<Notice>) {
        let Some(account) = self.senders.get_mut(&id) else {
            return;
        };
        account.report_discards(notices);
        if account.state == State::Ended {
            return;
        }
        account.state = State::Ended;
        notices.push(Notice::Ended(account.sender.clone()));
        self.gone += 1;
        self.forget_oldest();
    }

    /// Keeps the bound on senders that are gone.
    fn forget_oldest(&mut self) {
        let Some(excess) = self.gone.checked_sub(MAX_GONE).filter(|excess| *excess > 0) else {
            return;
        };
        let gone = self
            .senders
            .iter()
            .filter(|(_, account)| account.state != State::Live);
        let mut gone: Vec<_> = gone
            .map(|(id, account)| (account.last_heard, *id))
            .collect();
        gone.sort_unstable_by_key(|(last_heard, _)| *last_heard);
        for (_, id) in gone.into_iter().take(excess) {
            let Some(account) = self.senders.remove(&id) else {
                continue;
            };
            self.forgotten += account.totals;
            self.gone -= 1;
            if account.state == State::Silent {
                // Should it come back, what it sent until then is not lost.
                self.attached = self.attached.max(account.last_heard);
            }
        }
    }
}

#[cfg(test)]
mod tests;
