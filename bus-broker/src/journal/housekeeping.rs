//! The bounds of what is kept: what may come in, and what is done between batches about limits,
//! forgetting, and files that can go.
//!
//! The latter is done every second, and sooner when much was written: free space goes as fast as the disk
//! takes what comes. Nothing here is owed to anybody who waits, so each turn does a bounded part.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use logbus_process as process;

use super::JournalConfig;
use super::book::{Arrival, Book, Refusal};
use super::counts::JournalCounts;
use super::retain::Retention;
use super::shares::{self, Shares};
use super::store::JournalError;

/// How often limits are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// And after so many bytes at the latest.
const LOOK_AFTER: u64 = 4 << 20;
/// How long writing waits at most where the disk is nearly full, and in which steps.
const MAX_WAIT: Duration = Duration::from_secs(2);
const WAIT: Duration = Duration::from_millis(10);
/// What compactions have to free is freed by then; what still misses is deleted besides.
const SETTLED_AFTER: Duration = Duration::from_secs(15);
/// A sender that was not heard for so long is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(30 * 86_400);
const FORGET_EVERY: Duration = Duration::from_secs(86_400);
/// The first time comes sooner: some brokers are started anew every night.
const FORGET_FIRST: Duration = Duration::from_secs(600);

/// When what is due.
#[derive(Debug)]
pub(super) struct Housekeeping {
    dir: PathBuf,
    retention: Retention,
    shares: Shares,
    /// Bytes that were written since the last look.
    written: u64,
    /// Write-ahead files that waited for tables when that was looked at last.
    sealed: usize,
    /// Whether half of what is to stay free is gone.
    is_nearly_full: bool,
    next_look: Instant,
    next_settled: Instant,
    next_forget: Instant,
}

impl Housekeeping {
    pub(super) fn new(config: &JournalConfig, book: &Book) -> Self {
        let now = Instant::now();
        let retention = Retention::new(config.classes());
        Self {
            dir: config.dir.clone(),
            shares: Shares::new(config.share, &retention, &retention.used(book)),
            retention,
            written: 0,
            sealed: 0,
            is_nearly_full: false,
            next_look: now,
            next_settled: now,
            next_forget: now + FORGET_FIRST,
        }
    }

    /// Decides of each message whether it may be kept.
    pub(super) fn judge(&self, arrivals: &mut [Arrival]) {
        let mut in_hand = BTreeMap::<(usize, u64), u64>::new();
        for arrival in arrivals {
            let (class, bytes) = (self.class(arrival), arrival.draft.len());
            let besides = in_hand.entry((class, arrival.publisher())).or_default();
            let room = self.retention.room(arrival.draft.topic.as_str());
            arrival.refusal = if bytes as u64 > room {
                Some(Refusal::TooLarge)
            } else if !self
                .shares
                .has_room(class, arrival.publisher(), *besides, bytes)
            {
                Some(Refusal::OverShare)
            } else {
                *besides += shares::size(bytes);
                None
            };
        }
    }

    /// Notes that a message was appended.
    pub(super) fn enter(&mut self, arrival: &Arrival) {
        let class = self.class(arrival);
        self.shares
            .enter(class, arrival.publisher(), arrival.draft.len());
    }

    /// What to say, if anything, of a message beyond its publisher's share.
    pub(super) fn refused(&mut self, arrival: &Arrival) -> Option<String> {
        let sender = arrival.draft.header.sender;
        let who = format!("the publisher with the sender id {sender}");
        let name = self.retention.classes().name(self.class(arrival));
        self.shares.refused(&who, &name, Instant::now())
    }

    fn class(&self, arrival: &Arrival) -> usize {
        self.retention.classes().of(arrival.draft.topic.as_str())
    }

    /// The journal was opened again.
    pub(super) fn begin_anew(&mut self) {
        self.retention.begin_anew();
        self.sealed = 0;
    }

    /// Notes that so many bytes were written.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.written += bytes as u64;
    }

    /// When it is due at the latest.
    pub(super) fn due(&self) -> Instant {
        self.next_look
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next_look <= now || self.written >= LOOK_AFTER
    }

    /// Does what is due, or a part of it.
    pub(super) fn look(
        &mut self,
        book: &mut Book,
        counts: &mut JournalCounts,
    ) -> Result<(), JournalError> {
        let now = Instant::now();
        self.written = 0;
        self.measure(now);
        let trimmed = self.retention.trim(book, process::now())?;
        for (class, (_, records)) in &trimmed.by_class {
            let name = self.retention.classes().name(*class);
            *counts.deleted.entry(name).or_default() += records;
        }
        for (class, bytes) in &trimmed.bytes {
            self.shares.forget(*class, *bytes);
        }
        if self.is_nearly_full {
            wait_for_tables(book)?;
        }
        self.let_write_ahead_files_go(book)?;
        if self.next_forget <= now {
            let after = u64::try_from(FORGET_AFTER.as_nanos()).unwrap_or(u64::MAX);
            book.forget_senders(process::now().saturating_sub(after))?;
            book.forget_topics()?;
            self.next_forget = now + FORGET_EVERY;
        }
        self.next_look = match trimmed.is_more {
            true => now,
            false => now + LOOK_EVERY,
        };
        Ok(())
    }

    /// Looks how much is free, unless it is known already that something must go.
    fn measure(&mut self, now: Instant) {
        let is_settled = self.next_settled <= now;
        if self.retention.min_free() == 0 || (self.retention.owes() && !is_settled) {
            return;
        }
        let free = free_space(&self.dir);
        self.is_nearly_full = free < self.retention.min_free() / 2;
        self.retention.measure(free, is_settled);
        if is_settled {
            self.next_settled = now + SETTLED_AFTER;
        }
    }

    /// Once for each write-ahead file that was sealed.
    fn let_write_ahead_files_go(&mut self, book: &Book) -> Result<(), JournalError> {
        let sealed = book.store.sealed_files();
        if sealed > self.sealed {
            book.store.write_tables()?;
        }
        self.sealed = sealed;
        Ok(())
    }
}

/// Lets those who write wait until what is in memory is in tables, for a bounded time: on a disk that
/// is nearly full nothing may come faster than write-ahead files can go.
fn wait_for_tables(book: &Book) -> Result<(), JournalError> {
    book.store.write_tables()?;
    let end = Instant::now() + MAX_WAIT;
    while book.store.sealed_files() > 0 && Instant::now() < end {
        // fjall tells nobody when a table is written.
        std::thread::park_timeout(WAIT);
    }
    Ok(())
}

/// Bytes that are free on the disk; where that cannot be told, plenty.
fn free_space(dir: &Path) -> u64 {
    let told = nix::sys::statvfs::statvfs(dir);
    told.map_or(u64::MAX, |told| {
        told.blocks_available().saturating_mul(told.fragment_size())
    })
}
