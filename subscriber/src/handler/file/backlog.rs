//! What waits to be written to a file: the texts of records and notices, in order.
//!
//! An entry is let go only when all of it is in the file, so one whose first part was written
//! when the disk filled up is finished later, or written whole to another file. The backlog is
//! bounded. It knows nothing of files beyond [`Write`].

use std::collections::VecDeque;
use std::io::{self, Write};

/// The queue; see the head of this file.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    bytes: Vec<u8>,
    entries: VecDeque<Entry>,
    /// Bytes of the first entry that are in the file already.
    begun: usize,
}

#[derive(Debug)]
struct Entry {
    length: usize,
    is_record: bool,
}

impl Backlog {
    /// Bytes that wait.
    pub(super) fn len_bytes(&self) -> usize {
        self.bytes.len() - self.begun
    }

    /// Adds a text and a line feed, unless that makes it more than `limit` bytes. Where nothing
    /// waits, a text of any size is taken.
    pub(super) fn push(&mut self, text: &[u8], is_record: bool, limit: usize) -> bool {
        let length = text.len() + 1;
        if !self.entries.is_empty() && self.bytes.len() + length > limit {
            return false;
        }
        self.bytes.extend_from_slice(text);
        self.bytes.push(b'\n');
        self.entries.push_back(Entry { length, is_record });
        true
    }

    /// Writes what waits. After an error the rest still waits.
    pub(super) fn write_to(&mut self, file: &mut impl Write) -> io::Result<()> {
        let mut end = self.begun;
        let result = loop {
            if end == self.bytes.len() {
                break Ok(());
            }
            match file.write(&self.bytes[end..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => end += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.let_go(end);
        result
    }

    /// From now on this is for another file: the first entry must be written whole.
    pub(super) fn begin_anew(&mut self) {
        self.begun = 0;
    }

    /// Throws everything away; says how many records that were.
    pub(super) fn abandon(&mut self) -> u64 {
        let Backlog { entries, .. } = std::mem::take(self);
        entries.iter().filter(|entry| entry.is_record).count() as u64
    }

    /// The file has the first `end` bytes.
    fn let_go(&mut self, end: usize) {
        let mut whole = 0;
        while let Some(first) = self.entries.front()
            && whole + first.length <= end
        {
            whole += first.length;
            self.entries.pop_front();
        }
        self.bytes.drain(..whole);
        self.begun = end - whole;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A disk that takes so many more bytes and then is full.
    struct Disk {
        room: usize,
        holds: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            // At most three bytes at once, as a disk may.
            let taken = bytes.len().min(self.room).min(3);
            self.room -= taken;
            self.holds.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn a_disk_that_fills_up_again_and_again_gets_every_line_whole(
            texts in proptest::collection::vec("[a-z]{0,9}", 0..20),
            rooms in proptest::collection::vec(0..12usize, 0..40),
        ) {
            let mut backlog = Backlog::default();
            let mut disk = Disk { room: 0, holds: Vec::new() };
            let mut rooms = rooms.into_iter();
            for text in &texts {
                prop_assert!(backlog.push(text.as_bytes(), true, 1 << 20));
                disk.room = rooms.next().unwrap_or(0);
                let is_done = backlog.write_to(&mut disk).is_ok();
                prop_assert_eq!(is_done, backlog.len_bytes() == 0);
            }
            disk.room = usize::MAX;
            backlog.write_to(&mut disk).unwrap();
            let expected: String = texts.iter().map(|text| format!("{text}\n")).collect();
            prop_assert_eq!(String::from_utf8(disk.holds).unwrap(), expected);
            prop_assert_eq!(backlog.abandon(), 0);
        }
    }

    #[test]
    fn a_line_that_was_half_written_is_whole_in_the_next_file() {
        let (mut backlog, mut next) = (Backlog::default(), Vec::new());
        for text in ["one", "two"] {
            assert!(backlog.push(text.as_bytes(), true, 100));
        }
        let mut full = Disk {
            room: 6,
            holds: Vec::new(),
        };
        assert!(backlog.write_to(&mut full).is_err());
        assert_eq!(
            (full.holds.as_slice(), backlog.len_bytes()),
            (&b"one\ntw"[..], 2)
        );
        backlog.begin_anew();
        backlog.write_to(&mut next).unwrap();
        assert_eq!(next, b"two\n");
    }

    #[test]
    fn what_is_thrown_away_is_counted_and_one_text_always_has_room() {
        let mut backlog = Backlog::default();
        assert!(backlog.push(b"longer than the limit", true, 5));
        assert!(!backlog.push(b"x", true, 5));
        assert!(backlog.push(b"a notice", false, 100));
        assert_eq!(backlog.abandon(), 1);
        assert_eq!(backlog.len_bytes(), 0);
    }
}
