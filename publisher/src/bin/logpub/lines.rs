//! Lines out of bytes that come in pieces.
//!
//! However the pieces fall, the lines are the same. A line without its end counts at the end of
//! the input, one that is too long is cut, and bytes that are not UTF-8 are shown as Python's
//! `backslashreplace` shows them.

/// A longer line is cut into pieces of this many bytes.
const MAX_LINE: usize = 1 << 20;

/// The line that is not complete yet.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// The lines that are complete with these bytes.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        while !bytes.is_empty() {
            let room = &bytes[..bytes.len().min(MAX_LINE - self.rest.len())];
            match room.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    self.rest.extend_from_slice(&room[..end]);
                    bytes = &bytes[end + 1..];
                }
                None => {
                    self.rest.extend_from_slice(room);
                    bytes = &bytes[room.len()..];
                    if self.rest.len() < MAX_LINE {
                        break;
                    }
                }
            }
            lines.push(self.take());
        }
        lines
    }

    /// The last line, if it had no end.
    pub(crate) fn end(&mut self) -> Vec<String> {
        if self.rest.is_empty() {
            Vec::new()
        } else {
            vec![self.take()]
        }
    }

    fn take(&mut self) -> String {
        let line = std::mem::take(&mut self.rest);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        let mut text = String::with_capacity(line.len());
        for chunk in line.utf8_chunks() {
            text.push_str(chunk.valid());
            chunk
                .invalid()
                .iter()
                .for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut all: Vec<String> = pieces.iter().flat_map(|piece| lines.push(piece)).collect();
        all.extend(lines.end());
        all
    }

    #[test]
    fn a_last_line_without_its_end_counts() {
        assert_eq!(split(&[b"one\r\n\ntw", b"o"]), ["one", "", "two"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_shown() {
        assert_eq!(split(&[b"caf\xc3\xa9 \xff"]), ["café \\xff"]);
    }

    #[test]
    fn a_line_without_end_takes_bounded_memory() {
        let lines = split(&[&vec![b'x'; 2 * MAX_LINE + 1]]);
        assert_eq!(
            lines.iter().map(String::len).collect::<Vec<_>>(),
            [MAX_LINE, MAX_LINE, 1]
        );
    }

    proptest! {
        #[test]
        fn the_pieces_do_not_matter(
            pieces in proptest::collection::vec("[a-b\n]{0,5}", 0..8)
        ) {
            let whole = pieces.concat();
            let pieces: Vec<&[u8]> = pieces.iter().map(String::as_bytes).collect();
            let expected: Vec<&str> = whole.lines().collect();
            prop_assert_eq!(split(&pieces), expected);
        }
    }
}
