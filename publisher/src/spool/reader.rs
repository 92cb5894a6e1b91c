//! Reading a segment from a place on, entry by entry, a piece of the file at a time.
//!
//! Damage is stepped over and counted, each stretch of it once; what ends in the middle of an entry
//! is the tail of a process that was killed while it wrote, or of a machine that lost power.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::format::{self, Entry, Found, HEAD, Key};

/// Bytes that are read at once; a longer entry is read whole.
const PIECE: usize = 256 << 10;

/// A place in a segment.
pub(crate) struct Reader {
    file: File,
    key: Key,
    /// What was read and not yet given, and where in the file it begins.
    piece: Vec<u8>,
    at: usize,
    place: u64,
    is_in_damage: bool,
    /// Stretches of damage that were stepped over.
    pub(crate) damages: u64,
}

impl Reader {
    pub(crate) fn open(path: &Path, key: Key, place: u64) -> io::Result<Self> {
        Ok(Self {
            file: File::open(path)?,
            key,
            piece: Vec::new(),
            at: 0,
            place,
            is_in_damage: false,
            damages: 0,
        })
    }

    /// Where the next entry is looked for.
    pub(crate) fn place(&self) -> u64 {
        self.place + self.at as u64
    }

    /// Gives the next entry to `take`, or returns `None` at the end of what is there.
    pub(crate) fn next<T>(&mut self, take: impl FnOnce(Entry<'_>) -> T) -> io::Result<Option<T>> {
        loop {
            let place = self.place();
            match format::read(&self.piece[self.at..], self.key, place) {
                Found::Entry(entry, end) => {
                    let taken = take(entry);
                    self.at += end;
                    self.is_in_damage = false;
                    return Ok(Some(taken));
                }
                Found::Short(needed) => {
                    if !self.fill(needed)? {
                        self.give_up_the_rest();
                        return Ok(None);
                    }
                }
                Found::Spoilt(end) => {
                    self.note_damage();
                    self.at += end;
                    self.is_in_damage = false;
                }
                Found::Nothing => self.step_over(place)?,
            }
        }
    }

    /// Reads on until `needed` bytes are there; `false` when the file has not so many.
    fn fill(&mut self, needed: usize) -> io::Result<bool> {
        self.piece.drain(..self.at);
        self.place += self.at as u64;
        self.at = 0;
        let wanted = needed.max(PIECE);
        while self.piece.len() < needed {
            let have = self.piece.len();
            self.piece.resize(wanted, 0);
            let read = self
                .file
                .read_at(&mut self.piece[have..], self.place + have as u64);
            let count = match read {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    self.piece.truncate(have);
                    continue;
                }
                Err(error) => {
                    self.piece.truncate(have);
                    return Err(error);
                }
            };
            self.piece.truncate(have + count);
            if count == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn step_over(&mut self, place: u64) -> io::Result<()> {
        self.note_damage();
        match format::resync(&self.piece[self.at..], self.key, place) {
            Some(next) => {
                self.at += next;
                self.is_in_damage = false;
            }
            None => {
                // The head of the next one may begin in the last bytes.
                self.at = self.at.max((self.piece.len() + 1).saturating_sub(HEAD));
                self.fill(HEAD)?;
            }
        }
        Ok(())
    }

    /// What is left is shorter than an entry says that it is.
    fn give_up_the_rest(&mut self) {
        if self.at < self.piece.len() {
            self.note_damage();
        }
        self.place += self.piece.len() as u64;
        self.piece.clear();
        self.at = 0;
    }

    fn note_damage(&mut self) {
        if !self.is_in_damage {
            self.damages += 1;
        }
        self.is_in_damage = true;
    }
}
