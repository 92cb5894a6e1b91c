//! Reads: who wants which part of the journal, and what each is sent.
//!
//! A plain read has a place of its own in the journal. A read with a name is a seat of a durable
//! subscription (`share.rs`), which has the place. Nobody is sent more than it gave credit for, and
//! an entry that does not go now goes later: nothing is dropped, however slow a reader is
//! (`reading/serving.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use logbus_process as process;
use logbus_schemas::wire::durable::{At, Command, Done, From, Read, Refused, Until};
use logbus_schemas::{Level, TopicFilter};
use logbus_transport::{Error, Peer};

use super::callers::Callers;
use super::client::given;
use super::share::Group;
use crate::journal::{Consumer, Intake, Journal, JournalError, Wanted};
use crate::rights::Rights;

mod serving;

use serving::{announce, serve_group, serve_own};

/// How long a reader waits for the name of another one, which may be dead.
const NAME_PATIENCE: Duration = Duration::from_secs(4);
/// And for a journal that is closed.
const DISK_PATIENCE: Duration = Duration::from_secs(3600);

/// What a read that waits may say meanwhile; the last of it says most.
const MAX_DONE: usize = 100;

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
    /// What it says it has done, meanwhile.
    done: Vec<Done>,
    until: Instant,
}

/// Everybody who reads.
#[derive(Default)]
pub(super) struct Readers {
    reads: BTreeMap<Seat, Reading>,
    groups: BTreeMap<String, Group<Seat>>,
    later: Vec<Later>,
    /// Names that were forgotten, and not taken since: the journal may still have them for a moment.
    forgotten: BTreeSet<String>,
}

/// What a read needs besides itself.
pub(super) struct Desk<'a> {
    pub(super) callers: &'a mut Callers,
    pub(super) journal: &'a Journal,
    pub(super) intake: &'a Intake,
    /// Where callers have keys.
    pub(super) rights: Option<&'a Rights>,
}

/// The topics that a read names.
fn asked(read: &Read) -> Result<Vec<TopicFilter>, String> {
    let topics = read.topics.iter().map(|text| TopicFilter::parse(text));
    let topics: Result<_, _> = topics.collect();
    topics.map_err(|error| error.to_string())
}

impl Readers {
    /// Begins a read, or says why not.
    pub(super) fn open(&mut self, peer: &Peer, read: Read, desk: &mut Desk) -> Result<(), Error> {
        self.stop(peer, read.read);
        if let Err(why) = asked(&read) {
            return refuse(desk, peer, &read, "form", &why);
        }
        let is_name = |name: &String| !name.is_empty() && name.len() <= 100;
        if !read
            .name
            .iter()
            .all(|name| is_name(name) && !name.chars().any(char::is_control))
        {
            let why = "a name has 1 to 100 bytes, and no control characters";
            return refuse(desk, peer, &read, "form", why);
        }
        let until = Instant::now() + DISK_PATIENCE;
        self.begin(
            Later {
                peer: peer.clone(),
                read,
                done: Vec::new(),
                until,
            },
            desk,
        )
    }

    fn begin(&mut self, later: Later, desk: &mut Desk) -> Result<(), Error> {
        let (peer, read) = (&later.peer, &later.read);
        let asked = asked(read).unwrap_or_default();
        let topics = match given(peer, &asked, desk.rights) {
            Ok(topics) => topics,
            Err(why) => return refuse(desk, peer, read, "right", &why),
        };
        match self.is_anothers(peer, read, desk) {
            Ok(None) => {}
            Ok(Some(why)) => return refuse(desk, peer, read, "right", &why),
            Err(_) => {
                self.later.push(later);
                return Ok(());
            }
        }
        if let Some(name) = &read.name
            && let Some(holder) = self.holder(name, read)
        {
            let until = later.until.min(Instant::now() + NAME_PATIENCE);
            // If the one who has the name is gone, this is how that is noticed.
            let at = At {
                read: holder.1,
                offset: self.groups[name].below(),
            };
            desk.callers.say(&holder.0, &Command::Noted(at))?;
            self.later.push(Later { until, ..later });
            return Ok(());
        }
        match self.try_begin(peer, read, (asked, topics), desk) {
            Ok(()) => {
                for done in &later.done {
                    self.done(peer, done, desk);
                }
                Ok(())
            }
            Err(_) => {
                self.later.push(later);
                Ok(())
            }
        }
    }

    /// Whether the name of a read is another client's, in a line. One that nobody owns, because it
    /// was there before clients had keys, is whose it is first.
    fn is_anothers(
        &self,
        peer: &Peer,
        read: &Read,
        desk: &Desk,
    ) -> Result<Option<String>, JournalError> {
        let (Some(name), Some(client)) = (&read.name, desk.client(peer)) else {
            return Ok(None);
        };
        let owner = match self.groups.get(name) {
            Some(group) => group.owner.clone(),
            None => self.noted_as(name, desk)?.and_then(|noted| noted.owner),
        };
        Ok(owner.filter(|owner| *owner != client.name).map(|_| {
            format!(
                "the durable subscription {name:?} is not {}'s; take another name",
                client.name
            )
        }))
    }

    /// As the journal has a durable subscription.
    fn noted_as(&self, name: &str, desk: &Desk) -> Result<Option<Consumer>, JournalError> {
        match self.forgotten.contains(name) {
            true => Ok(None),
            false => desk.journal.consumer(name),
        }
    }

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

    /// Who has a name that is not shared.
    fn holder(&self, name: &str, read: &Read) -> Option<Seat> {
        let group = self.groups.get(name)?;
        let holder = group.seats.first()?;
        (!group.share || !read.share).then(|| holder.clone())
    }

    fn try_begin(
        &mut self,
        peer: &Peer,
        read: &Read,
        (asked, topics): (Vec<TopicFilter>, Vec<TopicFilter>),
        desk: &mut Desk,
    ) -> Result<(), JournalError> {
        let seat = (peer.clone(), read.read);
        let (at, since) = begin_at(read, &topics, desk.journal)?;
        let place = match &read.name {
            None => Place::Own { at, since },
            Some(name) => {
                self.sit(name, (at, since), &seat, (read, &topics), desk)?;
                Place::Shared(name.clone())
            }
        };
        let (until, until_time) = end_at(read, desk.journal)?;
        let reading = Reading {
            place,
            asked,
            topics,
            level: read.level.map(Level),
            until,
            until_time,
            follow: read.follow,
            credit: read.credit as usize,
            is_live: false,
            is_over: false,
        };
        self.reads.insert(seat, reading);
        Ok(())
    }

    fn sit(
        &mut self,
        name: &str,
        (at, since): (u64, u64),
        seat: &Seat,
        (read, topics): (&Read, &[TopicFilter]),
        desk: &mut Desk,
    ) -> Result<(), JournalError> {
        if !self.groups.contains_key(name) {
            let group = match self.noted_as(name, desk)? {
                Some(noted) => Group::resume(&noted),
                None => Group::begin(at, since),
            };
            self.forgotten.remove(name);
            self.groups.insert(name.to_owned(), group);
        }
        if let Some(group) = self.groups.get_mut(name) {
            group.share = read.share;
            group.topics = topics.iter().map(ToString::to_string).collect();
            if let Some(client) = desk.client(&seat.0) {
                group.owner = Some(client.name);
            }
            group.seats.push(seat.clone());
            desk.intake.note(name, group.note(process::now()));
        }
        Ok(())
    }

    /// Begins what could not begin before.
    pub(super) fn try_later(&mut self, desk: &mut Desk) -> Result<(), Error> {
        for later in std::mem::take(&mut self.later) {
            if later.until > Instant::now() {
                self.begin(later, desk)?;
            } else {
                let why =
                    "another reader has this name; take another one, or let all of them share it";
                refuse(desk, &later.peer, &later.read, "name", why)?;
            }
        }
        Ok(())
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
            later.done.truncate(MAX_DONE);
            later.done.push(done.clone());
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
            self.forgotten.insert(name.to_owned());
        }
        !is_read
    }

    /// Tells the seats of a subscription that it was noted.
    pub(super) fn noted(&self, name: &str, below: u64, callers: &mut Callers) -> Result<(), Error> {
        let group = self.groups.get(name);
        for (peer, read) in group.iter().flat_map(|group| &group.seats) {
            let at = At {
                read: *read,
                offset: below,
            };
            callers.say(peer, &Command::Noted(at))?;
        }
        Ok(())
    }

    /// Says to every seat what it knows: a peer that is gone is noticed by that.
    pub(super) fn probe(&self, callers: &mut Callers) -> Result<(), Error> {
        for (name, group) in &self.groups {
            self.noted(name, group.below(), callers)?;
        }
        Ok(())
    }

    /// Sends what there is for those who have credit. Says whether there is more to do at once.
    pub(super) fn serve(&mut self, desk: &mut Desk) -> Result<bool, Error> {
        let mut is_more = false;
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

fn refuse(desk: &mut Desk, peer: &Peer, read: &Read, code: &str, why: &str) -> Result<(), Error> {
    let refused = Refused {
        code: code.to_owned(),
        reason: why.to_owned(),
        read: read.read,
        ..Refused::default()
    };
    desk.callers.say(peer, &Command::Refused(refused))
}

/// Where a read begins, and since when it is told of what is deleted: who begins with what there is
/// has not missed what was deleted before.
fn begin_at(
    read: &Read,
    topics: &[TopicFilter],
    journal: &Journal,
) -> Result<(u64, u64), JournalError> {
    let (tail, now) = (journal.tail(), process::now());
    let wanted = Wanted {
        topics: topics.to_vec(),
        ..Wanted::default()
    };
    Ok(match read.from {
        From::Now => (tail, now),
        From::Begin => (journal.oldest()?, now),
        From::Offset(offset) => (offset.min(tail), 0),
        From::Time(time) => (journal.at_time(time)?, now),
        From::Last(records) => (journal.at_last(records, &wanted)?, now),
    })
}

/// Before which entry a read ends, and at which time.
fn end_at(read: &Read, journal: &Journal) -> Result<(u64, Option<u64>), JournalError> {
    let most = if read.follow {
        u64::MAX
    } else {
        journal.tail()
    };
    Ok(match read.until {
        None => (most, None),
        Some(Until::Offset(offset)) => (most.min(offset), None),
        Some(Until::Time(time)) if time <= process::now() => {
            (most.min(journal.at_time(time)?), Some(time))
        }
        Some(Until::Time(time)) => (most, Some(time)),
    })
}
