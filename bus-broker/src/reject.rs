//! The file in which messages that could not be read are kept whole.
//!
//! One line a message, as `schemas/src/reject.rs` defines it, written at once, so that nothing is
//! lost when the program is killed. The file is bounded: it is for finding a fault, not for
//! storing a flood.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use logbus_schemas::reject::Reject;

/// The file grows no further than this many bytes; what comes later is counted and not kept.
const MAX_REJECT_FILE: u64 = 256 << 20;

/// A file of rejects, opened for appending.
#[derive(Debug)]
pub struct RejectFile {
    file: File,
    bytes: u64,
    not_kept: u64,
}

impl RejectFile {
    /// Opens the file, or makes it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self {
            file,
            bytes,
            not_kept: 0,
        })
    }

    /// Keeps a message. What cannot be written is counted: there is nowhere else to put it.
    pub fn write(&mut self, received: u64, from: &str, reason: &str, frames: &[&[u8]]) {
        let line = Reject::new(received, from, reason, frames).to_line();
        let length = line.len() as u64;
        if self.bytes + length > MAX_REJECT_FILE || self.file.write_all(line.as_bytes()).is_err() {
            self.not_kept += 1;
        } else {
            self.bytes += length;
        }
    }

    /// How many messages could not be kept.
    pub fn not_kept(&self) -> u64 {
        self.not_kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_kept_whole_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rejects.jsonl");
        for word in ["one", "two"] {
            let mut rejects = RejectFile::open(&path).unwrap();
            rejects.write(
                1,
                "tcp://127.0.0.1:5556",
                "unrecognised",
                &[word.as_bytes(), b"\xff"],
            );
            assert_eq!(rejects.not_kept(), 0);
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let kept: Vec<_> = text
            .lines()
            .map(|line| Reject::from_line(line).unwrap().frames().unwrap())
            .collect();
        assert_eq!(
            kept,
            [[b"one".to_vec(), vec![0xff]], [b"two".to_vec(), vec![0xff]]]
        );
    }
}
