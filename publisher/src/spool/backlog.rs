//! What a spool holds and its owner does not: given back in order, after an outage or by an heir.

use std::fs;
use std::io;

use super::done::Waiting;
use super::format::{Entry, Key};
use super::reader::Reader;
use super::{Segment, Spool, Stored};

impl Spool {
    /// Messages that [`Spool::next`] has still to give.
    pub(crate) fn unread(&self) -> u64 {
        self.unread
    }

    /// The next message that is not done and that the caller was not left with.
    pub(crate) fn next(&mut self) -> io::Result<Option<Stored>> {
        while self.unread > 0 {
            match self.read_message()? {
                Some(stored) if self.done.has(&stored.topic, &stored.header) => {
                    self.unread -= 1;
                    self.settle(stored.segment);
                }
                Some(stored) => {
                    self.unread -= 1;
                    return Ok(Some(stored));
                }
                None if self.go_on() => {}
                None => self.unread = 0,
            }
        }
        Ok(None)
    }

    fn read_message(&mut self) -> io::Result<Option<Stored>> {
        let (number, place) = self.cursor;
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => {
                let key = Key {
                    spool: self.held.id,
                    segment: number,
                };
                let reader = Reader::open(&self.held.segment(number), key, place);
                match reader {
                    Ok(reader) => self.reader.insert(reader),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(error),
                }
            }
        };
        let mut found = None;
        while found.is_none() {
            let took = reader.next(|entry| stored(entry, number))?;
            match took {
                Some(message) => found = message,
                None => break,
            }
        }
        self.cursor = (number, reader.place());
        Ok(found)
    }

    /// Goes to the next segment; `false` at the last one.
    fn go_on(&mut self) -> bool {
        let at = self.cursor.0;
        let next = self.segments.iter().find(|segment| segment.number > at);
        let Some(next) = next else { return false };
        self.cursor = (next.number, 0);
        self.reader = None;
        true
    }

    /// Looks through an earlier owner's segments: how much there is, and what of it is done.
    pub(super) fn survey(&mut self) -> io::Result<()> {
        let mut waiting = Waiting::new();
        for number in self.held.segments()? {
            let path = self.held.segment(number);
            let mut segment = Segment {
                number,
                bytes: fs::metadata(&path)?.len(),
                undone: 0,
            };
            let mut reader = Reader::open(&path, self.key(number), 0)?;
            let done = &mut self.done;
            let mut look = |entry: Entry<'_>| {
                if let Entry::Message { topic, header, .. } = entry {
                    segment.undone += 1;
                    let key = (header.sender.0, topic);
                    let numbers = waiting.entry(key).or_default();
                    numbers.push_back((header.sequence, header.count));
                } else {
                    done.note(entry);
                }
            };
            while reader.next(&mut look)?.is_some() {}
            self.damages += reader.damages;
            self.unread += segment.undone;
            self.bytes += segment.bytes;
            self.next_segment = number + 1;
            self.segments.push_back(segment);
        }
        self.adopted_records = self.done.count_undone(&waiting);
        self.cursor = (self.segments.front().map_or(1, |first| first.number), 0);
        Ok(())
    }
}

fn stored(entry: Entry<'_>, segment: u32) -> Option<Stored> {
    match entry {
        Entry::Message {
            topic,
            header,
            payload,
        } => Some(Stored {
            topic,
            header,
            payload: payload.to_vec(),
            segment,
        }),
        Entry::Acked { .. } | Entry::Refused { .. } => None,
    }
}
