//! The small rows beside the entries: catalog, totals, positions, durable subscriptions.
//!
//! Numbers in keys are big-endian, so that they sort; those in values little-endian. A row that
//! cannot be read is `None`, and whoever asks does without it.

use std::collections::BTreeSet;

use logbus_schemas::Topic;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::entry::{Entry, FARTHEST};

/// A line of the catalog: what an entry is, without its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Whether there is no such entry any more.
    pub(crate) is_gone: bool,
    /// Whether that is because it was damaged; what it was is not known then.
    pub(crate) is_lost: bool,
    /// When it came in; of one that is gone, when it was deleted.
    pub(crate) received: u64,
    pub(crate) records: u32,
    pub(crate) bytes: u32,
    pub(crate) topic: Topic,
}

impl Line {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.is_gone) | u8::from(self.is_lost) << 1];
        bytes.extend_from_slice(&self.received.to_le_bytes());
        bytes.extend_from_slice(&self.records.to_le_bytes());
        bytes.extend_from_slice(&self.bytes.to_le_bytes());
        bytes.extend_from_slice(self.topic.as_str().as_bytes());
        bytes
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            is_gone: bytes.first()? & 1 != 0,
            is_lost: bytes.first()? & 2 != 0,
            received: u64_at(bytes, 1)?,
            records: u32_at(bytes, 9)?,
            bytes: u32_at(bytes, 13)?,
            topic: Topic::from_bytes(bytes.get(17..)?).ok()?,
        })
    }

    /// The line of an entry, which says all of it as well.
    pub(crate) fn of(entry: &Entry) -> Self {
        Self {
            is_gone: false,
            is_lost: false,
            received: entry.received,
            records: entry.header.count,
            bytes: u32::try_from(entry.bytes().len()).unwrap_or(u32::MAX),
            topic: entry.topic.clone(),
        }
    }
}

/// What there is of a topic, and what there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Totals {
    pub(crate) entries: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) gone_entries: u64,
    pub(crate) gone_records: u64,
}

/// How far a sender has come on a topic.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Position {
    /// The number of its next record.
    pub(crate) next: u64,
    /// Its total of discarded records, as it last said.
    pub(crate) discarded: u64,
    /// Whether it said goodbye.
    pub(crate) is_over: bool,
    /// When it was heard, in ns since 1970-01-01 00:00 UTC.
    pub(crate) heard: u64,
    /// Which numbers before the next one are not here, as far as that is remembered: from, and up to
    /// where. They were refused or are late, and may come yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) missing: Vec<(u64, u64)>,
}

/// Where a durable subscription is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Consumer {
    /// All entries below this one are done.
    pub(crate) below: u64,
    /// And these.
    pub(crate) also: BTreeSet<u64>,
    /// Entries below this one may have been handed out.
    pub(crate) handed: u64,
    /// When it began, in ns since 1970-01-01 00:00 UTC: what was deleted before it never missed.
    pub(crate) since: u64,
    /// Its topics, as filters are written.
    pub(crate) topics: Vec<String>,
    /// When it was last heard of, in ns since 1970-01-01 00:00 UTC.
    pub(crate) heard: u64,
    /// Records that it has lost to retention, and of which the catalog says nothing any more.
    pub(crate) missed: u64,
    /// Behind the last entry that held them.
    pub(crate) missed_to: u64,
    /// The client whose it is, where clients have keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    /// All records of which that was ever so.
    pub(crate) charged: u64,
    /// Records that it has lost to retention in all, and below which entry these were.
    pub(crate) lost: u64,
    pub(crate) lost_to: u64,
    /// How many of the charged ones are in that number.
    pub(crate) lost_charged: u64,
}

impl Consumer {
    /// Records that it has lost to retention, told or not.
    pub(crate) fn all_lost(&self) -> u64 {
        self.lost + self.charged.saturating_sub(self.lost_charged)
    }
}

/// How a durable subscription's row begins.
pub(crate) const CONSUMER_MARK: [u8; 4] = *b"LBC1";

impl Consumer {
    /// Its row, which tells for itself what it is, as an entry does: the mark, the length and the
    /// checksum of what follows, the length of the name, the name, and the fields.
    pub(crate) fn to_row(&self, name: &str) -> Vec<u8> {
        let mut rest = vec![u8::try_from(name.len()).unwrap_or(u8::MAX)];
        rest.extend_from_slice(name.as_bytes());
        rest.extend(pack(self));
        let length = u32::try_from(rest.len()).unwrap_or(u32::MAX).to_le_bytes();
        let checksum = xxh3_64(&rest).to_le_bytes();
        [&CONSUMER_MARK[..], &length, &checksum, &rest].concat()
    }

    /// Reads a row at the beginning of these bytes; `None` when it is not whole.
    pub(crate) fn read_row(bytes: &[u8]) -> Option<(String, Self)> {
        let rest = bytes.strip_prefix(&CONSUMER_MARK)?;
        let end = usize::try_from(u32_at(rest, 0)?).ok()?.checked_add(12)?;
        let body = rest.get(12..end)?;
        if xxh3_64(body) != u64_at(rest, 4)? {
            return None;
        }
        let (length, body) = body.split_first()?;
        let (name, fields) = body.split_at_checked(usize::from(*length))?;
        let consumer: Self = unpack(fields)?;
        let name = String::from_utf8(name.to_vec()).ok()?;
        (consumer.below.max(consumer.handed) < FARTHEST).then_some((name, consumer))
    }
}

/// A row of msgpack. Writing to memory does not fail.
pub(crate) fn pack(row: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec_named(row).unwrap_or_default()
}

pub(crate) fn unpack<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    rmp_serde::from_slice(bytes).ok()
}

/// An offset, or a time, as a key.
pub(crate) fn key(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// The number that such a key is.
pub(crate) fn number(key: &[u8]) -> Option<u64> {
    key.try_into().ok().map(u64::from_be_bytes)
}

/// An entry's key in the index by topic.
pub(crate) fn topic_key(topic: &str, offset: u64) -> Vec<u8> {
    [topic.as_bytes(), &[0], &offset.to_be_bytes()].concat()
}

/// The offset in such a key.
pub(crate) fn topic_offset(key: &[u8]) -> Option<u64> {
    number(key.last_chunk::<8>()?)
}

/// A position's key. Durable messages and others are numbered apart.
pub(crate) fn position_key(is_durable: bool, sender: u64, topic: &str) -> Vec<u8> {
    let kind = if is_durable { b'd' } else { b'l' };
    [&[kind], &sender.to_be_bytes()[..], topic.as_bytes()].concat()
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_line_survives_its_bytes(is_gone: bool, received: u64, records: u32, bytes: u32) {
            let topic = Topic::new("shop.stock").unwrap();
            let line = Line { is_gone, is_lost: !is_gone, received, records, bytes, topic };
            prop_assert_eq!(Line::read(&line.to_bytes()), Some(line));
        }

        #[test]
        fn no_bytes_are_worse_than_no_row(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            drop((Line::read(&bytes), unpack::<Consumer>(&bytes), Consumer::read_row(&bytes)));
            prop_assert!(unpack::<Position>(&bytes).is_none() || !bytes.is_empty());
            prop_assert!(number(&bytes).is_none() || bytes.len() == 8);
            prop_assert!(topic_offset(&bytes).is_none() || unpack::<Totals>(&bytes).is_none() || bytes.len() >= 8);
        }

        #[test]
        fn a_consumers_row_is_read_whole_or_not_at_all(
            below in 0..FARTHEST, also in prop::collection::btree_set(any::<u64>(), 0..4), at in any::<prop::sample::Index>(),
        ) {
            let consumer = Consumer { below, also, ..Consumer::default() };
            let mut row = consumer.to_row("audit");
            prop_assert_eq!(Consumer::read_row(&row), Some(("audit".to_owned(), consumer)));
            let at = at.index(row.len());
            row[at] ^= 1;
            prop_assert_eq!(Consumer::read_row(&row), None);
        }

        #[test]
        fn keys_of_a_topic_sort_by_offset(a: u64, b: u64) {
            prop_assert_eq!(a.cmp(&b), topic_key("shop", a).cmp(&topic_key("shop", b)));
            prop_assert_eq!(topic_offset(&topic_key("shop", a)), Some(a));
        }
    }
}
