//! Beginning a read: whether what is asked for can be had, and where in the journal that is.
//!
//! A name that another reader has is waited for a little, since that one may be dead, and a journal
//! that is closed is waited for long. Credit and acknowledgements that come meanwhile are kept.

use std::time::{Duration, Instant};

use logbus_process as process;
use logbus_schemas::wire::durable::{Command, Done, From, Read, Refused, Until};
use logbus_schemas::{Level, TopicFilter};
use logbus_transport::{Error, Peer};

use super::{Desk, Later, Place, Readers, Reading, Seat};
use crate::durable::client::given;
use crate::durable::share::Group;
use crate::journal::{Consumer, Journal, JournalError, Wanted};

/// How long a reader waits for the name of another one, which may be dead.
const NAME_PATIENCE: Duration = Duration::from_secs(4);
/// And for a journal that is closed.
const DISK_PATIENCE: Duration = Duration::from_secs(3600);

impl Readers {
    /// Begins a read, or says why not.
    pub(in crate::durable) fn open(
        &mut self,
        peer: &Peer,
        read: Read,
        desk: &mut Desk,
    ) -> Result<(), Error> {
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
        if let Some(why) = self.is_too_much(peer, &read) {
            return refuse(desk, peer, &read, "full", &why);
        }
        let until = Instant::now() + DISK_PATIENCE;
        self.begin(
            Later {
                peer: peer.clone(),
                read,
                below: 0,
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
        match self.objection(peer, read, desk) {
            Ok(None) => {}
            Ok(Some((code, why))) => return refuse(desk, peer, read, code, &why),
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
            desk.callers.try_whether_there(&holder.0)?;
            self.later.push(Later { until, ..later });
            return Ok(());
        }
        match self.try_begin(peer, read, (asked, topics), desk) {
            Ok(()) => {
                if later.below > 0 {
                    let done = Done {
                        read: read.read,
                        below: later.below,
                        also: Vec::new(),
                    };
                    self.done(peer, &done, desk);
                }
                Ok(())
            }
            Err(_) => {
                self.later.push(later);
                Ok(())
            }
        }
    }

    /// Why a read may not have its name, with the code of that.
    fn objection(
        &mut self,
        peer: &Peer,
        read: &Read,
        desk: &Desk,
    ) -> Result<Option<(&'static str, String)>, JournalError> {
        let Some(name) = &read.name else {
            return Ok(None);
        };
        if let Some(why) = self.is_anothers(peer, name, desk)? {
            return Ok(Some(("right", why)));
        }
        let too_many = self.is_one_too_many(peer, name, desk)?;
        Ok(too_many.map(|why| ("full", why)))
    }

    /// Whether the name of a read is another client's, in a line. One that nobody owns, because it
    /// was there before clients had keys, is whose it is first.
    fn is_anothers(
        &self,
        peer: &Peer,
        name: &str,
        desk: &Desk,
    ) -> Result<Option<String>, JournalError> {
        let Some(client) = desk.client(peer) else {
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
            awaits: (!read.follow).then(|| desk.intake.offered()),
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
            let owner = group.owner.clone();
            desk.intake.note(name, group.note(process::now()));
            self.enter_name(name, owner);
        }
        Ok(())
    }

    /// Begins what could not begin before.
    pub(in crate::durable) fn try_later(&mut self, desk: &mut Desk) -> Result<(), Error> {
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
}

/// The topics that a read names.
fn asked(read: &Read) -> Result<Vec<TopicFilter>, String> {
    let topics = read.topics.iter().map(|text| TopicFilter::parse(text));
    let topics: Result<_, _> = topics.collect();
    topics.map_err(|error| error.to_string())
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

/// Before which entry a read ends at the latest, and at which time.
fn end_at(read: &Read, journal: &Journal) -> Result<(u64, Option<u64>), JournalError> {
    Ok(match read.until {
        None => (u64::MAX, None),
        Some(Until::Offset(offset)) => (offset, None),
        Some(Until::Time(time)) if time <= process::now() => (journal.at_time(time)?, Some(time)),
        Some(Until::Time(time)) => (u64::MAX, Some(time)),
    })
}
