//! What a publisher counts: records published, sent and discarded, by reason.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a record was discarded before it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The queue was full.
    QueueFull,
    /// Nobody subscribed within the hold time.
    NoSubscriber,
    /// The record was larger than `max_record`.
    TooLarge,
    /// The publisher was closed before it could be sent.
    AtExit,
    /// No socket could be opened.
    NoSocket,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 5] = [
        Reason::QueueFull,
        Reason::NoSubscriber,
        Reason::TooLarge,
        Reason::AtExit,
        Reason::NoSocket,
    ];

    /// Its name, as heartbeats carry it.
    pub fn name(self) -> &'static str {
        match self {
            Reason::QueueFull => "queue full",
            Reason::NoSubscriber => "no subscriber",
            Reason::TooLarge => "too large",
            Reason::AtExit => "not sent at exit",
            Reason::NoSocket => "no socket",
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
    /// Records handed to the socket.
    pub sent: u64,
    /// Messages they went in.
    pub messages: u64,
    /// Records that wait.
    pub queued: u64,
    /// Records thrown away, by reason.
    pub discarded: BTreeMap<Reason, u64>,
}

/// What became of everything, said when a publisher closes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Report {
    /// Records handed to the socket.
    pub sent: u64,
    /// Records thrown away while running, by reason.
    pub discarded: BTreeMap<Reason, u64>,
    /// Records that were still queued when the time was up.
    pub left: u64,
    /// Of those sent: records that may still have been in the socket when the time was up. The
    /// socket does not say how many went out; this is the most that can have stayed.
    pub unconfirmed: u64,
}

impl Report {
    /// Whether every record was handed over.
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
    discarded: [AtomicU64; Reason::ALL.len()],
}

impl Counters {
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

    pub(crate) fn stats(&self, queued: u64) -> Stats {
        Stats {
            published: self.published.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            messages: self.messages.load(Ordering::Relaxed),
            queued,
            discarded: self.discarded(),
        }
    }
}
