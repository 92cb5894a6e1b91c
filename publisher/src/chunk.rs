//! Encoded records end to end in one buffer, as they wait in the queue.
//!
//! A buffer for many records in place of one for each: a caller's thread then never asks for memory
//! that another thread gave back, which costs more than all the rest that it does, and the sender
//! takes many records by moving one thing. A chunk keeps the order in which records came, of whatever
//! topics they are. What may wait altogether is the queue's part (`queue.rs`).

use std::collections::VecDeque;

use logbus_schemas::Topic;

/// Bytes after which another chunk is begun. A larger record has one of its own.
pub(crate) const CHUNK_BYTES: usize = 64 << 10;

/// Some records; see the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    /// The length of each record, those included that were taken off.
    lengths: Vec<usize>,
    /// Records of one topic that follow one another: their number.
    runs: VecDeque<(Topic, usize)>,
    /// Records and bytes that were taken off the front.
    gone: (usize, usize),
}

impl Chunk {
    /// Records in it.
    pub(crate) fn len(&self) -> usize {
        self.lengths.len() - self.gone.0
    }

    /// Their bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len() - self.gone.1
    }

    /// Whether a record of so many bytes belongs here and not into another chunk.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.bytes.len() + bytes <= CHUNK_BYTES || self.len() == 0
    }

    /// Whether its buffer is worth keeping for another chunk.
    pub(crate) fn is_usual(&self) -> bool {
        self.bytes.capacity() <= 2 * CHUNK_BYTES
    }

    /// Puts a record behind the others.
    pub(crate) fn push(&mut self, topic: &Topic, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.lengths.push(record.len());
        match self.runs.back_mut() {
            Some((last, count)) if last == topic => *count += 1,
            _ => self.runs.push_back((topic.clone(), 1)),
        }
    }

    /// The oldest record and its topic.
    pub(crate) fn first(&self) -> Option<(&Topic, &[u8])> {
        let (topic, _) = self.runs.front()?;
        let (at, from) = self.gone;
        Some((topic, &self.bytes[from..from + self.lengths[at]]))
    }

    /// Takes the oldest record off; gives its topic and its length.
    pub(crate) fn pop(&mut self) -> Option<(Topic, usize)> {
        let (topic, count) = self.runs.front_mut()?;
        let topic = topic.clone();
        *count -= 1;
        if *count == 0 {
            self.runs.pop_front();
        }
        let length = self.lengths[self.gone.0];
        self.gone.0 += 1;
        self.gone.1 += length;
        Some((topic, length))
    }

    /// The topics of records that follow one another, and these records.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (&Topic, impl Iterator<Item = &[u8]>)> {
        let (mut at, mut from) = self.gone;
        self.runs.iter().map(move |(topic, count)| {
            let lengths = &self.lengths[at..at + count];
            let mut begin = from;
            at += count;
            from += lengths.iter().sum::<usize>();
            let records = lengths.iter().map(move |length| {
                begin += length;
                &self.bytes[begin - length..begin]
            });
            (topic, records)
        })
    }

    /// Puts another's records behind these.
    pub(crate) fn append(&mut self, other: &Chunk) {
        for (topic, records) in other.runs() {
            for record in records {
                self.push(topic, record);
            }
        }
    }

    /// Empties it; its buffer stays.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.lengths.clear();
        self.runs.clear();
        self.gone = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(records: &[(&str, &str)]) -> Chunk {
        let mut chunk = Chunk::default();
        for (topic, text) in records {
            chunk.push(&Topic::new(topic).unwrap(), text.as_bytes());
        }
        chunk
    }

    fn shown(chunk: &Chunk) -> Vec<(String, String)> {
        let mut shown = Vec::new();
        for (topic, records) in chunk.runs() {
            for record in records {
                let text = String::from_utf8(record.to_vec()).unwrap();
                shown.push((topic.to_string(), text));
            }
        }
        shown
    }

    fn of(records: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(topic, text): &(&str, &str)| ((*topic).to_owned(), (*text).to_owned());
        records.iter().map(owned).collect()
    }

    #[test]
    fn records_of_several_topics_keep_their_order() {
        let records = [("a", "1"), ("a", "22"), ("b", "3"), ("a", "")];
        let chunk = chunk(&records);
        assert_eq!(shown(&chunk), of(&records));
        assert_eq!((chunk.len(), chunk.bytes()), (4, 4));
    }

    #[test]
    fn the_oldest_is_taken_off_and_the_rest_stays() {
        let records = [("a", "1"), ("a", "22"), ("b", "3")];
        let mut chunk = chunk(&records);
        for (at, (topic, text)) in records.iter().enumerate() {
            assert_eq!(shown(&chunk), of(&records[at..]));
            let (first, record) = chunk.first().unwrap();
            assert_eq!((first.as_str(), record), (*topic, text.as_bytes()));
            assert_eq!(chunk.pop().unwrap().1, text.len());
        }
        assert_eq!((chunk.len(), chunk.bytes()), (0, 0));
        assert!(chunk.pop().is_none() && chunk.first().is_none());
    }

    #[test]
    fn a_record_that_is_too_large_for_any_chunk_has_one_of_its_own() {
        let mut chunk = Chunk::default();
        assert!(chunk.has_room(2 * CHUNK_BYTES));
        chunk.push(&Topic::new("a").unwrap(), &vec![0; 2 * CHUNK_BYTES]);
        assert!(!chunk.has_room(1));
    }
}
