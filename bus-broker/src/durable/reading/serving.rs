//! Sending readers what they asked for: as far as their credit goes, and a bounded number at a time.

use std::collections::BTreeMap;

use logbus_process as process;
use logbus_schemas::Level;
use logbus_schemas::wire::durable::{At, Command, Gone};
use logbus_transport::Error;

use super::{Desk, Place, Reading, Seat};
use crate::durable::callers::Callers;
use crate::durable::share::Group;
use crate::journal::{Cause, Entry, Gap, Item, Wanted};

/// Entries that one read is sent before the others have their turn.
const TURN: usize = 64;

/// Says once that a read has everything, or that it is over.
pub(super) fn announce(
    seat: &Seat,
    reading: &mut Reading,
    at: u64,
    desk: &mut Desk,
) -> Result<(), Error> {
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

pub(super) fn serve_own(
    seat: &Seat,
    reading: &mut Reading,
    desk: &mut Desk,
) -> Result<bool, Error> {
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

pub(super) fn serve_group(
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
    let missed = missed(name, group, desk);
    if let Some(gap) = missed {
        say_gone(&some, gap, desk)?;
    }
    let Some((items, next)) = next_items(group, reads.get(&some), all.min(TURN), desk) else {
        return Ok(false);
    };
    if group.must_reserve(next) || missed.is_some() {
        desk.intake.note(name, group.note(process::now()));
    }
    if !group.is_granted(next) {
        // That it was noted is told.
        return Ok(false);
    }
    desk.journal.reached(name, group.cursor.max(next));
    if count_lost(group, &items) {
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
                let again = group.hand(entry.offset, &seat, entry.header.count);
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

/// What was deleted before the subscription came to it, and is not even marked any more.
fn missed(name: &str, group: &mut Group<Seat>, desk: &Desk) -> Option<Gap> {
    if group.cursor < desk.journal.purged_to()
        && let Ok(Some(noted)) = desk.journal.consumer(name)
    {
        group.learn(&noted);
    }
    let (records, to) = group.take_missed()?;
    Some(Gap {
        from: group.below(),
        to,
        records,
        cause: Cause::Retention,
    })
}

/// Counts for the subscription, whoever of its readers is told, what was deleted too early for it.
/// Says whether that was anything.
fn count_lost(group: &mut Group<Seat>, items: &[Item]) -> bool {
    let mut is_any = false;
    for item in items {
        match item {
            Item::Gone(gap) if gap.cause != Cause::Retention => {}
            Item::Gone(gap) if gap.from < group.cursor => {
                group.lose_again(gap.records);
                is_any = true;
            }
            Item::Gone(gap) => is_any |= group.lose(gap.from, gap.to, gap.records),
            Item::Entry(_) => {}
        }
    }
    is_any
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
        // Where callers have keys, also what comes again is given by rights.
        let topics = match desk.rights {
            Some(_) => reading.topics.clone(),
            None => Vec::new(),
        };
        let wanted = Wanted {
            topics,
            until: offset + 1,
            most: 1,
            ..Wanted::default()
        };
        let mut items = desk.journal.read(offset, &wanted).ok()?.items;
        if !matches!(items.first(), Some(Item::Entry(_))) {
            let records = group.skip(offset);
            if items.is_empty() && offset < desk.journal.purged_to() {
                // It is not even marked any more, and was charged to nobody.
                items.push(Item::Gone(Gap {
                    from: offset,
                    to: offset + 1,
                    records,
                    cause: Cause::Retention,
                }));
            }
        }
        return Some((items, group.cursor));
    }
    let (at, since) = (group.cursor, group.since);
    let until = reading.until.min(desk.journal.tail());
    if at >= until || group.is_full() {
        return None;
    }
    let wanted = Wanted {
        topics: reading.topics.clone(),
        until: group.read_to(at, until),
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
    // Rights may have changed since it was looked up. Whose have is put out at the end of this turn,
    // and reads again what it may: nothing that it should have had is passed over.
    if !desk.may_read(&seat.0, entry.topic.as_str()) {
        desk.callers.put_out(&seat.0);
        return Ok(());
    }
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
