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
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::clock::Clock;
use super::{Header, Identity, SenderId};
use crate::topic::Topic;

/// A sender that has said nothing for this long, in ns, is taken to have ended without goodbye:
/// five of its heartbeats are missing.
pub const SILENCE: u64 = 5_000_000_000;
/// Open gaps remembered for each sender and topic. What fills an older one counts as a duplicate.
const MAX_GAPS: usize = 256;
/// Topics remembered for each sender; the publisher's own bound is the same.
const MAX_TOPICS: usize = super::sequence::MAX_TOPICS;
/// Senders that have ended and are still remembered, for the summary.
const MAX_ENDED: usize = 10_000;

/// A sender as notices show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sender {
    /// Its id on the wire.
    pub id: SenderId,
    /// Who it is, once a heartbeat has said so.
    pub identity: Option<Identity>,
}

impl Sender {
    /// What it is called where there are many: `alpha/web-3:613`, host, program and process id,
    /// without what it has not said; its id in hex when it has said nothing.
    pub fn name(&self) -> String {
        let mut name = String::new();
        if let Some(identity) = &self.identity {
            if !identity.host.is_empty() {
                name = format!("{}/", identity.host);
            }
            name.push_str(&identity.program);
            if identity.pid != 0 {
                name.push_str(&format!(":{}", identity.pid));
            }
        }
        if name.is_empty() {
            return self.id.to_string();
        }
        name
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.identity {
            Some(identity) => identity.fmt(f),
            None => write!(f, "sender {}", self.id),
        }
    }
}

/// Something a reader of the stream should know besides the records.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// A sender was heard for the first time and said who it is.
    Joined(Arc<Sender>),
    /// A sender began that takes the place of one that fell silent: same host and program.
    Restarted {
        /// The new one.
        sender: Arc<Sender>,
        /// The one that fell silent.
        previous: Arc<Sender>,
    },
    /// A sender said goodbye.
    Ended(Arc<Sender>),
    /// A sender is silent: it was killed, or the network is down. What it sent last is unknown.
    Silent(Arc<Sender>),
    /// A silent sender is heard again.
    Returned(Arc<Sender>),
    /// Records were sent and have not come.
    Lost {
        /// Who sent them.
        sender: Arc<Sender>,
        /// Under which topic.
        topic: Topic,
        /// Their sequence numbers.
        records: Range<u64>,
    },
    /// Records that were reported lost have come after all.
    Late {
        /// Who sent them.
        sender: Arc<Sender>,
        /// Under which topic.
        topic: Topic,
        /// Their sequence numbers.
        records: Range<u64>,
    },
    /// The sender itself threw records away before sending them.
    Discarded {
        /// Who threw them away.
        sender: Arc<Sender>,
        /// Of which topic.
        topic: Topic,
        /// How many since the last such notice.
        count: u64,
        /// Why, with the sender's totals by reason, where it has said so.
        reasons: Vec<(String, u64)>,
    },
}

/// `web-3 (pid 613) lost 17 records of myapp.db, 1041..1057`: both numbers included.
impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(&mut |sender| sender.to_string()))
    }
}

impl Notice {
    /// Whether this tells of records that a reader will not see.
    pub fn is_loss(&self) -> bool {
        matches!(
            self,
            Notice::Lost { .. } | Notice::Discarded { .. } | Notice::Silent(_)
        )
    }

    /// Whether this is part of an orderly day.
    pub fn is_routine(&self) -> bool {
        matches!(self, Notice::Joined(_) | Notice::Ended(_))
    }

    /// The notice as a sentence, with other names for senders.
    pub fn told(&self, name: &mut dyn FnMut(&Sender) -> String) -> String {
        let who = name(self.sender());
        match self {
            Notice::Joined(_) => format!("{who} joined"),
            Notice::Restarted { previous, .. } => {
                format!("{who} takes the place of {}", name(previous))
            }
            Notice::Ended(_) => format!("{who} ended"),
            Notice::Silent(_) => {
                format!("{who} went silent without goodbye: its last records may be lost")
            }
            Notice::Returned(_) => format!("{who} is heard again"),
            Notice::Lost { topic, records, .. } => {
                format!("{who} lost {} of {topic}, {}", many(records), span(records))
            }
            Notice::Late { topic, records, .. } => {
                let (many, span) = (many(records), span(records));
                format!("{who}: {many} of {topic} came late, {span}")
            }
            Notice::Discarded {
                topic,
                count,
                reasons,
                ..
            } => {
                let reasons: Vec<String> = reasons
                    .iter()
                    .map(|(reason, total)| format!("{reason}: {total}"))
                    .collect();
                let reasons = match reasons.is_empty() {
                    true => String::new(),
                    false => format!(" (in all {})", reasons.join(", ")),
                };
                let many = plural(*count);
                format!("{who} discarded {many} of {topic} before sending{reasons}")
            }
        }
    }

    /// Whom it is about.
    pub fn sender(&self) -> &Arc<Sender> {
        match self {
            Notice::Joined(sender)
            | Notice::Ended(sender)
            | Notice::Silent(sender)
            | Notice::Returned(sender)
            | Notice::Restarted { sender, .. }
            | Notice::Lost { sender, .. }
            | Notice::Late { sender, .. }
            | Notice::Discarded { sender, .. } => sender,
        }
    }

    /// Which topic it is about, where it is about one.
    pub fn topic(&self) -> Option<&Topic> {
        match self {
            Notice::Lost { topic, .. }
            | Notice::Late { topic, .. }
            | Notice::Discarded { topic, .. } => Some(topic),
            _ => None,
        }
    }

    /// What kind of notice it is, in a word for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Notice::Joined(_) => "joined",
            Notice::Restarted { .. } => "restarted",
            Notice::Ended(_) => "ended",
            Notice::Silent(_) => "silent",
            Notice::Returned(_) => "returned",
            Notice::Lost { .. } => "lost",
            Notice::Late { .. } => "late",
            Notice::Discarded { .. } => "discarded",
        }
    }

    /// How many records it is about.
    pub fn count(&self) -> u64 {
        match self {
            Notice::Lost { records, .. } | Notice::Late { records, .. } => {
                records.end - records.start
            }
            Notice::Discarded { count, .. } => *count,
            _ => 0,
        }
    }
}

fn many(records: &Range<u64>) -> String {
    plural(records.end - records.start)
}

fn plural(count: u64) -> String {
    format!("{count} record{}", if count == 1 { "" } else { "s" })
}

fn span(records: &Range<u64>) -> String {
    match records.end - records.start {
        1 => records.start.to_string(),
        _ => format!("{}..{}", records.start, records.end - 1),
    }
}

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
    ended: usize,
    forgotten: Totals,
}

#[derive(Debug)]
struct Account {
    sender: Arc<Sender>,
    state: State,
    last_heard: u64,
    clock: Clock,
    succeeded: bool,
    topics: HashMap<Topic, TopicAccount>,
    totals: Totals,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Live,
    Silent,
    Ended,
}

#[derive(Debug, Default)]
struct TopicAccount {
    next: u64,
    gaps: Vec<Range<u64>>,
    discarded: u64,
    unreported: u64,
    reasons: Vec<(String, u64)>,
}

impl Ledger {
    /// The account of a receiver that listens since `attached` (ns since 1970-01-01 00:00 UTC).
    pub fn new(attached: u64) -> Self {
        Self {
            attached,
            is_share: false,
            senders: HashMap::new(),
            ended: 0,
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
                notices.push(Notice::Silent(account.sender.clone()));
            }
        }
    }

    /// Every sender with its totals, those that ended long ago apart. [`Ledger::offset`] knows of
    /// each one's clock.
    pub fn senders(&self) -> impl Iterator<Item = (&Sender, Totals)> {
        self.senders
            .values()
            .map(|account| (&*account.sender, account.totals))
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
        self.ended += 1;
        if self.ended > MAX_ENDED {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self
            .senders
            .iter()
            .filter(|(_, account)| account.state == State::Ended)
            .min_by_key(|(_, account)| account.last_heard)
            .map(|(id, _)| *id);
        if let Some(account) = oldest.and_then(|id| self.senders.remove(&id)) {
            self.forgotten += account.totals;
            self.ended -= 1;
        }
    }
}

impl Sender {
    fn is_same_service(&self, other: &Sender) -> bool {
        match (&self.identity, &other.identity) {
            (Some(a), Some(b)) => self.id != other.id && a.host == b.host && a.program == b.program,
            _ => false,
        }
    }
}

impl Account {
    fn new(id: SenderId) -> Self {
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
    fn introduce(&mut self, identity: Option<Identity>) -> bool {
        if self.sender.identity.is_some() || identity.is_none() {
            return false;
        }
        self.sender = Arc::new(Sender {
            id: self.sender.id,
            identity,
        });
        true
    }

    fn topic(&mut self, topic: &Topic) -> &mut TopicAccount {
        if self.topics.len() >= MAX_TOPICS && !self.topics.contains_key(topic.as_str()) {
            self.topics.clear();
        }
        self.topics.entry(topic.clone()).or_default()
    }

    fn enter(
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
        if account.gaps.len() == MAX_GAPS {
            account.gaps.remove(0);
        }
        account.gaps.push(records.clone());
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

    fn report_discards(&mut self, notices: &mut Vec<Notice>) {
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
        filled
    }
}

#[cfg(test)]
mod tests;
