//! An entry as it lies on disk: a native message, and what the broker knows of it.
//!
//! ```text
//!  0  4C 42 4A 31   "LBJ1": here an entry may begin
//!  4  u32           bytes from 8 on
//!  8  u64           XXH3 of all from 16 on
//! 16  u64           offset
//! 24  u64           received, ns since 1970-01-01 00:00 UTC
//! 32  u8            bytes of the topic
//! 33  topic, header (48 bytes), payload
//! ```
//!
//! All numbers are little-endian. An entry tells for itself what it is and whether it is whole, so
//! that it can be found again in a file whose order is lost (`rescue.rs`).

use logbus_schemas::Topic;
use logbus_schemas::wire::{HEADER_LEN, Header};
use xxhash_rust::xxh3::xxh3_64;

/// How an entry begins.
pub(crate) const MARK: [u8; 4] = *b"LBJ1";
/// Bytes before the topic.
const HEAD: usize = 33;
/// Nobody counts that far, be it entries or nanoseconds. What says so is forged, and arithmetic need
/// not wrap.
pub(crate) const FARTHEST: u64 = 1 << 63;

/// A message that has no place in the journal yet.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) topic: Topic,
    pub(crate) header: Header,
    bytes: Vec<u8>,
}

/// An entry that is whole.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) offset: u64,
    pub(crate) received: u64,
    pub(crate) topic: Topic,
    pub(crate) header: Header,
    bytes: Vec<u8>,
}

impl Draft {
    /// A message whose header was read already.
    pub(crate) fn new(topic: Topic, header: Header, raw_header: &[u8], payload: &[u8]) -> Self {
        let name = topic.as_str().as_bytes();
        let mut bytes = Vec::with_capacity(HEAD + name.len() + HEADER_LEN + payload.len());
        bytes.extend_from_slice(&MARK);
        bytes.resize(HEAD - 1, 0);
        // A topic has at most 255 bytes.
        bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(raw_header);
        bytes.extend_from_slice(payload);
        Self {
            topic,
            header,
            bytes,
        }
    }

    /// The draft's bytes on disk.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Gives it its place; these are the bytes that are stored.
    pub(crate) fn seal(&mut self, offset: u64, received: u64) -> &[u8] {
        let length = u32::try_from(self.bytes.len() - 8).unwrap_or(u32::MAX);
        self.bytes[4..8].copy_from_slice(&length.to_le_bytes());
        self.bytes[16..24].copy_from_slice(&offset.to_le_bytes());
        self.bytes[24..32].copy_from_slice(&received.to_le_bytes());
        let checksum = xxh3_64(&self.bytes[16..]);
        self.bytes[8..16].copy_from_slice(&checksum.to_le_bytes());
        &self.bytes
    }
}

impl Entry {
    /// Reads an entry at the beginning of these bytes; `None` when it is not whole.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let length = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
        let end = usize::try_from(length).ok()?.checked_add(8)?;
        let bytes = bytes.get(..end)?;
        if !bytes.starts_with(&MARK) || xxh3_64(bytes.get(16..)?) != number(bytes, 8)? {
            return None;
        }
        let name_end = HEAD + usize::from(*bytes.get(HEAD - 1)?);
        let header = bytes.get(name_end..name_end + HEADER_LEN)?;
        Some(Self {
            offset: number(bytes, 16).filter(|offset| *offset < FARTHEST)?,
            received: number(bytes, 24).filter(|received| *received < FARTHEST)?,
            topic: Topic::from_bytes(bytes.get(HEAD..name_end)?).ok()?,
            header: Header::parse(header).ok()?,
            bytes: bytes.to_vec(),
        })
    }

    /// The header as it came.
    pub(crate) fn raw_header(&self) -> &[u8] {
        &self.bytes[self.payload_at() - HEADER_LEN..self.payload_at()]
    }

    /// The records.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.bytes[self.payload_at()..]
    }

    /// All of it, as it is stored.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its message, without its place.
    pub(crate) fn to_draft(&self) -> Draft {
        let topic = self.topic.clone();
        Draft::new(topic, self.header, self.raw_header(), self.payload())
    }

    fn payload_at(&self) -> usize {
        HEAD + self.topic.as_str().len() + HEADER_LEN
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
pub(crate) mod tests {
    use logbus_schemas::codec;
    use logbus_schemas::wire::SenderId;
    use proptest::prelude::*;

    use super::*;

    /// A message of so many records, whose payload is their numbers.
    pub(crate) fn draft(topic: &str, sender: u64, sequence: u64, count: u32) -> Draft {
        let mut header = Header::new(codec::JSON, SenderId(sender));
        (header.sequence, header.count) = (sequence, count);
        let lines =
            (sequence..sequence + u64::from(count)).map(|n| format!("{{\"msg\":\"{n}\"}}\n"));
        let payload: String = lines.collect();
        let topic = Topic::new(topic).unwrap();
        Draft::new(topic, header, &header.to_bytes(), payload.as_bytes())
    }

    proptest! {
        #[test]
        fn an_entry_is_what_was_stored_or_is_seen_to_be_damaged(
            offset in 0..FARTHEST, received in 0..FARTHEST, count in 0..5_u32, at in any::<prop::sample::Index>(), bit in 0..8_u8,
        ) {
            let mut draft = draft("shop.stock", 7, 100, count);
            let mut stored = draft.seal(offset, received).to_vec();
            let entry = Entry::read(&stored).unwrap();
            prop_assert_eq!((entry.offset, entry.received), (offset, received));
            prop_assert_eq!(entry.topic.as_str(), "shop.stock");
            prop_assert_eq!(entry.header.count, count);
            let mut again = entry.to_draft();
            prop_assert_eq!(again.seal(offset, received), &stored[..]);
            let at = at.index(stored.len());
            stored[at] ^= 1 << bit;
            prop_assert_eq!(Entry::read(&stored), None);
            prop_assert_eq!(Entry::read(&stored[..at]), None);
        }

        #[test]
        fn no_bytes_are_worse_than_none(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(Entry::read(&bytes), None);
            prop_assert_eq!(Entry::read(&[&MARK[..], &bytes].concat()), None);
        }
    }
}
