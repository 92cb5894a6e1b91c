//! Reads: who wants which part of the journal, and what each is sent.
//!
//! A plain read has a place of its own in the journal. A read with a name is a seat of a durable
//! subscription (`share.rs`), which has the place. Nobody is sent more than it gave credit for, and
//! an entry that does not go now goes later: nothing is dropped, however slow a reader is.
//! `reading/beginning.rs` begins them, `reading/serving.rs` sends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use logbus_process as process;
use logbus_schemas::wire::durable::{At, Command, Done, Read};
use logbus_schemas::{Level, TopicFilter};
use logbus_transport::{Error, Peer};

use super::callers::Callers;
use super::client::given;
use super::share::Group;
use crate::journal::{Intake, Journal};
use crate::rights::Rights;

mod beginning;
mod bounds;
mod serving;

use bounds::Names;
use serving::{announce, serve_group, serve_own};

/// A reader: a peer, and the peer's number for its read.
type Seat = (Peer, u32);

/// What a reader asked for.
struct Reading {
    place: Place,
    /// What it asked for.
    asked: Vec<TopicFilter>,
    /// What it is given of that, by its rights.
    topics: Vec<TopicFilter>,
    level: Option<Level>,
    until: u64,
    until_time: Option<u64>,
    /// How far PUB/SUB traffic had been offered to the writer when a read came that does not follow:
    /// it ends behind that, and where that is shows when it is written.
    awaits: Option<u64>,
    follow: bool,
    credit: usize,
    is_live: bool,
    is_over: bool,
}

enum Place {
    /// The next entry, and the time: what was deleted before it is not told of.
    Own { at: u64, since: u64 },
    /// In this durable subscription.
    Shared(String),
}

/// A read that cannot begin yet.
struct Later {
    peer: Peer,
    read: Read,
    /// Below which entry it says it has done all, meanwhile. Of what is shared it was handed nothing yet.
    below: u64,
    until: Instant,
}

/// Everybody who reads.
#[derive(Default)]
pub(super) struct Readers {
    reads: BTreeMap<Seat, Reading>,
    groups: BTreeMap<String, Group<Seat>>,
    /// Names that were forgotten and not read since: that may not be written yet.
    forgotten: BTreeSet<String>,
    names: Names,
    later: Vec<Later>,
}

/// What a read needs besides itself.
pub(super) struct Desk<'a> {
    pub(super) callers: &'a mut Callers,
    pub(super) journal: &'a Journal,
    pub(super) intake: &'a Intake,
    /// Where callers have keys.
    pub(super) rights: Option<&'a Rights>,
}

impl Reading {
    /// Ends a read that does not follow behind all that was live before it came: who throws away live
    /// messages and reads on here has them.
    fn find_end(&mut self, desk: &Desk) {
        if self
            .awaits
            .is_some_and(|offered| desk.intake.has_passed(offered))
        {
            self.awaits = None;
            self.until = self.until.min(desk.journal.tail());
        }
    }
}

impl Readers {
    /// Those who would be given something else now than what they read.
    pub(super) fn changed(&self, rights: &Rights) -> Vec<Peer> {
        let is_changed = |peer: &Peer, reading: &Reading| {
            given(peer, &reading.asked, Some(rights)).as_ref() != Ok(&reading.topics)
        };
        let changed = self
            .reads
            .iter()
            .filter(|((peer, _), reading)| is_changed(peer, reading));
        let mut changed: Vec<Peer> = changed.map(|((peer, _), _)| peer.clone()).collect();
        changed.dedup();
        changed
    }

    pub(super) fn more(&mut self, peer: &Peer, read: u32, credit: u32) {
        if let Some(reading) = self.reads.get_mut(&(peer.clone(), read)) {
            reading.credit = reading.credit.saturating_add(credit as usize);
        } else if let Some(later) = self.later(peer, read) {
            later.read.credit = later.read.credit.saturating_add(credit);
        }
    }

    fn later(&mut self, peer: &Peer, read: u32) -> Option<&mut Later> {
        let mut all = self.later.iter_mut();
        all.find(|later| later.peer == *peer && later.read.read == read)
    }

    /// Ends a read. What its seat had not done goes to another one.
    pub(super) fn stop(&mut self, peer: &Peer, read: u32) {
        let seat = (peer.clone(), read);
        self.later
            .retain(|later| later.peer != *peer || later.read.read != read);
        if let Some(Reading {
            place: Place::Shared(name),
            ..
        }) = self.reads.remove(&seat)
            && let Some(group) = self.groups.get_mut(&name)
        {
            group.leave(&seat);
        }
    }

    /// Ends all reads of a peer. Says how many of its entries go to others or wait.
    pub(super) fn leave(&mut self, peer: &Peer) {
        let mine = self.reads.keys().filter(|(other, _)| other == peer);
        let mine: Vec<u32> = mine.map(|(_, read)| *read).collect();
        for read in mine {
            self.stop(peer, read);
        }
        self.later.retain(|later| later.peer != *peer);
    }

    /// Notes what a seat has done.
    pub(super) fn done(&mut self, peer: &Peer, done: &Done, desk: &mut Desk) {
        let seat = (peer.clone(), done.read);
        if let Some(Reading {
            place: Place::Shared(name),
            ..
        }) = self.reads.get(&seat)
            && let Some(group) = self.groups.get_mut(name)
        {
            group.finish(&seat, done.below, &done.also);
            if !group.share {
                group.finish_below(done.below.min(desk.journal.tail()));
            }
            desk.intake.note(name, group.note(process::now()));
        } else if let Some(later) = self.later(peer, done.read) {
            later.below = later.below.max(done.below);
        }
    }

    /// Forgets a durable subscription; `false` when somebody reads it.
    pub(super) fn forget(&mut self, name: &str) -> bool {
        let is_read = self
            .groups
            .get(name)
            .is_some_and(|group| !group.seats.is_empty());
        if !is_read {
            self.groups.remove(name);
            if let Some(names) = &mut self.names {
                names.remove(name);
            }
            self.forgotten.insert(name.to_owned());
        }
        !is_read
    }

    /// Whether a name was forgotten and not read since.
    pub(super) fn is_forgotten(&self, name: &str) -> bool {
        self.forgotten.contains(name)
    }

    /// A subscription was noted as far as `below`, and with what may be handed out: tells its seats.
    pub(super) fn noted(
        &mut self,
        name: &str,
        (below, handed): (u64, u64),
        callers: &mut Callers,
    ) -> Result<(), Error> {
        let Some(group) = self.groups.get_mut(name) else {
            return Ok(());
        };
        group.grant(handed);
        for (peer, read) in &group.seats {
            let at = At {
                read: *read,
                offset: below,
            };
            callers.say(peer, &Command::Noted(at))?;
        }
        Ok(())
    }

    /// Tries whether those who have seats are there.
    pub(super) fn probe(&self, callers: &mut Callers) -> Result<(), Error> {
        let seats = self.groups.values().flat_map(|group| &group.seats);
        for (peer, _) in seats {
            callers.try_whether_there(peer)?;
        }
        Ok(())
    }

    /// Sends what there is for those who have credit. Says whether there is more to do at once.
    pub(super) fn serve(&mut self, desk: &mut Desk) -> Result<bool, Error> {
        let mut is_more = false;
        for reading in self.reads.values_mut() {
            reading.find_end(desk);
        }
        for (seat, reading) in &mut self.reads {
            if matches!(reading.place, Place::Own { .. }) {
                is_more |= serve_own(seat, reading, desk)?;
            }
        }
        for (name, group) in &mut self.groups {
            is_more |= serve_group(name, group, &mut self.reads, desk)?;
        }
        for (seat, reading) in &mut self.reads {
            let at = match &reading.place {
                Place::Own { at, .. } => Some(*at),
                Place::Shared(name) => {
                    let group = self.groups.get(name);
                    group
                        .filter(|g| g.first_again().is_none())
                        .map(|group| group.cursor)
                }
            };
            if let Some(at) = at {
                announce(seat, reading, at, desk)?;
            }
        }
        self.reads
            .retain(|_, reading| !(reading.is_over && matches!(reading.place, Place::Own { .. })));
        Ok(is_more)
    }

    /// Says to everybody that nothing more comes, and has noted where subscriptions are.
    pub(super) fn close(&mut self, desk: &mut Desk) -> Result<(), Error> {
        for (seat, reading) in &mut self.reads {
            if !reading.is_over {
                let at = At {
                    read: seat.1,
                    offset: desk.journal.tail(),
                };
                desk.callers.say(&seat.0, &Command::End(at))?;
            }
        }
        for (name, group) in &mut self.groups {
            group.release();
            desk.intake.note(name, group.note(process::now()));
        }
        Ok(())
    }
}
