//! What a publisher counts: records published, sent and discarded, by reason.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a record was discarded: before it was sent or, for good, by a broker that refused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The queue was full.
    QueueFull,
    /// Nobody subscribed within the hold time.
    NoSubscriber,
    /// The record was larger than `max_record`, or than the whole queue (`queue_bytes`).
    TooLarge,
    /// The publisher was closed before it could be sent.
    AtExit,
    /// No socket could be opened.
    NoSocket,
    /// The spool was full, and therefore the queue.
    SpoolFull,
    /// The broker refused it: this sender has no right to publish there.
    RefusedRight,
    /// The broker refused it for its size.
    RefusedSize,
    /// The broker refused it for its form.
    RefusedForm,
    /// The broker refused it because its journal is full.
    RefusedFull,
    /// The broker refused it for another reason.
    RefusedOther,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 11] = [
        Reason::QueueFull,
        Reason::NoSubscriber,
        Reason::TooLarge,
        Reason::AtExit,
        Reason::NoSocket,
        Reason::SpoolFull,
        Reason::RefusedRight,
        Reason::RefusedSize,
        Reason::RefusedForm,
        Reason::RefusedFull,
        Reason::RefusedOther,
    ];

    /// Its name, as heartbeats carry it.
    pub fn name(self) -> &'static str {
        match self {
            Reason::QueueFull => "queue full",
            Reason::NoSubscriber => "no subscriber",
            Reason::TooLarge => "too large",
            Reason::AtExit => "not sent at exit",
            Reason::NoSocket => "no socket",
            Reason::SpoolFull => "spool full",
            Reason::RefusedRight => "refused: right",
            Reason::RefusedSize => "refused: size",
            Reason::RefusedForm => "refused: form",
            Reason::RefusedFull => "refused: full",
            Reason::RefusedOther => "refused",
        }
    }

    /// The reason that stands for a broker's code.
    pub(crate) fn of_refusal(code: &str) -> Self {
        match code {
            "right" => Reason::RefusedRight,
            "size" => Reason::RefusedSize,
            "form" => Reason::RefusedForm,
            "full" => Reason::RefusedFull,
            _ => Reason::RefusedOther,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a publisher has done so far, in this process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Records given to `publish`.
    pub published: u64,
    /// Records handed to the socket; with durable delivery those that were taken over for it, and
    /// with a spool they are on disk.
    pub sent: u64,
    /// Of those: records that a broker has on disk. 0 without durable delivery.
    pub acknowledged: u64,
    /// Messages they went in.
    pub messages: u64,
    /// Records that wait.
    pub queued: u64,
    /// Records thrown away, by reason.
    pub discarded: BTreeMap<Reason, u64>,
    /// What was found in the spools of publishers that are dead.
    pub adopted: Adopted,
}

/// What dead publishers left and this one sends in their place. None of it is among its own records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Adopted {
    /// Records that were found.
    pub records: u64,
    /// Of those: records that a broker has on disk now.
    pub acknowledged: u64,
    /// Of those: records that a broker refused.
    pub refused: u64,
    /// Places where a spool was damaged. What stood there is in no other number.
    pub damages: u64,
}

/// What became of everything, said when a publisher closes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Report {
    /// Records handed to the socket, or taken over for durable delivery.
    pub sent: u64,
    /// Records that a broker has on disk. 0 without durable delivery.
    pub acknowledged: u64,
    /// Records thrown away while running, by reason.
    pub discarded: BTreeMap<Reason, u64>,
    /// Records that were still queued when the time was up or, with durable delivery, not
    /// acknowledged and not in a spool.
    pub left: u64,
    /// Records that were not acknowledged when the time was up and are in the spool: the next
    /// publisher of this program sends them, or `logpub --drain`.
    pub kept: u64,
    /// Of those sent: records that may still have been in the socket when the time was up. The
    /// socket does not say how many went out; this is the most that can have stayed.
    pub unconfirmed: u64,
}

impl Report {
    /// Whether every record was handed over, or is kept in a spool.
    pub fn is_complete(&self) -> bool {
        self.not_handed_over() == 0
    }

    /// How many records were not, as far as is known.
    pub fn not_handed_over(&self) -> u64 {
        self.left + self.unconfirmed + self.discarded.values().sum::<u64>()
    }
}

/// The counters behind [`Stats`], shared by the callers and the sender's thread.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) published: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) messages: AtomicU64,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) adopted: AtomicU64,
    pub(crate) adopted_acknowledged: AtomicU64,
    pub(crate) adopted_refused: AtomicU64,
    pub(crate) adopted_damages: AtomicU64,
    discarded: [AtomicU64; Reason::ALL.len()],
}

impl Counters {
    /// Counts a record. Only who holds the queue's lock does, so that adding needs no atomic step: that
    /// would cost as much as taking the lock.
    pub(crate) fn count_published(&self) {
        let before = self.published.load(Ordering::Relaxed);
        self.published.store(before + 1, Ordering::Relaxed);
    }

    pub(crate) fn discard(&self, reason: Reason, count: u64) {
        self.discarded[reason as usize].fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn discarded(&self) -> BTreeMap<Reason, u64> {
        Reason::ALL
            .into_iter()
            .map(|reason| {
                (
                    reason,
                    self.discarded[reason as usize].load(Ordering::Relaxed),
                )
            })
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    pub(crate) fn adopted(&self) -> Adopted {
        Adopted {
            records: self.adopted.load(Ordering::Relaxed),
            acknowledged: self.adopted_acknowledged.load(Ordering::Relaxed),
            refused: self.adopted_refused.load(Ordering::Relaxed),
            damages: self.adopted_damages.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn stats(&self, queued: u64) -> Stats {
        Stats {
            published: self.published.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            acknowledged: self.acknowledged.load(Ordering::Relaxed),
            messages: self.messages.load(Ordering::Relaxed),
            queued,
            discarded: self.discarded(),
            adopted: self.adopted(),
        }
    }
}
