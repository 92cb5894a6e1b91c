//! What is known of one read of a journal: where it is, what is in hand, how much may still come.
//!
//! Entries are numbered as they come, from 1, because offsets of a shared subscription come in any
//! order. An entry is in hand until everybody has done with its number; credit is given so that what
//! is in hand and what may still come stay within limits. After a broken connection the read is
//! asked for again behind what came: by its offset, or by its name where the broker remembers that.
//! No socket and no clock here; `client.rs` has those.

use std::collections::{HashSet, VecDeque};

use logbus_schemas::wire::durable::{Command, Done, Entry, From, Gone, More, Read, Stop, Welcome};

/// Bytes that an entry is taken to have, at least.
const LEAST_BYTES: usize = 512;
/// Entries of a shared subscription whose offsets are remembered after they were done.
const REMEMBERED: usize = 65_536;

/// What may be in hand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Entries.
    pub(super) entries: u32,
    /// Bytes, about: the largest entry so far is taken for the size of those that may come.
    pub(super) bytes: usize,
}

/// The read; see the head of this file.
#[derive(Debug)]
pub(super) struct Reading {
    request: Read,
    limits: Limits,
    journal: Option<u64>,
    /// Whether the present connection has been asked.
    is_asked: bool,
    /// The offset behind everything that came.
    next: Option<u64>,
    /// Entries that may still come.
    granted: u32,
    held: VecDeque<Held>,
    held_bytes: usize,
    largest: usize,
    /// The number of the last entry that came.
    number: u64,
    /// Of a named read: everything below is done.
    below: u64,
    /// Of a shared one: done, and not told yet.
    also: Vec<u64>,
    remembered: VecDeque<u64>,
    is_remembered: HashSet<u64>,
    noted: Option<u64>,
    /// Whether something was noted since it was last said what is done.
    is_answered: bool,
}

#[derive(Debug)]
struct Held {
    number: u64,
    /// None where it was an offset in a journal that is no more.
    offset: Option<u64>,
    bytes: usize,
}

/// What a broker's word comes to.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// An entry, under this number.
    Entry(u64, Entry),
    Gone(Gone),
    /// That was everything there is, up to here.
    Live(u64),
    End,
    /// It will not do it; why, in a line, and whether that is because others have the name.
    Refused {
        reason: String,
        is_name: bool,
    },
    Noted,
    /// Nothing that anybody must know.
    Nothing,
}

impl Reading {
    /// A read that has not been asked for yet.
    pub(super) fn new(request: Read, limits: Limits) -> Self {
        Self {
            request,
            limits,
            journal: None,
            is_asked: false,
            next: None,
            granted: 0,
            held: VecDeque::new(),
            held_bytes: 0,
            largest: LEAST_BYTES,
            number: 0,
            below: 0,
            also: Vec::new(),
            remembered: VecDeque::new(),
            is_remembered: HashSet::new(),
            noted: None,
            is_answered: true,
        }
    }

    /// What to say to a broker that has just greeted: what it was told before may not have come.
    pub(super) fn begin(&mut self, welcome: &Welcome) -> Vec<Command> {
        if self
            .journal
            .replace(welcome.journal)
            .is_some_and(|known| known != welcome.journal)
        {
            self.forget_offsets();
        }
        self.resume()
    }

    /// Asks for what is behind everything that came, and says what is done of that.
    pub(super) fn resume(&mut self) -> Vec<Command> {
        let mut said = vec![self.ask()];
        if self.is_named() && !self.request.share && self.noted < Some(self.below) && self.below > 0
        {
            said.push(self.done(self.below, Vec::new()));
        }
        said
    }

    /// Asks for what is behind everything that came.
    pub(super) fn ask(&mut self) -> Command {
        self.request.read += 1;
        self.granted = 0;
        self.is_asked = true;
        self.granted = self.window();
        let mut request = self.request.clone();
        request.credit = self.granted;
        if let (false, Some(next)) = (self.is_named(), self.next) {
            request.from = From::Offset(next);
        }
        Command::Read(request)
    }

    /// The connection broke.
    pub(super) fn interrupt(&mut self) {
        self.is_asked = false;
    }

    /// Takes nothing more in. A named read is not stopped, because the broker is still to be told
    /// what of it is done; it just has no more credit.
    pub(super) fn stop(&mut self) -> Option<Command> {
        let read = self.request.read;
        self.limits.entries = 0;
        (self.is_asked && !self.is_named()).then_some(Command::Stop(Stop { read }))
    }

    /// Takes in what the broker says; `bytes` has the message behind an entry.
    pub(super) fn hear(&mut self, command: Command, bytes: usize) -> Step {
        let read = self.request.read;
        match command {
            Command::Entry(entry) if entry.read == read => self.take(entry, bytes),
            Command::Gone(gone) if gone.read == read => {
                self.next = self.next.max(Some(gone.to));
                Step::Gone(gone)
            }
            Command::Live(at) if at.read == read => {
                self.next = self.next.max(Some(at.offset));
                Step::Live(at.offset)
            }
            Command::End(at) if at.read == read => Step::End,
            Command::Refused(refused) if refused.read == read || refused.read == 0 => {
                let is_name = refused.code == "name" && self.is_named();
                if is_name {
                    self.is_asked = false;
                }
                let reason = match refused.code.as_str() {
                    "" => refused.reason,
                    code => format!("{} ({code})", refused.reason),
                };
                Step::Refused { reason, is_name }
            }
            Command::Noted(at) if at.read == read => {
                self.noted = self.noted.max(Some(at.offset));
                self.is_answered = true;
                Step::Noted
            }
            _ => Step::Nothing,
        }
    }

    /// Everything up to this number is done: says so where that is wanted, and gives credit.
    pub(super) fn release(&mut self, number: u64) -> Vec<Command> {
        let before = self.below;
        while let Some(held) = self.held.front()
            && held.number <= number
        {
            self.held_bytes -= held.bytes;
            match held.offset {
                Some(offset) if self.request.share => {
                    // At once: nobody may hear of it just now, and the broker hands it out again.
                    self.remember(offset);
                    self.also.push(offset);
                }
                Some(offset) => self.below = self.below.max(offset + 1),
                None => {}
            }
            self.held.pop_front();
        }
        let mut said = Vec::new();
        if !self.is_asked {
            return said;
        }
        if self.is_named() && (self.below != before || !self.also.is_empty()) {
            let also = std::mem::take(&mut self.also);
            let below = if self.request.share { 0 } else { self.below };
            said.push(self.done(below, also));
        }
        let more = self.window().saturating_sub(self.granted);
        // Credit in handfuls: a word for every entry would cost as much as the entry.
        if more > 0 && (self.granted == 0 || more >= self.limits.entries / 4) {
            self.granted += more;
            said.push(Command::More(More {
                read: self.request.read,
                credit: more,
            }));
        }
        said
    }

    /// Whether a name remembers where this is.
    pub(super) fn is_named(&self) -> bool {
        self.request.name.is_some()
    }

    /// Whether the broker has noted everything that is done.
    pub(super) fn is_noted(&self) -> bool {
        match self.request.share {
            true => self.is_answered,
            false => self.below == 0 || self.noted >= Some(self.below),
        }
    }

    fn take(&mut self, entry: Entry, bytes: usize) -> Step {
        self.granted = self.granted.saturating_sub(1);
        if self.is_named() && self.is_known(entry.offset) {
            return Step::Nothing;
        }
        self.next = self.next.max(Some(entry.offset.saturating_add(1)));
        self.number += 1;
        let bytes = bytes.max(LEAST_BYTES);
        self.largest = self.largest.max(bytes);
        self.held_bytes += bytes;
        self.held.push_back(Held {
            number: self.number,
            offset: Some(entry.offset),
            bytes,
        });
        Step::Entry(self.number, entry)
    }

    /// Whether an entry came before: it was not noted when a connection broke.
    fn is_known(&mut self, offset: u64) -> bool {
        if !self.request.share {
            return self.next.is_some_and(|next| offset < next);
        }
        if self.is_remembered.contains(&offset) {
            // It was done, and that word was lost.
            self.also.push(offset);
            return true;
        }
        self.held.iter().any(|held| held.offset == Some(offset))
    }

    /// How many entries may be on their way.
    fn window(&self) -> u32 {
        let by_count = (self.limits.entries as usize).saturating_sub(self.held.len());
        let by_bytes = self.limits.bytes.saturating_sub(self.held_bytes) / self.largest;
        let least = usize::from(self.held.is_empty() && self.limits.entries > 0);
        by_count.min(by_bytes).max(least) as u32 // `entries` is a u32.
    }

    fn done(&mut self, below: u64, also: Vec<u64>) -> Command {
        self.is_answered = false;
        Command::Done(Done {
            read: self.request.read,
            below,
            also,
        })
    }

    fn remember(&mut self, offset: u64) {
        if self.is_remembered.insert(offset) {
            self.remembered.push_back(offset);
        }
        if self.remembered.len() > REMEMBERED
            && let Some(oldest) = self.remembered.pop_front()
        {
            self.is_remembered.remove(&oldest);
        }
    }

    /// The journal is another one: what is known of places in it is wrong.
    fn forget_offsets(&mut self) {
        self.next = None;
        if !matches!(self.request.from, From::Time(_)) {
            self.request.from = From::Begin;
        }
        self.below = 0;
        self.noted = None;
        self.also.clear();
        self.remembered.clear();
        self.is_remembered.clear();
        for held in &mut self.held {
            held.offset = None;
        }
    }
}

#[cfg(test)]
mod tests;
