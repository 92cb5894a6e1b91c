//! What was published and not acknowledged, on disk.
//!
//! A [`Spool`] is one publisher's: a folder with a lock that says that its owner lives, and segments
//! to which entries are appended (`format.rs`). [`Spool::append`] collects, [`Spool::commit`] writes
//! what was collected at once; from then on it outlives the process, and, as [`Fsync`] says, the
//! machine. What was acknowledged is noted in the same way, and a segment is removed when everything
//! in it and before it is done. [`Spool::next`] gives back what the caller had no room for, in order.
//!
//! A spool whose owner is dead is taken over by [`Spool::adopt`]: its messages keep their sender and
//! their numbers, and what was noted as done is not given again. Nothing here sends anything.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use logbus_process::crash_point;
use logbus_schemas::Topic;
use logbus_schemas::wire::Header;

mod folder;
mod format;
mod own;
mod reader;
mod done;
mod backlog;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;

pub(crate) use folder::{Name, file_name, spools};

use done::Done;
use folder::Held;
use format::{Entry, Key};
use reader::Reader;

/// How long written entries may wait to be synced with [`Fsync::Interval`].
pub(crate) const SYNC_EVERY: Duration = Duration::from_millis(50);
/// A segment of a large spool has about this many bytes.
const SEGMENT: u64 = 8 << 20;
/// A spool has about this many segments, unless they would be larger.
const SEGMENTS: u64 = 16;

/// When what a spool has written is synced to the disk. Written entries outlive the process in any
/// case; synced ones outlive a crash of the machine, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fsync {
    /// At once, before it is sent.
    Always,
    /// Within 50 ms.
    #[default]
    Interval,
    /// When the system does it by itself.
    Never,
}

/// A message that is in a spool.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) topic: Topic,
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
    pub(crate) segment: u32,
}

/// A publisher's spool; see the head of this file.
pub(crate) struct Spool {
    held: Held,
    limit: u64,
    fsync: Fsync,
    /// The oldest first; the last one is written to while there is a writer.
    segments: VecDeque<Segment>,
    writer: Option<File>,
    next_segment: u32,
    /// Entries that were appended and not written yet; all of one segment.
    pending: Vec<u8>,
    /// Messages among them, and how many of those are unread.
    pending_messages: (u64, u64),
    /// Bytes on disk.
    bytes: u64,
    unsynced_since: Option<Instant>,
    /// Where [`Spool::next`] goes on.
    cursor: (u32, u64),
    reader: Option<Reader>,
    /// Messages that `next` has not given yet.
    unread: u64,
    /// What an earlier owner had noted as done.
    done: Done,
    /// Records of an earlier owner that were not done when it was adopted.
    pub(crate) adopted_records: u64,
    /// Stretches of damage in what an earlier owner wrote.
    pub(crate) damages: u64,
}

#[derive(Debug)]
struct Segment {
    number: u32,
    bytes: u64,
    /// Messages in it that are not done.
    undone: u64,
}

impl Spool {
    /// A new spool of this process's.
    pub(crate) fn create(dir: &Path, name: &Name, limit: u64, fsync: Fsync) -> io::Result<Self> {
        Ok(Self::of(Held::create(dir, name)?, limit, fsync))
    }

    /// The spool of somebody who is dead; `None` where somebody has it.
    pub(crate) fn adopt(dir: &Path, name: &Name, fsync: Fsync) -> io::Result<Option<Self>> {
        let Some(held) = Held::take(dir, name)? else {
            return Ok(None);
        };
        let mut spool = Self::of(held, u64::MAX, fsync);
        spool.survey()?;
        crash_point("spool", "adopt");
        Ok(Some(spool))
    }

    fn of(held: Held, limit: u64, fsync: Fsync) -> Self {
        Self {
            held,
            limit,
            fsync,
            segments: VecDeque::new(),
            writer: None,
            next_segment: 1,
            pending: Vec::new(),
            pending_messages: (0, 0),
            bytes: 0,
            unsynced_since: None,
            cursor: (1, 0),
            reader: None,
            unread: 0,
            done: Done::default(),
            adopted_records: 0,
            damages: 0,
        }
    }

    /// Who it is, among the spools of this process.
    pub(crate) fn id(&self) -> u64 {
        self.held.id
    }

    pub(crate) fn path(&self) -> &Path {
        &self.held.path
    }

    // ---- Writing.

    /// Bytes that it has room for.
    pub(crate) fn room(&self) -> u64 {
        self.limit
            .saturating_sub(self.bytes + self.pending.len() as u64)
    }

    /// Appends a message; says in which segment it stands. `is_held` says that the caller keeps it,
    /// which it may only where nothing older is left for [`Spool::next`].
    pub(crate) fn append(
        &mut self,
        topic: &Topic,
        header: &Header,
        payload: &[u8],
        is_held: bool,
    ) -> io::Result<u32> {
        let entry = Entry::Message {
            topic: topic.clone(),
            header: *header,
            payload,
        };
        let number = self.write_entry(&entry)?;
        if let Some(segment) = self.segments.back_mut() {
            segment.undone += 1;
        }
        self.pending_messages.0 += 1;
        if is_held {
            self.reader = None;
            self.cursor = (number, self.end());
        } else {
            self.unread += 1;
            self.pending_messages.1 += 1;
        }
        Ok(number)
    }

    /// Notes that all of it below `next` is done.
    pub(crate) fn note_acked(&mut self, sender: u64, topic: &Topic, next: u64) -> io::Result<()> {
        let topic = topic.clone();
        self.write_entry(&Entry::Acked {
            sender,
            next,
            topic,
        })
        .map(drop)
    }

    /// Notes that this message was refused. Of a heartbeat there is no note: it has the number of the
    /// records behind it, and would be refused once more.
    pub(crate) fn note_refused(&mut self, header: &Header, topic: &Topic) -> io::Result<()> {
        if header.count == 0 {
            return Ok(());
        }
        let (sender, sequence, topic) = (header.sender.0, header.sequence, topic.clone());
        self.write_entry(&Entry::Refused {
            sender,
            sequence,
            topic,
        })
        .map(drop)
    }

    fn write_entry(&mut self, entry: &Entry<'_>) -> io::Result<u32> {
        let is_full = self.end() >= SEGMENT.min(self.limit / SEGMENTS);
        // What is written at once goes to one segment, so that it is there or is not.
        if self.writer.is_none() || (is_full && self.pending.is_empty()) {
            self.begin_segment()?;
        }
        let number = self.next_segment - 1;
        let (key, place) = (self.key(number), self.end());
        format::write(&mut self.pending, key, place, entry);
        Ok(number)
    }

    /// Writes what was appended, and syncs it where that is to be done at once. When either fails,
    /// none of it is in the spool.
    pub(crate) fn commit(&mut self) -> io::Result<()> {
        let begin = self.segments.back().map_or(0, |segment| segment.bytes);
        let messages = self.pending_messages;
        self.write()?;
        let is_due = self.fsync == Fsync::Always && self.unsynced_since.is_some();
        match if is_due { self.sync() } else { Ok(()) } {
            Err(error) => {
                self.take_back(begin, messages);
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Writes what was appended. That is enough for notes: one that is lost has a message sent again.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        let (Some(writer), Some(segment)) = (&mut self.writer, self.segments.back_mut()) else {
            return Ok(());
        };
        if self.pending.is_empty() {
            return Ok(());
        }
        let messages = std::mem::take(&mut self.pending_messages);
        let pending = std::mem::take(&mut self.pending);
        crash_point("spool", "write");
        if let Err(error) = writer.write_all(&pending) {
            let begin = segment.bytes;
            self.take_back(begin, messages);
            return Err(error);
        }
        segment.bytes += pending.len() as u64;
        self.bytes += pending.len() as u64;
        self.unsynced_since.get_or_insert_with(Instant::now);
        crash_point("spool", "write");
        Ok(())
    }

    /// Has what stands behind `begin` in the last segment out of the spool. All or a part of it may
    /// be there, and stay when the disk does not shorten the file either: what follows goes to
    /// another segment.
    fn take_back(&mut self, begin: u64, messages: (u64, u64)) {
        if let Some(writer) = self.writer.take() {
            drop(writer.set_len(begin));
            // What stands before it may not be synced yet, and nobody does that without a writer. That
            // this disk fails is known by now.
            if self.fsync != Fsync::Never {
                drop(writer.sync_data());
            }
        }
        if let Some(segment) = self.segments.back_mut() {
            self.bytes -= segment.bytes - begin;
            segment.bytes = begin;
            segment.undone -= messages.0;
        }
        self.unread -= messages.1;
    }

    /// When it must be synced next.
    pub(crate) fn sync_by(&self) -> Option<Instant> {
        let since = self.unsynced_since?;
        (self.fsync != Fsync::Never).then(|| since + SYNC_EVERY)
    }

    /// Syncs what was written, when it is time.
    pub(crate) fn sync_if_due(&mut self) -> io::Result<()> {
        match self.sync_by() {
            Some(by) if by <= Instant::now() => self.sync(),
            _ => Ok(()),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.unsynced_since = None;
        crash_point("spool", "sync");
        match &self.writer {
            Some(writer) if self.fsync != Fsync::Never => writer.sync_data(),
            _ => Ok(()),
        }
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        self.sync()?;
        let number = self.next_segment;
        let file = new_file(&self.held.segment(number), || self.sync_folders(number))?;
        self.next_segment += 1;
        self.writer = Some(file);
        self.segments.push_back(Segment {
            number,
            bytes: 0,
            undone: 0,
        });
        Ok(())
    }

    /// Has a segment's name outlive the machine and, with the first, the spool's.
    fn sync_folders(&self, number: u32) -> io::Result<()> {
        crash_point("spool", "segment");
        if self.fsync == Fsync::Never {
            return Ok(());
        }
        sync_folder(&self.held.path)?;
        match self.held.path.parent() {
            Some(above) if number == 1 => sync_folder(above),
            _ => Ok(()),
        }
    }

    /// Where in the last segment the next entry will stand.
    fn end(&self) -> u64 {
        let written = self.segments.back().map_or(0, |segment| segment.bytes);
        written + self.pending.len() as u64
    }

    fn key(&self, segment: u32) -> Key {
        Key {
            spool: self.held.id,
            segment,
        }
    }

    // ---- Being done.

    /// Says that a message of this segment is done.
    pub(crate) fn settle(&mut self, segment: u32) {
        let found = self.segments.iter_mut().find(|one| one.number == segment);
        if let Some(segment) = found {
            segment.undone = segment.undone.saturating_sub(1);
        }
    }

    /// Removes the segments that are done.
    pub(crate) fn trim(&mut self) -> io::Result<()> {
        let is_worth_it = self.bytes >= SEGMENT.min(self.limit / SEGMENTS) / 2;
        if is_worth_it && self.is_done() && self.pending.is_empty() {
            self.writer = None;
            self.unsynced_since = None;
        }
        while let Some(first) = self.segments.front()
            && first.undone == 0
            && (self.segments.len() > 1 || self.writer.is_none())
        {
            let (number, bytes) = (first.number, first.bytes);
            match fs::remove_file(self.held.segment(number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            crash_point("spool", "trim");
            self.bytes -= bytes;
            self.segments.pop_front();
            if self.cursor.0 <= number {
                self.cursor = (number + 1, 0);
                self.reader = None;
            }
        }
        Ok(())
    }

    /// Whether nothing in it is left to do.
    pub(crate) fn is_done(&self) -> bool {
        self.unread == 0 && self.segments.iter().all(|segment| segment.undone == 0)
    }

    /// Removes it with all that is in it.
    pub(crate) fn remove(self) -> io::Result<()> {
        self.held.remove()
    }

    /// Leaves it to whoever comes, synced as far as that is wanted.
    pub(crate) fn leave(mut self) -> io::Result<()> {
        self.write()?;
        self.sync()
    }
}

/// Makes a file that can be appended to, and then does what belongs to that. Where it fails there is no
/// file either, so that it can be tried again.
fn new_file(path: &Path, then: impl FnOnce() -> io::Result<()>) -> io::Result<File> {
    let mut open = File::options();
    let file = open.append(true).create_new(true).open(path)?;
    match then() {
        Ok(()) => Ok(file),
        Err(error) => {
            // One that stays is in the way of every later attempt; there is no more to be done.
            drop(fs::remove_file(path));
            Err(error)
        }
    }
}

/// Has what a folder names outlive the machine.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests;
