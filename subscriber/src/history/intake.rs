//! What the decoding stage takes in: entries of the journal, live messages, and the seam between.
//!
//! The live bus is connected first, and its messages wait in the tap while the journal is read to
//! its end; then they are handed on. What came twice, once from each side, the account of losses
//! knows by its numbers (`schemas/src/wire/ledger.rs`). Where the tap had no room for all that
//! came meanwhile, what waits is thrown away and the journal read on from where it was: where it keeps
//! the topic it has that, too, because a broker ends a read behind all that was live before it. So
//! there is neither a gap nor, in order, a record twice. Of topics that the journal does not keep,
//! what was thrown away is a loss, and the account tells it as one.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use logbus_broker::{Inbound, Taker};
use logbus_process as process;
use logbus_schemas::wire::durable::Gone;

use super::client::{Entry, Order, Running, Told, Voice};
use super::connect::History;
use crate::handler::Say;

/// How long a live connection may take to stand that nobody confirms.
pub const SETTLING: Duration = Duration::from_secs(1);
/// How long a message may take into the journal that went out live just before somebody subscribed.
pub const LAG: Duration = Duration::from_millis(300);

/// Where messages are taken from.
pub struct Intake {
    taker: Taker,
    journal: Option<Journal>,
    /// Whether there is more than has come up to now: in the journal, or since in the tap.
    is_behind: bool,
}

struct Journal {
    told: Receiver<Told>,
    voice: Voice,
    /// Whether the tap is to be gone over to at the end.
    is_live_next: bool,
    /// What is live may be trusted to be complete from then on.
    settled: Instant,
    /// When to end, in ns since 1970-01-01 00:00 UTC, where nothing comes any more.
    until: Option<u64>,
    is_caught_up: bool,
    /// When the broker had the last entry.
    received: Option<u64>,
}

/// Something that was taken.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all of them are messages")]
pub enum Taken {
    /// A message from the live bus.
    Live(Inbound),
    /// One from the journal.
    Entry(Entry),
    /// Entries of the journal are gone.
    Gone(Gone),
    /// That was the journal, up to here; what comes now is live.
    CaughtUp(u64),
    /// Nothing more comes.
    End,
}

impl Intake {
    /// Live messages alone.
    pub fn live(taker: Taker) -> Self {
        Self {
            taker,
            journal: None,
            is_behind: false,
        }
    }

    /// The journal first. The live bus is connected already, where it is wanted, and what comes from
    /// it is complete from `settled` on.
    pub fn journal(
        taker: Taker,
        history: History,
        settled: Instant,
        say: &Say,
        refused: Box<dyn Fn() + Send>,
    ) -> anyhow::Result<(Self, Running)> {
        let wanted = history.wanted();
        let (is_live_next, until) = (wanted.is_live_next, wanted.until_time());
        let (running, told) = history.start(say, refused)?;
        let journal = Journal {
            told,
            voice: running.voice(),
            is_live_next,
            settled,
            until,
            is_caught_up: false,
            received: None,
        };
        let intake = Self {
            taker,
            journal: Some(journal),
            is_behind: true,
        };
        Ok((intake, running))
    }

    /// What comes next, waiting for it no longer than this; an error when there is nothing, or when
    /// nothing can come any more.
    pub fn take(&mut self, longest: Duration) -> Result<Taken, RecvTimeoutError> {
        let Some(journal) = &mut self.journal else {
            let taken = self.taker.take(longest);
            self.is_behind &= taken.is_ok();
            return taken.map(Taken::Live);
        };
        let told = match journal.told.recv_timeout(longest) {
            Err(RecvTimeoutError::Timeout) if journal.is_past() => {
                journal.until = None;
                return Ok(Taken::End);
            }
            told => told?,
        };
        match told {
            Told::Entry(entry) => {
                journal.received = Some(entry.received);
                Ok(Taken::Entry(entry))
            }
            Told::Gone(gone) => Ok(Taken::Gone(gone)),
            Told::Live(offset) if !journal.is_live_next => {
                match std::mem::replace(&mut journal.is_caught_up, true) {
                    true => Err(RecvTimeoutError::Timeout),
                    false => Ok(Taken::CaughtUp(offset)),
                }
            }
            Told::Live(offset) => self.go_over(offset),
            Told::End if journal.is_live_next => self.go_over(0),
            Told::End => Ok(Taken::End),
        }
    }

    /// Messages of the live bus that found no room since the last call, and are nowhere else.
    pub fn overflow(&mut self) -> u64 {
        match self.journal {
            None => self.taker.overflow(),
            Some(_) => 0,
        }
    }

    /// Whether handlers are worth waiting for: what comes is in the journal, or has waited in the
    /// tap while that was read.
    pub fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// What time it is for what is taken now: while the journal is read, the journal's.
    pub fn now(&self) -> u64 {
        let journal = self.journal.as_ref();
        let past = journal.filter(|journal| !journal.is_caught_up);
        past.and_then(|journal| journal.received)
            .unwrap_or_else(process::now)
    }

    /// Goes over to the tap, or has the journal read on where that would leave a gap.
    fn go_over(&mut self, offset: u64) -> Result<Taken, RecvTimeoutError> {
        let Some(journal) = &mut self.journal else {
            return Err(RecvTimeoutError::Timeout);
        };
        if journal.settled > Instant::now() {
            journal.voice.tell(Order::Again(journal.settled));
            return Err(RecvTimeoutError::Timeout);
        }
        if self.taker.overflow() > 0 {
            // What is thrown away, too, is in the journal, in front of the end of what is asked for
            // now. Of what is not, numbers tell.
            while self.taker.take(Duration::ZERO).is_ok() {}
            let _in_the_journal = self.taker.overflow();
            journal.voice.tell(Order::Again(Instant::now()));
            return Err(RecvTimeoutError::Timeout);
        }
        journal.voice.tell(Order::Stop);
        self.journal = None;
        Ok(Taken::CaughtUp(offset))
    }
}

impl Journal {
    /// Whether what was asked for has an end that is over.
    fn is_past(&self) -> bool {
        self.is_caught_up && self.until.is_some_and(|until| process::now() >= until)
    }
}

#[cfg(test)]
mod tests;
