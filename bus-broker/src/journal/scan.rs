//! Entries one after the other, as in a file of exported ones.
//!
//! Between whole entries may stand anything: it is passed over and counted. So a file that was cut
//! or damaged costs what was damaged.

use std::io::{self, Read};

use super::entry::{Entry, MARK};

/// An entry that claims to be larger is none.
const MAX_ENTRY: usize = 1 << 30;
const STEP: usize = 1 << 16;

/// The entries of a file.
pub(crate) struct Scan<R> {
    from: R,
    buffer: Vec<u8>,
    at: usize,
    is_at_end: bool,
    passed_over: u64,
}

impl<R: Read> Scan<R> {
    pub(crate) fn new(from: R) -> Self {
        Self {
            from,
            buffer: Vec::new(),
            at: 0,
            is_at_end: false,
            passed_over: 0,
        }
    }

    /// Bytes that belong to no whole entry, so far.
    pub(crate) fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// The next whole entry.
    pub(crate) fn next(&mut self) -> io::Result<Option<Entry>> {
        loop {
            let rest = &self.buffer[self.at..];
            if rest.len() < needed(rest) && !self.is_at_end {
                self.fill()?;
                continue;
            }
            if rest.is_empty() {
                return Ok(None);
            }
            if let Some(entry) = Entry::read(rest) {
                self.at += entry.bytes().len();
                return Ok(Some(entry));
            }
            let ahead = rest[1..].iter().position(|byte| *byte == MARK[0]);
            let passed = ahead.map_or(rest.len(), |ahead| ahead + 1);
            self.passed_over += passed as u64;
            self.at += passed;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let before = self.buffer.len();
        let step = STEP.max(before);
        self.buffer.resize(before + step, 0);
        let count = self.from.read(&mut self.buffer[before..])?;
        self.buffer.truncate(before + count);
        self.is_at_end = count == 0;
        Ok(())
    }
}

/// Bytes that must be there before one can tell what begins here.
fn needed(bytes: &[u8]) -> usize {
    let Some(length) = bytes.get(4..8).filter(|_| bytes.starts_with(&MARK)) else {
        return 8;
    };
    let length = length.try_into().map_or(0, u32::from_le_bytes);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_ENTRY { 8 } else { length + 8 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::entry::tests::draft;
    use super::*;

    proptest! {
        #[test]
        fn what_is_whole_is_found_between_what_is_not(
            noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..8),
        ) {
            let mut file = Vec::new();
            for (number, noise) in noise.iter().enumerate() {
                file.extend_from_slice(noise);
                let number = number as u64;
                file.extend_from_slice(draft("a", 1, number, 2).seal(number, 5));
            }
            let mut scan = Scan::new(&file[..]);
            let mut found = Vec::new();
            while let Some(entry) = scan.next().unwrap() {
                found.push(entry.offset);
            }
            prop_assert_eq!(found, (0..noise.len() as u64).collect::<Vec<_>>());
            let noise: usize = noise.iter().map(Vec::len).sum();
            prop_assert_eq!(scan.passed_over(), noise as u64);
        }
    }
}
