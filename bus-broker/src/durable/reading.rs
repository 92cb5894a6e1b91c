//! Reads: who wants which part of the journal, and what each is sent.
//!
//! A plain read has a place of its own in the journal. A read with a name is a seat of a durable
//! subscription (`share.rs`), which has the place. Nobody is sent more than it gave credit for, and
//! an entry that does not go now goes later: nothing is dropped, however slow a reader is.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use logbus_process as process;
use logbus_schemas::wire::durable::{At, Command, Done, From, Gone, Read, Refused, Until};
use logbus_schemas::{Level, TopicFilter};
use logbus_transport::{Error, Peer};

use super::callers::Callers;
use super::share::Group;
use crate::journal::{Cause, Entry, Gap, Intake, Item, Journal, JournalError, Wanted};

/// Entries that one read is sent before the others have their turn.
const TURN: usize = 64;
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
}

/// What a read needs besides itself.
pub(super) struct Desk<'a> {
    pub(super) callers: &'a mut Callers,
    pub(super) journal: &'a Journal,
    pub(super) intake: &'a Intake,
}

impl Readers {
    /// Begins a read, or says why not.
    pub(super) fn open(&mut self, peer: &Peer, read: Read, desk: &mut Desk) -> Result<(), Error> {
        self.stop(peer, read.read);
        let topics: Result<Vec<TopicFilter>, _> = read
            .topics
            .iter()
            .map(|text| TopicFilter::parse(text))
            .collect();
        let topics = match topics {
            Ok(topics) => topics,
            Err(error) => return refuse(desk, peer, &read, "form", &error.to_string()),
        };
        let is_name = |name: &String| !name.is_empty() && name.len() <= 100;
        if !read
            .name
            .iter()
            .all(|name| is_name(name) && !name.chars().any(char::is_control))
        {
            let why = "a name has 1 to 100 bytes, and no control characters";
            return refuse(desk, peer, &read, "name", why);
        }
        let until = Instant::now() + DISK_PATIENCE;
        self.begin(
            Later {
                peer: peer.clone(),
                read,
                done: Vec::new(),
                until,
            },
            topics,
            desk,
        )
    }

    fn begin(
        &mut self,
        later: Later,
        topics: Vec<TopicFilter>,
        desk: &mut Desk,
    ) -> Result<(), Error> {
        let (peer, read) = (&later.peer, &later.read);
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
        match self.try_begin(peer, read, topics, desk) {
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
        topics: Vec<TopicFilter>,
        desk: &mut Desk,
    ) -> Result<(), JournalError> {
        let seat = (peer.clone(), read.read);
        let (at, since) = begin_at(read, &topics, desk.journal)?;
        let place = match &read.name {
            None => Place::Own { at, since },
            Some(name) => {
                self.sit(name, (at, since), &seat, read, desk)?;
                Place::Shared(name.clone())
            }
        };
        let (until, until_time) = end_at(read, desk.journal)?;
        let reading = Reading {
            place,
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
        read: &Read,
        desk: &mut Desk,
    ) -> Result<(), JournalError> {
        if !self.groups.contains_key(name) {
            let group = match desk.journal.consumer(name)? {
                Some(noted) => Group::resume(&noted),
                None => Group::begin(at, since),
            };
            self.groups.insert(name.to_owned(), group);
        }
        if let Some(group) = self.groups.get_mut(name) {
            group.share = read.share;
            group.topics = read.topics.clone();
            group.seats.push(seat.clone());
            desk.intake.note(name, group.note(process::now()));
        }
        Ok(())
    }

    /// Begins what could not begin before.
    pub(super) fn try_later(&mut self, desk: &mut Desk) -> Result<(), Error> {
        for later in std::mem::take(&mut self.later) {
            if later.until > Instant::now() {
                let topics = later
                    .read
                    .topics
                    .iter()
                    .filter_map(|t| TopicFilter::parse(t).ok());
                let topics = topics.collect();
                self.begin(later, topics, desk)?;
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

/// Says once that a read has everything, or that it is over.
fn announce(seat: &Seat, reading: &mut Reading, at: u64, desk: &mut Desk) -> Result<(), Error> {
    let said = At {
        read: seat.1,
        offset: at,
    };
    let is_late = reading
        .until_time
        .is_some_and(|time| time <= process::now());
    if !reading.is_over && (at >= reading.until || (is_late && at >= desk.journal.tail())) {
        reading.is_over = true;
        desk.callers.say(&seat.0, &Command::End(said))?;
    } else if reading.follow && !reading.is_live && !reading.is_over && at >= desk.journal.tail() {
        reading.is_live = true;
        desk.callers.say(&seat.0, &Command::Live(said))?;
    }
    Ok(())
}

fn serve_own(seat: &Seat, reading: &mut Reading, desk: &mut Desk) -> Result<bool, Error> {
    let until = reading.until.min(desk.journal.tail());
    let Place::Own { at, since } = reading.place else {
        return Ok(false);
    };
    let can_take = reading.credit > 0 && !reading.is_over && desk.callers.is_ready(&seat.0);
    if at >= until || !can_take {
        return Ok(false);
    }
    let wanted = Wanted {
        topics: reading.topics.clone(),
        until,
        since,
        most: reading.credit.min(TURN),
    };
    // A journal that is closed just now is asked again later.
    let Ok(chunk) = desk.journal.read(at, &wanted) else {
        return Ok(false);
    };
    for item in chunk.items {
        match item {
            Item::Gone(gap) => say_gone(seat, gap, desk)?,
            Item::Entry(entry) if reading.until_time.is_some_and(|t| entry.received >= t) => {
                reading.until = entry.offset;
                break;
            }
            Item::Entry(entry) => {
                reading.credit -= 1;
                send(seat, &entry, false, reading.level, desk)?;
            }
        }
    }
    let next = chunk.next.min(reading.until);
    reading.place = Place::Own { at: next, since };
    Ok(next < until && reading.credit > 0)
}

fn serve_group(
    name: &str,
    group: &mut Group<Seat>,
    reads: &mut BTreeMap<Seat, Reading>,
    desk: &mut Desk,
) -> Result<bool, Error> {
    let credit = |reads: &BTreeMap<Seat, Reading>, callers: &Callers, seat: &Seat| {
        let reading = reads.get(seat).filter(|reading| !reading.is_over);
        let credit = reading.map_or(0, |reading| reading.credit);
        if callers.is_ready(&seat.0) { credit } else { 0 }
    };
    let all: usize = group
        .seats
        .iter()
        .map(|seat| credit(reads, desk.callers, seat))
        .sum();
    let can_take = |seat: &&Seat| credit(reads, desk.callers, seat) > 0;
    let Some(some) = group.seats.iter().find(can_take).cloned() else {
        return Ok(false);
    };
    if group.missed.0 > 0 {
        let (records, to) = std::mem::take(&mut group.missed);
        let gap = Gap {
            from: group.below(),
            to,
            records,
            cause: Cause::Retention,
        };
        say_gone(&some, gap, desk)?;
    }
    let Some((items, next)) = next_items(group, reads.get(&some), all.min(TURN), desk) else {
        return Ok(false);
    };
    if group.must_reserve(next) {
        desk.intake.note(name, group.note(process::now()));
    }
    let mut told = some;
    for item in items {
        match item {
            Item::Gone(gap) => say_gone(&told, gap, desk)?,
            Item::Entry(entry) if group.cursor <= entry.offset && group.is_done(entry.offset) => {}
            Item::Entry(entry) => {
                // Entries were asked for as far as credit goes, but a caller may have become busy.
                let with_credit = |seat: &&Seat| reads.get(seat).is_some_and(|r| r.credit > 0);
                let ready = |seat: &&Seat| with_credit(seat) && desk.callers.is_ready(&seat.0);
                let seat = group.seats.iter().find(ready);
                let Some(seat) = seat
                    .or_else(|| group.seats.iter().find(with_credit))
                    .cloned()
                else {
                    break;
                };
                let again = group.hand(entry.offset, &seat);
                if let Some(reading) = reads.get_mut(&seat) {
                    reading.credit -= 1;
                    send(&seat, &entry, again, reading.level, desk)?;
                }
                // In turn.
                group.seats.retain(|other| *other != seat);
                group.seats.push(seat.clone());
                told = seat;
            }
        }
    }
    group.cursor = group.cursor.max(next);
    Ok(group.first_again().is_some() || group.cursor < desk.journal.tail())
}

/// What a subscription's next work is: an entry that somebody left, or the next new ones; and up to
/// where that is all.
fn next_items(
    group: &mut Group<Seat>,
    reading: Option<&Reading>,
    most: usize,
    desk: &Desk,
) -> Option<(Vec<Item>, u64)> {
    let reading = reading?;
    if let Some(offset) = group.first_again() {
        let wanted = Wanted {
            until: offset + 1,
            most: 1,
            ..Wanted::default()
        };
        let chunk = desk.journal.read(offset, &wanted).ok()?;
        if !matches!(chunk.items.first(), Some(Item::Entry(_))) {
            group.skip(offset);
        }
        return Some((chunk.items, group.cursor));
    }
    let (at, since) = (group.cursor, group.since);
    let until = reading.until.min(desk.journal.tail());
    if at >= until {
        return None;
    }
    let wanted = Wanted {
        topics: reading.topics.clone(),
        until,
        since,
        most,
    };
    let chunk = desk.journal.read(at, &wanted).ok()?;
    Some((chunk.items, chunk.next))
}

fn say_gone(seat: &Seat, gap: Gap, desk: &mut Desk) -> Result<(), Error> {
    let reason = match gap.cause {
        Cause::Retention => "retention",
        Cause::Damage => "damage",
    };
    let gone = Gone {
        read: seat.1,
        from: gap.from,
        to: gap.to,
        records: gap.records,
        reason: reason.to_owned(),
    };
    desk.callers.say(&seat.0, &Command::Gone(gone))
}

fn send(
    seat: &Seat,
    entry: &Entry,
    again: bool,
    level: Option<Level>,
    desk: &mut Desk,
) -> Result<(), Error> {
    let command = Command::Entry(logbus_schemas::wire::durable::Entry {
        read: seat.1,
        offset: entry.offset,
        received: entry.received,
        again,
    });
    let payload = if level.is_some_and(|level| !has_level(entry, level)) {
        &[]
    } else {
        entry.payload()
    };
    let topic = entry.topic.as_str().as_bytes();
    desk.callers
        .say_with(&seat.0, &command, [topic, entry.raw_header(), payload])
}

/// Whether any record is of this level or above. What cannot be read is the reader's to judge, and
/// a heartbeat has no records.
fn has_level(entry: &Entry, level: Level) -> bool {
    let mut records = entry.header.codec.decode_all(entry.payload());
    entry.header.flags.is_heartbeat()
        || records.any(|record| {
            record.map_or(true, |record| {
                record.level().unwrap_or(Level::NOTSET) >= level
            })
        })
}
